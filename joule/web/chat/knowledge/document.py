"""One document: its text by page with what was looked for marked in it, its versions, and its end."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from joule.identity.queries import SignedInPerson
from joule.kernel.ids import ProjectId
from joule.web.access import Here, KnowledgeReader
from joule.web.chat.knowledge import showing
from joule.web.chat.knowledge.leaves import Leaf, Shown, leaf_of, span_of
from joule.web.chat.knowledge.listing import base_of, fragment, names_of, whole_page
from joule.web.chat.knowledge.showing import VersionLine
from joule.web.context import Web
from joule.web.shell import shell_of
from memory.knowledge import queries
from memory.knowledge.actions import DeleteDocument, ReindexDocument, RenameDocument
from memory.knowledge.queries import DocumentPage, DocumentVersionView

router = APIRouter(prefix="/projects/{project}/knowledge/{document}")


@dataclass(frozen=True, kw_only=True)
class Page:
    """A document, looked at."""

    href: str
    here: str
    title: str
    what: str
    size: int
    from_where: str
    version: int
    versions: tuple[VersionLine, ...]
    standing: str
    under_way: bool
    problem: str
    cure: str
    note: str
    warnings: tuple[str, ...]
    leaf: str
    leaves: bool
    before: str | None
    after: str | None
    parts: tuple[Shown, ...]


@router.get("")
async def look(
    web: Here,
    person: KnowledgeReader,
    project: UUID,
    document: UUID,
    version: Annotated[int | None, Query(ge=1)] = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    at: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """One page of one version. `at` is a span of characters: its page is opened, and it is marked."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        keyring = await web.house.vault.keyring(session, person.org)
        found = await queries.document_by_id(session, keyring, ProjectId(project), document, reader=person.person)
        wanted = version or found.document.version or found.document.newest
        chosen = next((each for each in found.versions if each.version == wanted), found.versions[0])
        text = await queries.whole_text(
            session, keyring, ProjectId(project), document, version=chosen.version, reader=person.person
        )
        names = await names_of(web, session, person)
    href = f"{base_of(project)}/{document}"
    versions = tuple(showing.version_of(each, names, href=href) for each in found.versions)
    from_where = _from_where(found, names.get(found.document.author, "") if found.document.author else "")
    leaf = leaf_of(text, number=page, span=span_of(at))
    shown = _page(found, chosen, versions, leaf, href=href, from_where=from_where)
    return web.templates.page("knowledge/document.html", shell=shell, page=shown)


@router.get("/download")
async def download(
    web: Here,
    person: KnowledgeReader,
    project: UUID,
    document: UUID,
    version: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The bytes as they came, as an attachment: a browser never opens them on our own address."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        title, content = await queries.original(
            session, keyring, ProjectId(project), document, version=version, reader=person.person
        )
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(title, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.post("/rename")
async def rename(
    web: Here, person: KnowledgeReader, project: UUID, document: UUID, title: Annotated[str, Form()]
) -> Response:
    """Gives it another title."""
    await web.house.commands.perform(
        RenameDocument(principal=person.principal, project=ProjectId(project), document=document, title=title)
    )
    return RedirectResponse(f"{base_of(project)}/{document}", status_code=303)


@router.post("/again")
async def again(web: Here, request: Request, person: KnowledgeReader, project: UUID, document: UUID) -> Response:
    """Has its newest version read again. What is searched stays so until that is done."""
    await web.house.commands.perform(
        ReindexDocument(principal=person.principal, project=ProjectId(project), document=document)
    )
    if "hx-request" in request.headers:
        return await fragment(web, person, project)
    return RedirectResponse(f"{base_of(project)}/{document}", status_code=303)


@router.post("/delete")
async def delete(
    web: Here,
    person: KnowledgeReader,
    project: UUID,
    document: UUID,
    whole: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Erases it with all that was made from it, and shows what went."""
    title = await _title(web, person, project, document)
    erased = await web.house.commands.perform(
        DeleteDocument(principal=person.principal, project=ProjectId(project), document=document)
    )
    receipt = showing.receipt_of(title, erased)
    if whole:
        return await whole_page(web, person, project, receipt=receipt)
    return await fragment(web, person, project, gone=receipt)


async def _title(web: Web, person: SignedInPerson, project: UUID, document: UUID) -> str:
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        found = await queries.document_by_id(session, keyring, ProjectId(project), document, reader=person.person)
    return found.document.title


def _page(
    found: DocumentPage,
    chosen: DocumentVersionView,
    versions: tuple[VersionLine, ...],
    leaf: Leaf,
    *,
    href: str,
    from_where: str,
) -> Page:
    here = f"{href}?version={chosen.version}"
    problem, cure = showing.problem_of(chosen.failure)
    view, name = found.document, showing.leaf_name(chosen.media_type)
    return Page(
        href=href,
        here=here,
        title=view.title,
        what=showing.what_it_is(chosen.media_type, chosen.pages),
        size=chosen.size,
        from_where=from_where,
        version=chosen.version,
        versions=versions,
        standing=showing.standing_of(chosen.state),
        under_way=chosen.state.is_under_way and not leaf.parts,
        problem=problem,
        cure=cure,
        note=_note(found, chosen),
        warnings=showing.warnings_of(chosen.warnings),
        leaf=f"{name.capitalize() if chosen.pages else 'Part'} {leaf.number} of {leaf.total}",
        leaves=leaf.total > 1,
        before=f"{here}&page={leaf.number - 1}" if leaf.number > 1 else None,
        after=f"{here}&page={leaf.number + 1}" if leaf.number < leaf.total else None,
        parts=leaf.parts,
    )


def _note(found: DocumentPage, chosen: DocumentVersionView) -> str:
    view = found.document
    if chosen.version != view.newest:
        searched = "It is the one that is searched." if chosen.is_searched else ""
        return f"This is version {chosen.version}. The newest is version {view.newest}. {searched}".strip()
    if chosen.state.is_under_way and view.version:
        return f"{showing.standing_of(chosen.state)}. Until that is done, what was read before is searched."
    if chosen.is_searched and not chosen.by_meaning:
        return "Found by its words only: no model for meanings was there when it was read."
    return ""


def _from_where(found: DocumentPage, name: str) -> str:
    if found.document.connection is not None:
        return "From a connected account. What it says is someone else's words."
    brought = f"Added by {name}" if name else "Added"
    return f"{brought}. What it says counts as someone else's words, whoever added it."
