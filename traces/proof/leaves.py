"""Reads what a proof is made of: the seals of a task, the trees they stand in, and the heads that speak for those."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.ids import OrgId, TaskId
from traces.proof import notes
from traces.proof.merkle import Tree, leaf_hash

_OF_TASK = text(
    "SELECT retention, day, position, task_id, rows, head, at FROM trace_seal"
    " WHERE org_id = :org AND task_id = :task AND rows <= :rows ORDER BY rows"
)
_OF_TREE = text(
    "SELECT retention, day, position, task_id, rows, head, at FROM trace_seal"
    " WHERE org_id = :org AND retention = :retention AND day = :day AND position < :size ORDER BY position"
)
_HEADS = text(
    "SELECT size, note FROM trace_head WHERE org_id = :org AND retention = :retention AND day = :day ORDER BY size"
)
_LATER = text(
    "SELECT DISTINCT ON (day) day, note FROM trace_head"
    " WHERE org_id = :org AND retention = :retention AND day > :day ORDER BY day, size DESC"
)


@dataclass(frozen=True, kw_only=True)
class Seal:
    """A leaf, in its place."""

    retention: str
    day: date
    position: int
    rows: int
    leaf: bytes


@dataclass(frozen=True, kw_only=True)
class SignedTree:
    """The tree of one class and day: its leaves up to its last head, and every head it ever had."""

    retention: str
    day: date
    tree: Tree
    heads: Sequence[tuple[int, str]]  # (size, note), growing

    @property
    def size(self) -> int:
        """How large it is by its last head."""
        return self.heads[-1][0]

    @property
    def is_whole(self) -> bool:
        """Whether all its leaves are still there."""
        return len(self.tree) == self.size


async def seals_of(session: AsyncSession, org: OrgId, task: TaskId, *, rows: int) -> list[Seal]:
    """The seals of a task that speak for at most `rows` rows, first first."""
    found = await session.execute(_OF_TASK, {"org": org, "task": task, "rows": rows})
    return [seal_from(org, row) for row in found.all()]


async def tree_of(session: AsyncSession, org: OrgId, retention: str, day: date) -> SignedTree:
    """A tree with its heads, up to its last one. Its seals may have gone with their retention: see `is_whole`."""
    which = {"org": org, "retention": retention, "day": day}
    heads = [(int(row.size), str(row.note)) for row in (await session.execute(_HEADS, which)).all()]
    size = heads[-1][0] if heads else 0
    rows = (await session.execute(_OF_TREE, {**which, "size": size})).all()
    leaves = [leaf_hash(seal_from(org, row).leaf) for row in rows]
    return SignedTree(retention=retention, day=day, tree=Tree(leaves), heads=heads)


async def later_ends(session: AsyncSession, org: OrgId, retention: str, day: date) -> list[tuple[date, str]]:
    """The last head of each day after `day`: each names the one before it."""
    found = await session.execute(_LATER, {"org": org, "retention": retention, "day": day})
    return [(row.day, str(row.note)) for row in found.all()]


def seal_from(org: OrgId, row: Any) -> Seal:
    """The leaf a row of `trace_seal` stands for."""
    at: datetime = row.at
    leaf = notes.seal_of(
        org=org, task=str(row.task_id), retention=row.retention, rows=row.rows, head=bytes(row.head), at=at
    )
    return Seal(retention=row.retention, day=row.day, position=row.position, rows=row.rows, leaf=leaf)
