"""What is remembered in a project."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from joule.kernel.ids import ItemId, ProjectId
from joule.web.access import Here, MemoryReader
from memory import queries
from memory.actions import EditItem, ForgetItem, Remember
from memory.kinds import ItemKind

router = APIRouter(prefix="/api/v1/projects/{project}/memory")


class ItemIn(BaseModel):
    """A text to remember."""

    text: str
    kind: ItemKind = ItemKind.FACT


class TextIn(BaseModel):
    """Another text for an item."""

    text: str


class ItemOut(BaseModel):
    """A remembered item with where it came from."""

    item: UUID
    text: str
    kind: str
    pinned: bool
    via: str
    source_task: UUID
    integrity: str
    created_at: datetime
    updated_at: datetime


class ItemMadeOut(BaseModel):
    """An item that is kept. `existing`: it was remembered already."""

    item: UUID
    existing: bool = False


class ForgottenOut(BaseModel):
    """How much went."""

    items: int


@router.get("")
async def every(web: Here, person: MemoryReader, project: UUID) -> list[ItemOut]:
    """All that is remembered."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        await queries.project_by_id(session, keyring, ProjectId(project))
        found = await queries.list_items(
            session, keyring, ProjectId(project), reader=person.person, now=web.house.clock.now()
        )
    return [
        ItemOut(
            item=each.item,
            text=each.text,
            kind=each.kind,
            pinned=each.pinned,
            via=each.via,
            source_task=each.source_task,
            integrity=each.label.integrity.value,
            created_at=each.created_at,
            updated_at=each.updated_at,
        )
        for each in found
    ]


@router.post("", status_code=201)
async def add(web: Here, person: MemoryReader, project: UUID, given: ItemIn) -> ItemMadeOut:
    """Remembers a text."""
    action = Remember(principal=person.principal, project=ProjectId(project), text=given.text, kind=given.kind)
    made = await web.house.commands.perform(action)
    return ItemMadeOut(item=made.item, existing=made.existing)


@router.patch("/{item}")
async def edit(web: Here, person: MemoryReader, project: UUID, item: UUID, given: TextIn) -> ItemMadeOut:
    """Changes the words of an item."""
    action = EditItem(principal=person.principal, project=ProjectId(project), item=ItemId(item), text=given.text)
    return ItemMadeOut(item=(await web.house.commands.perform(action)).item)


@router.delete("/{item}")
async def forget(web: Here, person: MemoryReader, project: UUID, item: UUID) -> ForgottenOut:
    """Forgets an item for good."""
    action = ForgetItem(principal=person.principal, project=ProjectId(project), item=ItemId(item))
    return ForgottenOut(items=(await web.house.commands.perform(action)).items)
