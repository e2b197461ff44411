"""Keeps what each item was made from, and says which items fall when some of that is erased.

Rows of one decision are one act of remembering: it needed all of its sources. An item that was remembered twice, from
different sources, stands on either act alone.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.ids import ItemId, OrgId, new_id
from joule.kernel.label import Integrity, Label
from joule.kernel.permit import Permit
from joule.kernel.principal import Via
from memory.items.kinds import SourceKind
from memory.items.results import SourceSpan
from memory.items.tables import ItemSourceRow

MOST = 40  # of one item; a text that is said again and again is not written down again and again
_NAMED = re.compile(r"(file|connection|document|message):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def of_act(given: Iterable[SourceSpan], *, label: Label, permit: Permit) -> tuple[SourceSpan, ...]:
    """Everything one act of remembering was made from.

    The agent's act comes from the message of its task, and, unless it repeats the person's own words, from whatever it
    had read: that stands in the label. A person's act comes from that person.
    """
    principal = permit.action.principal
    spans = list(given)
    if principal.via is Via.AGENT:
        spans.append(SourceSpan(kind=SourceKind.MESSAGE, source=permit.task))
    elif principal.person is not None:
        spans.append(SourceSpan(kind=SourceKind.PERSON, source=principal.person))
    if label.integrity is Integrity.UNTRUSTED:
        spans += named_in(label.sources)
    told = {(each.kind, each.source) for each in spans if each.start is not None}
    whole = dict.fromkeys(each for each in spans if each.start is not None or (each.kind, each.source) not in told)
    return tuple(whole)[:MOST]


def named_in(sources: Iterable[str]) -> list[SourceSpan]:
    """What a label's sources name of that which can be erased."""
    found = filter(None, map(_NAMED.fullmatch, sorted(sources)))
    return [SourceSpan(kind=SourceKind(each[1]), source=UUID(each[2])) for each in found]


def names(spans: Iterable[SourceSpan]) -> frozenset[str]:
    """As labels and tombstones name them."""
    return frozenset(f"{each.kind}:{each.source}" for each in spans)


async def add(session: WriteSession, org: OrgId, item: UUID, spans: Sequence[SourceSpan], *, decision: UUID) -> None:
    """Write down one act. One more than there is room for is not written down: the item then stands on the others."""
    there = (await of_items(session, org, [item])).get(item, ())
    if len(there) + len(spans) > MOST * 2:
        return
    for each in spans:
        session.add(
            ItemSourceRow(
                org_id=org,
                id=new_id(),
                item_id=item,
                kind=each.kind.value,
                source_id=each.source,
                start_at=each.start,
                end_at=each.end,
                decision_id=decision,
            )
        )
    await session.flush()


async def of_items(session: AsyncSession, org: OrgId, items: Collection[UUID]) -> dict[UUID, tuple[SourceSpan, ...]]:
    """The sources of each of these items, in the order they were written down, each once."""
    rows = await session.scalars(
        select(ItemSourceRow)
        .where(col(ItemSourceRow.org_id) == org, col(ItemSourceRow.item_id).in_(items))
        .order_by(col(ItemSourceRow.id))
    )
    found: dict[UUID, dict[SourceSpan, None]] = defaultdict(dict)
    for row in rows:
        span = SourceSpan(kind=SourceKind(row.kind), source=row.source_id, start=row.start_at, end=row.end_at)
        found[row.item_id][span] = None
    return {item: tuple(spans) for item, spans in found.items()}


async def fallen(session: WriteSession, org: OrgId, spans: Sequence[SourceSpan]) -> tuple[ItemId, ...]:
    """The items no act is left for once these sources are gone. Acts that needed one of them are taken away."""
    touched = await _rows(session, org, _any_of(spans))
    items = {row.item_id for row in touched}
    if not items:
        return ()
    every = await _rows(session, org, col(ItemSourceRow.item_id).in_(items))
    dead = {(row.item_id, row.decision_id) for row in touched}
    standing = {row.item_id for row in every if (row.item_id, row.decision_id) not in dead}
    lost = [row.id for row in every if (row.item_id, row.decision_id) in dead]
    await session.execute(
        delete(ItemSourceRow).where(col(ItemSourceRow.org_id) == org, col(ItemSourceRow.id).in_(lost))
    )
    return tuple(ItemId(item) for item in sorted(items - standing))


async def _rows(session: WriteSession, org: OrgId, which: object) -> Sequence[ItemSourceRow]:
    rows = await session.scalars(select(ItemSourceRow).where(col(ItemSourceRow.org_id) == org, which))  # type: ignore[arg-type]
    return rows.all()


def _any_of(spans: Sequence[SourceSpan]) -> object:
    by_kind: dict[str, list[UUID]] = defaultdict(list)
    for each in spans:
        by_kind[each.kind.value].append(each.source)
    kind, source = col(ItemSourceRow.kind), col(ItemSourceRow.source_id)
    return or_(*((kind == word) & source.in_(ids) for word, ids in by_kind.items()))
