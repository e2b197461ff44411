"""Reads remembered items: opens all of a project's in this process, at most `MAX_ITEMS`, and ranks them there."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.kernel.ids import ItemId, OrgId, PersonId, ProjectId
from joule.vault.keys import Keyring
from memory import _labels
from memory._ranking import ranked
from memory.items import _sources
from memory.items.kinds import ItemState
from memory.items.results import Recalled, RecalledItem, SourceSpan
from memory.tables import MemoryItemRow

MAX_RECALLED = 50  # for one query, pinned ones not counted
TEXT = "memory_item.text"
SUBJECT = "memory_item.subject"


async def all_of(
    session: AsyncSession,
    keyring: Keyring,
    project: ProjectId,
    reader: PersonId | None,
    now: datetime,
    *,
    state: ItemState | None = ItemState.LIVE,
    holding: bool = False,
) -> tuple[RecalledItem, ...]:
    """Every item `reader` may read that is not replaced or past its end: pinned first, then newest first.

    `state` None: proposals as well. `holding`: only those that hold now.
    """
    item = MemoryItemRow
    wanted = [*of(keyring.org, project), *current(now)]
    if state is not None:
        wanted.append(col(item.state) == state.value)
    if holding:
        since, until = col(item.valid_from), col(item.valid_to)
        wanted += [or_(since.is_(None), since <= now), or_(until.is_(None), until > now)]
    rows = await session.scalars(
        select(item).where(*wanted).order_by(col(item.pinned).desc(), col(item.created_at).desc(), col(item.id).desc())
    )
    readable = [row for row in rows if _labels.may_read(row, reader)]
    sources = await _sources.of_items(session, keyring.org, [row.id for row in readable])
    return await asyncio.to_thread(_opened, readable, sources, keyring)


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
    items = await all_of(session, keyring, project, reader, now, holding=True)
    pinned = [one for one in items if one.pinned and with_pinned]
    others = [one for one in items if not (one.pinned and with_pinned)]
    most = max(1, min(limit, MAX_RECALLED))
    if query.strip():
        others = [others[at] for at in await ranked(session, query, [f"{one.subject} {one.text}" for one in others])]
    return answer((*pinned, *others[:most]))


def answer(items: Sequence[RecalledItem]) -> Recalled:
    """Items with the join of their labels."""
    return Recalled(items=tuple(items), label=_labels.of_all(item.label for item in items))


def of(org: OrgId | Any, project: ProjectId) -> tuple[Any, ...]:
    """Which items are the project's."""
    return col(MemoryItemRow.org_id) == org, col(MemoryItemRow.project_id) == project


def current(now: datetime) -> tuple[Any, ...]:
    """Which items are neither replaced nor past their end."""
    ends = col(MemoryItemRow.expires_at)
    return col(MemoryItemRow.superseded_by).is_(None), or_(ends.is_(None), ends > now)


def is_current(row: MemoryItemRow, now: datetime) -> bool:
    """The same of a row that was read."""
    return row.superseded_by is None and (row.expires_at is None or row.expires_at > now)


def text_of(row: MemoryItemRow, keyring: Keyring) -> str:
    """What the item says."""
    return keyring.open_text(row.text, row=row.id, field=TEXT, generation=row.generation)


def subject_of(row: MemoryItemRow, keyring: Keyring) -> str:
    """What the item is about; empty when nobody has said."""
    if row.subject is None:
        return ""
    return keyring.open_text(row.subject, row=row.id, field=SUBJECT, generation=row.generation)


def _opened(
    rows: Sequence[MemoryItemRow], sources: Mapping[UUID, tuple[SourceSpan, ...]], keyring: Keyring
) -> tuple[RecalledItem, ...]:
    return tuple(
        RecalledItem(
            item=ItemId(row.id),
            text=text_of(row, keyring),
            kind=row.kind,
            pinned=row.pinned,
            author=None if row.author is None else PersonId(row.author),
            via=row.via,
            source_task=row.source_task,
            created_at=row.created_at,
            updated_at=row.updated_at,
            label=_labels.label_of(row),
            state=row.state,
            subject=subject_of(row, keyring),
            confidence=row.confidence,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            expires_at=row.expires_at,
            contradicts=None if row.contradicts is None else ItemId(row.contradicts),
            generation=row.generation,
            sources=sources.get(row.id, ()),
        )
        for row in rows
    )
