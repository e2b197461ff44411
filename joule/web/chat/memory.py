"""What is remembered in a project, with where each item comes from; people add, change, pin, agree to and forget."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import Response

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import Conflict, NotFound
from joule.kernel.ids import ItemId, ProjectId, TaskId, ThreadId
from joule.tasks import queries as tasks
from joule.web.access import Here, MemoryReader
from joule.web.chat.panel import short_items
from joule.web.chat.remembering import ItemLine, line_of
from joule.web.context import Web
from joule.web.shell import shell_of
from memory import queries
from memory.items import queries as items_queries
from memory.items.actions import AcceptItem, DeclineItem, EditItem, ForgetItem, PinItem, Remember, SwitchMemory
from memory.items.kinds import SourceKind
from memory.items.results import RecalledItem
from memory.kinds import ItemKind
from memory.knowledge.queries import list_documents as documents_of

router = APIRouter(prefix="/projects/{project}/memory")

Text = Annotated[str, Form()]
YesNo = Annotated[Literal["yes", "no"], Form()]


@dataclass(frozen=True, kw_only=True)
class Undo:
    """A way back from what was just done."""

    said: str
    href: str
    fields: tuple[tuple[str, object], ...]


@router.get("")
async def page(web: Here, person: MemoryReader, project: UUID) -> Response:
    """All that is remembered, and what waits for a person to agree."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        items, proposals = await _both(web, session, person, project)
        off = await items_queries.switched_off(session, person.org, [project])
    return web.templates.page(
        "memory/page.html",
        shell=shell,
        items=items,
        proposals=proposals,
        query="",
        undo=None,
        added=False,
        on=project not in off,
        thread=None,
        switch=f"/projects/{project}/memory/switch",
    )


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
    web: Here,
    person: MemoryReader,
    project: UUID,
    text: Text,
    kind: Annotated[ItemKind, Form()],
    days: Annotated[int | None, Form(ge=1, le=3650)] = None,
) -> Response:
    """Remembers something a person typed, for so many days or until it is forgotten."""
    ends = None if days is None else web.house.clock.now() + timedelta(days=days)
    await web.house.commands.perform(
        Remember(principal=person.principal, project=ProjectId(project), text=text, kind=kind, expires_at=ends)
    )
    return await _list(web, person, project, added=True)


@router.post("/switch")
async def switch(
    web: Here, person: MemoryReader, project: UUID, on: YesNo, thread: Annotated[UUID | None, Form()] = None
) -> Response:
    """Uses memory in the project, or in one chat of it, or no longer."""
    done = await web.house.commands.perform(
        SwitchMemory(
            principal=person.principal,
            project=ProjectId(project),
            on=on == "yes",
            thread=None if thread is None else ThreadId(thread),
        )
    )
    return web.templates.page(
        "memory/_switch.html",
        on=done.on,
        where="project" if thread is None else "chat",
        thread=thread,
        switch=f"/projects/{project}/memory/switch",
    )


@router.get("/{item}/view")
async def view(web: Here, person: MemoryReader, project: UUID, item: UUID) -> Response:
    """One item as a line."""
    return web.templates.page("memory/_item.html", item=await _item(web, person, project, item))


@router.get("/{item}/edit")
async def form(web: Here, person: MemoryReader, project: UUID, item: UUID) -> Response:
    """One item as a form."""
    found = await _item(web, person, project, item)
    return web.templates.page("memory/_edit.html", item=found, yours=found.text, theirs="")


@router.post("/{item}")
async def edit(
    web: Here,
    person: MemoryReader,
    project: UUID,
    item: UUID,
    text: Text,
    expected: Annotated[int | None, Form(ge=0)] = None,
) -> Response:
    """Changes the words of an item. When somebody else did meanwhile, shows both and changes nothing."""
    before = await _item(web, person, project, item)
    action = EditItem(
        principal=person.principal, project=ProjectId(project), item=ItemId(item), text=text, expected=expected
    )
    try:
        done = await web.house.commands.perform(action)
    except Conflict:
        now = await _item(web, person, project, item)
        headers = {"HX-Retarget": f"#item-{item}", "HX-Reswap": "innerHTML"}
        return web.templates.page("memory/_edit.html", 200, headers, item=now, yours=text, theirs=now.text)
    fields = (("text", before.text), ("expected", done.generation))
    return await _list(web, person, project, undo=Undo(said="The item was changed.", href=before.href, fields=fields))


@router.post("/{item}/pin")
async def pin(web: Here, person: MemoryReader, project: UUID, item: UUID, pinned: YesNo) -> Response:
    """Has an item recalled first always, or no longer."""
    await web.house.commands.perform(
        PinItem(principal=person.principal, project=ProjectId(project), item=ItemId(item), pinned=pinned == "yes")
    )
    return await _list(web, person, project)


@router.post("/{item}/accept")
async def accept(web: Here, person: MemoryReader, project: UUID, item: UUID, replace: YesNo) -> Response:
    """Agrees to a proposal."""
    action = AcceptItem(
        principal=person.principal, project=ProjectId(project), item=ItemId(item), replace=replace == "yes"
    )
    await web.house.commands.perform(action)
    return await _list(web, person, project)


@router.post("/{item}/decline")
async def decline(web: Here, person: MemoryReader, project: UUID, item: UUID) -> Response:
    """Erases a proposal."""
    await web.house.commands.perform(
        DeclineItem(principal=person.principal, project=ProjectId(project), item=ItemId(item))
    )
    return await _list(web, person, project)


@router.post("/{item}/forget")
async def forget(web: Here, person: MemoryReader, project: UUID, item: UUID) -> Response:
    """Forgets an item for good."""
    action = ForgetItem(principal=person.principal, project=ProjectId(project), item=ItemId(item))
    await web.house.commands.perform(action)
    return await _list(web, person, project)


async def _list(
    web: Web, person: SignedInPerson, project: UUID, query: str = "", *, undo: Undo | None = None, added: bool = False
) -> Response:
    async with web.house.database.read(person.org) as session:
        items, proposals = await _both(web, session, person, project, query)
    return web.templates.page(
        "memory/_list.html", items=items, proposals=proposals, query=query, undo=undo, added=added
    )


async def _both(
    web: Web, session: ReadSession, person: SignedInPerson, project: UUID, query: str = ""
) -> tuple[list[ItemLine], list[ItemLine]]:
    """What is remembered, or what of it fits; and, when nothing is looked for, what waits for a person to agree."""
    keyring = await web.house.vault.keyring(session, person.org)
    now, reader = web.house.clock.now(), person.person
    live = await queries.list_items(session, keyring, ProjectId(project), reader=reader, now=now)
    shown: Sequence[RecalledItem] = live
    proposed: Sequence[RecalledItem] = ()
    if query.strip():
        shown = (await queries.search(session, keyring, ProjectId(project), query, reader=reader, now=now)).items
    else:
        proposed = await items_queries.list_proposals(session, keyring, ProjectId(project), reader=reader, now=now)
    names = {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}
    messages = await _messages(session, person, project, [*shown, *proposed])
    documents = await documents_of(session, keyring, ProjectId(project), reader=reader)
    titles = {each.document: each.title for each in documents}
    others: dict[UUID, str] = {each.item: each.text for each in live}

    def lines(items: Sequence[RecalledItem]) -> list[ItemLine]:
        return [line_of(each, project, names, messages=messages, titles=titles, others=others) for each in items]

    return lines(shown), lines(proposed)


async def _item(web: Web, person: SignedInPerson, project: UUID, item: UUID) -> ItemLine:
    async with web.house.database.read(person.org) as session:
        items, _ = await _both(web, session, person, project)
    found = next((each for each in items if each.id == item), None)
    if found is None:
        raise NotFound("remembered item")
    return found


async def _messages(
    session: ReadSession, person: SignedInPerson, project: UUID, items: Sequence[RecalledItem]
) -> dict[UUID, str]:
    """The ways to the messages items come from. One that was deleted has none; an item added by hand comes from none."""
    ways: dict[UUID, str] = {}
    wanted = {span.source for each in items for span in each.sources if span.kind is SourceKind.MESSAGE}
    for task in wanted | {each.source_task for each in items if each.via == "agent"}:
        try:
            facts = await tasks.facts(session, person.org, TaskId(task))
        except NotFound:
            continue
        ways[task] = f"/projects/{project}/threads/{facts.thread}?task={task}#turn-{task}"
    return ways
