"""What is remembered in a project, what waits for agreement, and where memory is off."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from joule.kernel.ids import ItemId, ProjectId, ThreadId
from joule.web.access import Here, MemoryReader
from memory import queries
from memory.items import queries as items
from memory.items.actions import (
    AcceptItem,
    DeclineItem,
    EditItem,
    ExportItems,
    ForgetItem,
    PinItem,
    Remember,
    SwitchMemory,
)
from memory.items.results import RecalledItem
from memory.kinds import ItemKind

router = APIRouter(prefix="/api/v1/projects/{project}/memory")


class ItemIn(BaseModel):
    """A text to remember."""

    text: str
    kind: ItemKind = ItemKind.FACT
    subject: str = ""
    expires_at: datetime | None = None


class TextIn(BaseModel):
    """Another text for an item. With `expected` (its `generation` as it was read) somebody else's edit is a conflict."""

    text: str
    expected: int | None = None


class PinIn(BaseModel):
    """Whether it is recalled first always."""

    pinned: bool = True


class AcceptIn(BaseModel):
    """Whether it takes the place of what it contradicts."""

    replace: bool = True


class SwitchIn(BaseModel):
    """Whether memory is used: in the project, or in one conversation of it."""

    on: bool
    thread: UUID | None = None


class SourceOut(BaseModel):
    """What an item was made from: `kind`, its id, and where in it."""

    kind: str
    source: UUID
    start: int | None
    end: int | None


class ItemOut(BaseModel):
    """A remembered item with where it came from."""

    item: UUID
    text: str
    kind: str
    state: str
    subject: str
    confidence: int
    pinned: bool
    via: str
    author: UUID | None
    source_task: UUID
    sources: list[SourceOut]
    integrity: str
    training: str
    valid_from: datetime | None
    valid_to: datetime | None
    expires_at: datetime | None
    contradicts: UUID | None
    generation: int
    created_at: datetime
    updated_at: datetime


class ItemMadeOut(BaseModel):
    """An item that is kept. `existing`: it was remembered already."""

    item: UUID
    existing: bool = False
    state: str = "live"
    generation: int = 0


class ForgottenOut(BaseModel):
    """How much went."""

    items: int


class SwitchedOut(BaseModel):
    """Whether memory is used."""

    on: bool
    thread: UUID | None


@router.get("")
async def every(web: Here, person: MemoryReader, project: UUID) -> list[ItemOut]:
    """All that is remembered."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        await queries.project_by_id(session, keyring, ProjectId(project))
        found = await items.list_items(
            session, keyring, ProjectId(project), reader=person.person, now=web.house.clock.now()
        )
    return [_out(each) for each in found]


@router.get("/proposals")
async def proposals(web: Here, person: MemoryReader, project: UUID) -> list[ItemOut]:
    """What waits for a person to agree."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        await queries.project_by_id(session, keyring, ProjectId(project))
        found = await items.list_proposals(
            session, keyring, ProjectId(project), reader=person.person, now=web.house.clock.now()
        )
    return [_out(each) for each in found]


@router.get("/export")
async def export(web: Here, person: MemoryReader, project: UUID) -> list[ItemOut]:
    """Everything remembered, proposals included, for its people to keep."""
    found = await web.house.commands.perform(ExportItems(principal=person.principal, project=ProjectId(project)))
    return [_out(each) for each in found.items]


@router.post("", status_code=201)
async def add(web: Here, person: MemoryReader, project: UUID, given: ItemIn) -> ItemMadeOut:
    """Remembers a text."""
    made = await web.house.commands.perform(
        Remember(
            principal=person.principal,
            project=ProjectId(project),
            text=given.text,
            kind=given.kind,
            subject=given.subject,
            expires_at=given.expires_at,
        )
    )
    return ItemMadeOut(item=made.item, existing=made.existing, state=made.state, generation=made.generation)


@router.put("/switch")
async def switch(web: Here, person: MemoryReader, project: UUID, given: SwitchIn) -> SwitchedOut:
    """Uses memory in the project or in one conversation, or no longer."""
    done = await web.house.commands.perform(
        SwitchMemory(
            principal=person.principal,
            project=ProjectId(project),
            on=given.on,
            thread=None if given.thread is None else ThreadId(given.thread),
        )
    )
    return SwitchedOut(on=done.on, thread=done.thread)


@router.patch("/{item}")
async def edit(web: Here, person: MemoryReader, project: UUID, item: UUID, given: TextIn) -> ItemMadeOut:
    """Changes the words of an item."""
    done = await web.house.commands.perform(
        EditItem(
            principal=person.principal,
            project=ProjectId(project),
            item=ItemId(item),
            text=given.text,
            expected=given.expected,
        )
    )
    return ItemMadeOut(item=done.item, generation=done.generation)


@router.put("/{item}/pin")
async def pin(web: Here, person: MemoryReader, project: UUID, item: UUID, given: PinIn) -> ItemMadeOut:
    """Has it recalled first always, or no longer."""
    done = await web.house.commands.perform(
        PinItem(principal=person.principal, project=ProjectId(project), item=ItemId(item), pinned=given.pinned)
    )
    return ItemMadeOut(item=done.item, generation=done.generation)


@router.post("/{item}/accept")
async def accept(web: Here, person: MemoryReader, project: UUID, item: UUID, given: AcceptIn) -> ItemMadeOut:
    """Agrees to a proposal."""
    done = await web.house.commands.perform(
        AcceptItem(principal=person.principal, project=ProjectId(project), item=ItemId(item), replace=given.replace)
    )
    return ItemMadeOut(item=done.item, state=done.state, generation=done.generation)


@router.post("/{item}/decline")
async def decline(web: Here, person: MemoryReader, project: UUID, item: UUID) -> ForgottenOut:
    """Erases a proposal."""
    action = DeclineItem(principal=person.principal, project=ProjectId(project), item=ItemId(item))
    return ForgottenOut(items=(await web.house.commands.perform(action)).items)


@router.delete("/{item}")
async def forget(web: Here, person: MemoryReader, project: UUID, item: UUID) -> ForgottenOut:
    """Forgets an item for good."""
    action = ForgetItem(principal=person.principal, project=ProjectId(project), item=ItemId(item))
    return ForgottenOut(items=(await web.house.commands.perform(action)).items)


def _out(each: RecalledItem) -> ItemOut:
    return ItemOut(
        item=each.item,
        text=each.text,
        kind=each.kind,
        state=each.state,
        subject=each.subject,
        confidence=each.confidence,
        pinned=each.pinned,
        via=each.via,
        author=each.author,
        source_task=each.source_task,
        sources=[
            SourceOut(kind=span.kind.value, source=span.source, start=span.start, end=span.end) for span in each.sources
        ],
        integrity=each.label.integrity.value,
        training=each.label.training.value,
        valid_from=each.valid_from,
        valid_to=each.valid_to,
        expires_at=each.expires_at,
        contradicts=each.contradicts,
        generation=each.generation,
        created_at=each.created_at,
        updated_at=each.updated_at,
    )
