"""Documents of connected accounts: which account, which documents, and how bringing each of them in went."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from starlette.responses import Response

from integrations.shelves import Found
from joule.assembly.bringing import Bringing, Source
from joule.identity.permissions import Permission, allowed
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import ApprovalNeeded, JouleError
from joule.kernel.ids import ProjectId
from joule.web.access import Here, KnowledgeReader
from joule.web.chat.knowledge.listing import base_of, require_project
from joule.web.context import Web
from joule.web.shell import shell_of
from memory.knowledge.brought import Brought, standing

router = APIRouter(prefix="/projects/{project}/knowledge/accounts")

AT_ONCE = 10  # documents brought in by one press


@dataclass(frozen=True, kw_only=True)
class Line:
    """One document there. `note` says how it stands here; one that `may` not be brought in cannot be ticked."""

    external: str
    title: str
    note: str
    href: str
    may: bool


@dataclass(frozen=True, kw_only=True)
class Went:
    """How one went: `href` where it is now, or `problem` and what to do about it."""

    title: str
    href: str = ""
    note: str = ""
    problem: str = ""
    cure: str = ""


@router.get("")
async def choose(web: Here, person: KnowledgeReader, project: UUID) -> Response:
    """The accounts that keep documents."""
    async with web.house.database.read(person.org) as session:
        await require_project(web, session, person, project)
    return await _page(web, person, project, sources=await _bringing(web, person, project).sources())


@router.get("/{connection}")
async def look(
    web: Here,
    person: KnowledgeReader,
    project: UUID,
    connection: UUID,
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """The documents of one account."""
    bringing = _bringing(web, person, project)
    source = await bringing.source(connection)
    found = await bringing.find(source, q.strip()) if source.is_open else ()
    return await _page(web, person, project, source=source, found=found, word=q)


@router.post("/{connection}")
async def bring(
    web: Here,
    person: KnowledgeReader,
    project: UUID,
    connection: UUID,
    document: Annotated[list[str] | None, Form()] = None,
    q: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Brings in what was ticked, one after the other; what goes wrong with one keeps no other back."""
    bringing = _bringing(web, person, project)
    source = await bringing.source(connection)
    found = await bringing.find(source, q.strip())
    wanted = set(document or ())
    went = [await _one(bringing, source, each) for each in found if each.external in wanted][:AT_ONCE]
    missing = len(wanted) - len(went)
    return await _page(web, person, project, source=source, found=found, word=q, went=tuple(went), missing=missing)


async def _one(bringing: Bringing, source: Source, wanted: Found) -> Went:
    try:
        added = await bringing.bring(source, wanted)
    except ApprovalNeeded:
        raise
    except JouleError as problem:
        said = str(problem)
        return Went(title=wanted.title, problem=f"{said[:1].upper()}{said[1:]}.", cure=problem.advice())
    note = "It is here already, unchanged." if added.duplicate_of else "It is being read."
    return Went(title=added.title, href=f"{base_of(bringing.project)}/{added.document}", note=note)


async def _page(
    web: Web,
    person: SignedInPerson,
    project: UUID,
    *,
    sources: tuple[Source, ...] = (),
    source: Source | None = None,
    found: tuple[Found, ...] = (),
    word: str = "",
    went: tuple[Went, ...] = (),
    missing: int = 0,
) -> Response:
    base = base_of(project)
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        here: dict[str, Brought] = {}
        if source is not None:
            keyring = await web.house.vault.keyring(session, person.org)
            externals = [each.external for each in found]
            here |= await standing(
                session, keyring, ProjectId(project), source.connection, externals, reader=person.person
            )
    return web.templates.page(
        "knowledge/accounts.html",
        shell=shell,
        base=base,
        sources=sources,
        source=source,
        lines=tuple(_line(each, here.get(each.external), base) for each in found),
        word=word,
        went=went,
        missing=missing,
        at_once=AT_ONCE,
        may_connect=allowed(person.role, Permission.INTEGRATIONS),
    )


def _line(each: Found, known: Brought | None, base: str) -> Line:
    if known is None:
        return Line(external=each.external, title=each.title, note="", href="", may=True)
    if known.document is None:
        note = "Deleted in this project, so it is not brought in again."
        return Line(external=each.external, title=each.title, note=note, href="", may=False)
    note = "Is here; bringing it in again takes its newest state."
    return Line(external=each.external, title=each.title, note=note, href=f"{base}/{known.document}", may=True)


def _bringing(web: Web, person: SignedInPerson, project: UUID) -> Bringing:
    return Bringing(perform=web.house.commands.perform, principal=person.principal, project=ProjectId(project))
