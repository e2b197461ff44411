"""The documents of a project: added, searched, and how far each is."""

from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, Response

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.kernel.ids import PersonId, ProjectId
from joule.web.access import Here, KnowledgeReader
from joule.web.chat.knowledge import showing
from joule.web.chat.knowledge.showing import DocumentLine, Receipt
from joule.web.context import Web
from joule.web.shell import shell_of
from memory.knowledge import queries
from memory.knowledge.actions import AddDocument, SearchKnowledge

router = APIRouter(prefix="/projects/{project}/knowledge")

SOUGHT = 10  # passages


@router.get("")
async def page(web: Here, person: KnowledgeReader, project: UUID) -> Response:
    """All documents."""
    return await whole_page(web, person, project)


@router.get("/list")
async def every(web: Here, person: KnowledgeReader, project: UUID) -> Response:
    """The list alone. It asks again by itself while a document is under way."""
    return await fragment(web, person, project)


@router.get("/search")
async def search(
    web: Here, person: KnowledgeReader, project: UUID, q: Annotated[str, Query(max_length=400)] = ""
) -> Response:
    """The passages that fit, each with the way to its page."""
    if not q.strip():
        return web.templates.page("knowledge/_found.html", passages=(), query=q, how="Type what you look for.")
    found = await web.house.commands.perform(
        SearchKnowledge(principal=person.principal, project=ProjectId(project), query=q, limit=SOUGHT)
    )
    return web.templates.page(
        "knowledge/_found.html", passages=showing.passages_of(found, project), query=q, how=showing.how_of(found)
    )


@router.put("")
async def add(
    web: Here,
    request: Request,
    person: KnowledgeReader,
    project: UUID,
    x_upload: Annotated[str, Header(max_length=2000)],
) -> Response:
    """Keeps the body as a document and has it read. Whether all of it came is checked against what was announced."""
    announced = request.headers.get("content-length", "")
    content = await request.body()
    added = await web.house.commands.perform(
        AddDocument(
            principal=person.principal,
            project=ProjectId(project),
            title=unquote(x_upload),
            content=content,
            expected_bytes=int(announced) if announced.isdecimal() else None,
        )
    )
    is_known = added.duplicate_of is not None
    told = {"document": str(added.document), "title": added.title, "version": added.version, "state": added.state}
    return JSONResponse({**told, "note": f"{added.title} is there already." if is_known else ""})


async def fragment(web: Web, person: SignedInPerson, project: UUID, *, gone: Receipt | None = None) -> Response:
    """The list as a fragment; with `gone`, what a deletion removed."""
    async with web.house.database.read(person.org) as session:
        await require_project(web, session, person, project)
        documents = await _lines(web, session, person, project)
    return web.templates.page(
        "knowledge/_list.html", documents=documents, under_way=_any(documents), href=base_of(project), gone=gone
    )


async def whole_page(web: Web, person: SignedInPerson, project: UUID, *, receipt: Receipt | None = None) -> Response:
    """The page; with `receipt`, what a deletion removed."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        documents = await _lines(web, session, person, project)
    headers = {"HX-Push-Url": base_of(project)} if receipt else {}
    return web.templates.page(
        "knowledge/page.html",
        200,
        headers,
        shell=shell,
        documents=documents,
        under_way=_any(documents),
        href=base_of(project),
        gone=None,
        receipt=receipt,
    )


async def require_project(web: Web, session: ReadSession, person: SignedInPerson, project: UUID) -> None:
    """Raises `NotFound` for a project that is not there."""
    from memory import queries as projects

    keyring = await web.house.vault.keyring(session, person.org)
    await projects.project_by_id(session, keyring, ProjectId(project))


async def names_of(web: Web, session: ReadSession, person: SignedInPerson) -> dict[PersonId, str]:
    """The names of the organisation's people."""
    return {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}


def base_of(project: UUID) -> str:
    """The address of a project's knowledge base."""
    return f"/projects/{project}/knowledge"


async def _lines(web: Web, session: ReadSession, person: SignedInPerson, project: UUID) -> list[DocumentLine]:
    keyring = await web.house.vault.keyring(session, person.org)
    found = await queries.list_documents(session, keyring, ProjectId(project), reader=person.person)
    names = await names_of(web, session, person)
    return [showing.line_of(each, names, base=base_of(project)) for each in found]


def _any(documents: list[DocumentLine]) -> bool:
    return any(each.under_way for each in documents)
