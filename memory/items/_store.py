"""Keeps remembered items. Texts are sealed; the same text is kept once; forgetting one removes its row.

Recalling opens all items of the project in this process, at most `MAX_ITEMS`, and ranks them there.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import Conflict, Invalid, NotFound
from joule.kernel.ids import ItemId, OrgId, PersonId, ProjectId, new_id
from joule.kernel.label import join
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal
from joule.vault.keys import Keyring
from memory import _labels, _words
from memory._ranking import ranked
from memory.errors import TooMuch
from memory.items.actions import EditItem, ForgetItem, PinItem, Remember
from memory.items.results import Forgotten, Recalled, RecalledItem, Remembered
from memory.tables import MemoryItemRow

MAX_ITEMS = 2_000  # in a project
MAX_RECALLED = 50  # for one query, pinned ones not counted
MAX_PINNED = 20
_TEXT = "memory_item.text"


async def remember(
    session: WriteSession, keyring: Keyring, permit: Permit, action: Remember, project: ProjectId, now: datetime
) -> Remembered:
    principal, text = action.principal, _words.item_text(action.text)
    if action.expires_at is not None and (action.expires_at.tzinfo is None or action.expires_at <= now):
        raise Invalid("an item cannot end in the past", advice="Give a later date, with its time zone.")
    await _one_at_a_time(session, project)
    key = _key(keyring, project, text)
    known = await session.scalar(
        select(MemoryItemRow).where(*_of(principal.org, project), col(MemoryItemRow.text_key) == key).with_for_update()
    )
    if known is not None and not _labels.may_read(known, principal.person):
        raise Conflict("remembered item")
    if known is not None and _is_live(known, now):
        if known.id == action.replaces:
            raise Invalid("an item cannot replace itself", advice="Remember something else, or leave it as it is.")
        await _supersede(session, permit, action, known.id, now)
        return _kept(known, keyring, existing=True)
    if known is not None:
        await session.delete(known)
        await session.flush()
    count = await session.scalar(select(func.count()).where(*_of(principal.org, project)))
    if (count or 0) >= MAX_ITEMS:
        raise TooMuch(f"{MAX_ITEMS} items are remembered already", advice="Forget some that are no longer needed.")
    item = new_id()
    row = MemoryItemRow(
        org_id=principal.org,
        id=item,
        project_id=project,
        kind=action.kind.value,
        text=keyring.seal_text(text, row=item, field=_TEXT),
        text_key=key,
        expires_at=action.expires_at,
        created_at=now,
        updated_at=now,
        decision_id=permit.decision,
        **_labels.columns(_labels.of_item(action.label, permit=permit), principal=principal, permit=permit),
    )
    session.add(row)
    await session.flush()
    await _supersede(session, permit, action, item, now)
    return _kept(row, keyring)


async def edit(
    session: WriteSession, keyring: Keyring, permit: Permit, action: EditItem, project: ProjectId, now: datetime
) -> Remembered:
    text = _words.item_text(action.text)
    await _one_at_a_time(session, project)
    row = await _locked(session, action.principal, project, action.item, now)
    key = _key(keyring, project, text)
    twin = await session.scalar(
        select(MemoryItemRow).where(*_of(row.org_id, project), col(MemoryItemRow.text_key) == key)
    )
    if twin is not None and twin.id != row.id:
        if _is_live(twin, now):
            raise Invalid("this is remembered already", advice="Forget one of the two items.")
        if twin.superseded_by == row.id:
            await session.delete(twin)
            await session.flush()
        else:
            raise Conflict("item")
    # The new words are made from the old ones: what was untrusted is not made trusted by a correction.
    label = join([_labels.label_of(row), _labels.of_item(action.label)])
    row.generation += 1
    row.text = keyring.seal_text(text, row=row.id, field=_TEXT, generation=row.generation)
    row.text_key, row.updated_at, row.decision_id = key, now, permit.decision
    for name, value in _labels.columns(label, principal=action.principal, permit=permit).items():
        setattr(row, name, value)
    await session.flush()
    return _kept(row, keyring)


async def pin(
    session: WriteSession, keyring: Keyring, permit: Permit, action: PinItem, project: ProjectId, now: datetime
) -> Remembered:
    await _one_at_a_time(session, project)
    row = await _locked(session, action.principal, project, action.item, now)
    if action.pinned and not row.pinned:
        pinned = await session.scalar(
            select(func.count()).where(*_of(row.org_id, project), col(MemoryItemRow.pinned).is_(True))
        )
        if (pinned or 0) >= MAX_PINNED:
            raise TooMuch(f"{MAX_PINNED} items are pinned already", advice="Unpin another item first.")
    row.pinned, row.updated_at, row.decision_id = action.pinned, now, permit.decision
    await session.flush()
    return _kept(row, keyring)


async def forget(session: WriteSession, action: ForgetItem, project: ProjectId, now: datetime) -> Forgotten:
    await _one_at_a_time(session, project)
    row = await _locked(session, action.principal, project, action.item, now)
    before = await session.scalar(select(func.count()).where(*_of(row.org_id, project)))
    await session.delete(row)  # what it had replaced goes with it, by the foreign key
    await session.flush()
    after = await session.scalar(select(func.count()).where(*_of(row.org_id, project)))
    return Forgotten(items=(before or 0) - (after or 0))


async def all_of(
    session: AsyncSession, keyring: Keyring, project: ProjectId, reader: PersonId | None, now: datetime
) -> tuple[RecalledItem, ...]:
    """Everything live that `reader` may read: pinned first, then newest first."""
    rows = await session.scalars(
        select(MemoryItemRow)
        .where(*_of(keyring.org, project), *_live(now))
        .order_by(col(MemoryItemRow.pinned).desc(), col(MemoryItemRow.created_at).desc(), col(MemoryItemRow.id).desc())
    )
    readable = [row for row in rows if _labels.may_read(row, reader)]
    return await asyncio.to_thread(_opened, readable, keyring)


async def recall(
    session: AsyncSession,
    keyring: Keyring,
    project: ProjectId,
    reader: PersonId | None,
    now: datetime,
    *,
    query: str,
    limit: int,
    with_pinned: bool = True,
) -> Recalled:
    """The pinned items, then at most `limit` that fit. Without `with_pinned` a pinned item has to fit as well."""
    items = await all_of(session, keyring, project, reader, now)
    pinned = [one for one in items if one.pinned and with_pinned]
    others = [one for one in items if not (one.pinned and with_pinned)]
    most = max(1, min(limit, MAX_RECALLED))
    if query.strip():
        others = [others[at] for at in await ranked(session, query, [one.text for one in others])]
    return answer((*pinned, *others[:most]))


def answer(items: Sequence[RecalledItem]) -> Recalled:
    """Items with the join of their labels."""
    return Recalled(items=tuple(items), label=_labels.of_all(item.label for item in items))


async def sweep(session: WriteSession, org: OrgId, now: datetime, *, most: int) -> int:
    """Erase at most `most` items past their date."""
    due = (
        select(col(MemoryItemRow.id))
        .where(col(MemoryItemRow.org_id) == org, col(MemoryItemRow.expires_at) <= now)
        .limit(most)
    )
    statement = delete(MemoryItemRow).where(col(MemoryItemRow.org_id) == org, col(MemoryItemRow.id).in_(due))
    return cast(CursorResult[Any], await session.execute(statement)).rowcount


def _of(org: OrgId | Any, project: ProjectId) -> tuple[Any, ...]:
    return col(MemoryItemRow.org_id) == org, col(MemoryItemRow.project_id) == project


def _live(now: datetime) -> tuple[Any, ...]:
    ends = col(MemoryItemRow.expires_at)
    return col(MemoryItemRow.superseded_by).is_(None), or_(ends.is_(None), ends > now)


def _is_live(row: MemoryItemRow, now: datetime) -> bool:
    return row.superseded_by is None and (row.expires_at is None or row.expires_at > now)


def _key(keyring: Keyring, project: ProjectId, text: str) -> bytes:
    return keyring.commitment(_TEXT, project.bytes, _words.sameness(text))


async def _one_at_a_time(session: WriteSession, project: ProjectId) -> None:
    """Two tasks that remember at once must see each other's texts and counts."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"memory:{project}", 0))))


async def _locked(
    session: WriteSession, principal: Principal, project: ProjectId, item: ItemId, now: datetime
) -> MemoryItemRow:
    row = await session.scalar(
        select(MemoryItemRow)
        .where(*_of(principal.org, project), col(MemoryItemRow.id) == item, *_live(now))
        .with_for_update()
    )
    if row is None or not _labels.may_read(row, principal.person):
        raise NotFound("remembered item")
    return row


async def _supersede(session: WriteSession, permit: Permit, action: Remember, item: Any, now: datetime) -> None:
    if action.replaces is None:
        return
    row = await _locked(session, action.principal, cast(ProjectId, action.project), action.replaces, now)
    row.superseded_by, row.pinned, row.updated_at, row.decision_id = item, False, now, permit.decision
    await session.flush()


def _kept(row: MemoryItemRow, keyring: Keyring, *, existing: bool = False) -> Remembered:
    return Remembered(
        item=ItemId(row.id),
        text=keyring.open_text(row.text, row=row.id, field=_TEXT, generation=row.generation),
        kind=row.kind,
        pinned=row.pinned,
        label=_labels.label_of(row),
        existing=existing,
    )


def _opened(rows: Sequence[MemoryItemRow], keyring: Keyring) -> tuple[RecalledItem, ...]:
    return tuple(
        RecalledItem(
            item=ItemId(row.id),
            text=keyring.open_text(row.text, row=row.id, field=_TEXT, generation=row.generation),
            kind=row.kind,
            pinned=row.pinned,
            author=None if row.author is None else PersonId(row.author),
            via=row.via,
            source_task=row.source_task,
            created_at=row.created_at,
            updated_at=row.updated_at,
            label=_labels.label_of(row),
        )
        for row in rows
    )
