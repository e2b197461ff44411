"""What is remembered in a project, with where each item comes from; people add, change, pin and forget."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import Response

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import NotFound
from joule.kernel.ids import ItemId, PersonId, ProjectId, TaskId
from joule.kernel.label import Integrity
from joule.tasks import queries as tasks
from joule.web.access import Here, MemoryReader
from joule.web.chat.panel import short_items
from joule.web.chat.preview import trust_of
from joule.web.context import Web
from joule.web.shell import shell_of
from memory import queries
from memory.actions import EditItem, ForgetItem, PinItem, Remember
from memory.kinds import ItemKind
from memory.results import RecalledItem

router = APIRouter(prefix="/projects/{project}/memory")

Text = Annotated[str, Form()]


@dataclass(frozen=True, kw_only=True)
class ItemLine:
    """One remembered item."""

    id: UUID
    href: str
    text: str
    kind: str
    who: str
    at: datetime
    source: str | None
    pinned: bool
    trust: str
    untrusted: bool


@router.get("")
async def page(web: Here, person: MemoryReader, project: UUID) -> Response:
    """All that is remembered."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        items = await _items(web, session, person, project)
    return web.templates.page("memory/page.html", shell=shell, items=items, query="")


@router.get("/list")
async def every(web: Here, person: MemoryReader, project: UUID, q: str = "") -> Response:
    """The list alone, or what of it fits some words."""
    return await _list(web, person, project, q)


@router.get("/short")
async def short(web: Here, person: MemoryReader, project: UUID) -> Response:
    """The list in the panel."""
    async with web.house.database.read(person.org) as session:
        items = await short_items(web, session, person, project)
    return web.templates.page("memory/_short.html", items=items)


@router.post("")
async def add(
    web: Here, person: MemoryReader, project: UUID, text: Text, kind: Annotated[ItemKind, Form()]
) -> Response:
    """Remembers something a person typed."""
    action = Remember(principal=person.principal, project=ProjectId(project), text=text, kind=kind)
    await web.house.commands.perform(action)
    return await _list(web, person, project)


@router.get("/{item}/view")
async def view(web: Here, person: MemoryReader, project: UUID, item: UUID) -> Response:
    """One item as a line."""
    return web.templates.page("memory/_item.html", item=await _item(web, person, project, item))


@router.get("/{item}/edit")
async def form(web: Here, person: MemoryReader, project: UUID, item: UUID) -> Response:
    """One item as a form."""
    return web.templates.page("memory/_edit.html", item=await _item(web, person, project, item))


@router.post("/{item}")
async def edit(web: Here, person: MemoryReader, project: UUID, item: UUID, text: Text) -> Response:
    """Changes the words of an item."""
    action = EditItem(principal=person.principal, project=ProjectId(project), item=ItemId(item), text=text)
    await web.house.commands.perform(action)
    return await _list(web, person, project)


@router.post("/{item}/pin")
async def pin(
    web: Here, person: MemoryReader, project: UUID, item: UUID, pinned: Annotated[Literal["yes", "no"], Form()]
) -> Response:
    """Has an item recalled first always, or no longer."""
    await web.house.commands.perform(
        PinItem(principal=person.principal, project=ProjectId(project), item=ItemId(item), pinned=pinned == "yes")
    )
    return await _list(web, person, project)


@router.post("/{item}/forget")
async def forget(web: Here, person: MemoryReader, project: UUID, item: UUID) -> Response:
    """Forgets an item for good."""
    action = ForgetItem(principal=person.principal, project=ProjectId(project), item=ItemId(item))
    await web.house.commands.perform(action)
    return await _list(web, person, project)


async def _list(web: Web, person: SignedInPerson, project: UUID, query: str = "") -> Response:
    async with web.house.database.read(person.org) as session:
        items = await _items(web, session, person, project, query)
    return web.templates.page("memory/_list.html", items=items, query=query)


async def _items(
    web: Web, session: ReadSession, person: SignedInPerson, project: UUID, query: str = ""
) -> list[ItemLine]:
    keyring = await web.house.vault.keyring(session, person.org)
    now, reader = web.house.clock.now(), person.person
    if query.strip():
        found = await queries.search(session, keyring, ProjectId(project), query, reader=reader, now=now)
        items: tuple[RecalledItem, ...] = found.items
    else:
        items = await queries.list_items(session, keyring, ProjectId(project), reader=reader, now=now)
    names = {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}
    return [_line(each, project, names, await _source(session, person, project, each)) for each in items]


async def _item(web: Web, person: SignedInPerson, project: UUID, item: UUID) -> ItemLine:
    async with web.house.database.read(person.org) as session:
        for each in await _items(web, session, person, project):
            if each.id == item:
                return each
    raise NotFound("remembered item")


async def _source(session: ReadSession, person: SignedInPerson, project: UUID, item: RecalledItem) -> str | None:
    """The way to the message an item comes from. An item added by hand comes from none."""
    try:
        facts = await tasks.facts(session, person.org, TaskId(item.source_task))
    except NotFound:
        return None
    return f"/projects/{project}/threads/{facts.thread}?task={facts.task}#turn-{facts.task}"


def _line(item: RecalledItem, project: UUID, names: Mapping[PersonId, str], source: str | None) -> ItemLine:
    name = names.get(item.author, "somebody") if item.author else "Joule"
    return ItemLine(
        id=item.item,
        href=f"/projects/{project}/memory/{item.item}",
        text=item.text,
        kind=item.kind.capitalize(),
        who=f"kept by Joule for {name}" if item.via == "agent" else f"added by {name}",
        at=item.updated_at,
        source=source,
        pinned=item.pinned,
        trust=trust_of(item.label),
        untrusted=item.label.integrity is Integrity.UNTRUSTED,
    )
