"""Checks the whole journal of an organisation against its own heads, a batch at a time.

Opens no key and reads no content: ciphertexts are hashed by the database. What has gone with its retention is not missed.
"""

import hashlib
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId, minted_at
from traces import verify
from traces.ending.rules import CLASSES
from traces.proof import notes
from traces.proof.leaves import seal_from
from traces.proof.merkle import EMPTY, Edge, leaf_hash
from traces.proof.signing import PublicKey
from traces.records import GENESIS

ROWS_AT_ONCE: Final = 5_000
MOST_PROBLEMS: Final = 100  # that are told one by one

_HEADS = text(
    "SELECT retention, day, size, root, note FROM trace_head WHERE org_id = :org ORDER BY retention, day, size"
)
_LEAVES = text(
    "SELECT retention, day, position, task_id, rows, head, at FROM trace_seal WHERE org_id = :org"
    " AND retention = :retention AND day = :day AND position >= :first ORDER BY position LIMIT :many"
)
_ORPHANS = text(
    "SELECT DISTINCT task_id, retention, day FROM trace_seal s WHERE org_id = :org AND NOT EXISTS"
    " (SELECT FROM trace_chain c WHERE c.org_id = s.org_id AND c.task_id = s.task_id) LIMIT 1000"
)
_CHAINS = text(
    "SELECT task_id, retention, started_at, next_seq, head FROM trace_chain"
    " WHERE org_id = :org AND task_id > :after ORDER BY task_id LIMIT 500"
)
_WHERE = " WHERE org_id = :org AND task_id = ANY(:tasks) AND retention = ANY(:classes) AND at >= :since ORDER BY task_id, seq"
_ROWS = text(f"SELECT task_id, seq, head, hash FROM trace_event{_WHERE}")
_CIPHERTEXTS = text(f"SELECT task_id, seq, field, sha256(sealed) AS digest FROM trace_content{_WHERE}")
_SEALS = text(
    "SELECT task_id, rows, head FROM trace_seal WHERE org_id = :org AND task_id = ANY(:tasks) ORDER BY task_id, rows"
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is not as it was written. `where`: a task's id, or the name of a tree."""

    where: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """How far the check has come. The last one is `done`; it found nothing wrong when `problems` is empty."""

    chains: int = 0
    rows: int = 0
    seals: int = 0
    heads: int = 0
    unsealed: int = 0  # chains that moved since they were last sealed: no head speaks for their last rows yet
    problems: tuple[Problem, ...] = field(default=())
    done: bool = False

    def with_problem(self, where: str, what: str) -> "Checked":
        if len(self.problems) >= MOST_PROBLEMS:
            return self
        return replace(self, problems=(*self.problems, Problem(where=where, what=what)))


async def verify_organisation(
    database: Database, clock: Clock, org: OrgId, *, keys: Sequence[PublicKey]
) -> AsyncIterator[Checked]:
    """Check every head, seal and row of `org`; says how far it has come after each batch, and ends with one `done`.

    What is written while it runs is checked as far as it was there when its batch was read.
    """
    check = _Check(org, keys, clock.now())
    async with database.read(org) as session:
        trees = await check.heads(session)
    yield check.found
    for retention, day, sizes in trees:
        async with database.read(org) as session:
            await check.leaves(session, retention, day, sizes)
        yield check.found
    async with database.read(org) as session:
        await check.orphans(session)
    after = UUID(int=0)
    while True:
        async with database.read(org) as session:
            last = await check.chains(session, after)
        if last is None:
            break
        after = last
        yield check.found
    yield replace(check.found, done=True)


class _Check:
    """One organisation under examination."""

    def __init__(self, org: OrgId, keys: Sequence[PublicKey], now: datetime) -> None:
        self.found = Checked()
        self._org, self._today = org, now.date()
        self._keys = [key.public for key in keys]
        self._installation = notes.installation_of(self._keys[0]) if self._keys else ""

    def _wrong(self, where: str, what: str) -> None:
        self.found = self.found.with_problem(where, what)

    def _is_past(self, retention: str, day: date) -> bool:
        """Whether rows of that class and day may have gone. What is on hold is never past."""
        return retention in CLASSES and day < self._today - timedelta(days=CLASSES[retention])

    async def heads(self, session: AsyncSession) -> list[tuple[str, date, dict[int, bytes]]]:
        """Every head is signed, says what its row says and follows the one before. The trees, with root by size."""
        trees: list[tuple[str, date, dict[int, bytes]]] = []
        last: verify.Head | None = None
        for row in (await session.execute(_HEADS, {"org": self._org})).all():
            origin = notes.origin_of(self._installation, self._org, row.retention, row.day)
            if not trees or trees[-1][:2] != (row.retention, row.day):
                if not trees or trees[-1][0] != row.retention:
                    last = None
                trees.append((row.retention, row.day, {}))
            try:
                name = notes.name_of(self._installation)
                head = verify.head_of(verify.verified(row.note, name, self._keys, where=origin))
                if (head.origin, head.size, head.root) != (origin, row.size, bytes(row.root)):
                    raise verify.Broken(origin, "a head's row is not what was signed")
                self._follows(head, last, origin, is_past=self._is_past(row.retention, row.day))
                last = head
            except verify.Broken as problem:
                self._wrong(problem.where, problem.what)
            except ValueError:
                self._wrong(origin, "a head cannot be read")
            trees[-1][2][row.size] = bytes(row.root)
            self.found = replace(self.found, heads=self.found.heads + 1)
        return trees

    def _follows(self, head: verify.Head, last: verify.Head | None, origin: str, *, is_past: bool) -> None:
        if last is None or last.origin != head.origin:
            before = None if last is None else (last.origin, last.size, last.root)
            if head.before != before and not (last is None and head.before is not None and is_past):
                raise verify.Broken(origin, "it does not begin where the tree before it ended")
            if head.previous != (0, EMPTY) and not is_past:
                raise verify.Broken(origin, "its first head is missing")
        elif head.previous != (last.size, last.root):
            raise verify.Broken(origin, "a head is missing or does not follow the one before it")

    async def leaves(self, session: AsyncSession, retention: str, day: date, roots: dict[int, bytes]) -> None:
        """The seals of a tree give the root of each of its heads."""
        origin = notes.origin_of(self._installation, self._org, retention, day)
        which = {"org": self._org, "retention": retention, "day": day, "many": ROWS_AT_ONCE}
        edge, size = Edge(), max(roots)
        while edge.size < size:
            rows = (await session.execute(_LEAVES, {**which, "first": edge.size})).all()
            for row in rows:
                if row.position != edge.size:
                    break
                edge.add(leaf_hash(seal_from(self._org, row).leaf))
                if roots.get(edge.size, edge.root()) != edge.root():
                    return self._wrong(origin, "its seals are not those that were signed")
            if not rows or rows[-1].position != edge.size - 1:
                if not self._is_past(retention, day):
                    self._wrong(origin, "a seal is missing")
                return None
            self.found = replace(self.found, seals=self.found.seals + len(rows))
        return None

    async def orphans(self, session: AsyncSession) -> None:
        """A chain that was sealed is there until its time is over: counted from its beginning, which its id tells."""
        for row in (await session.execute(_ORPHANS, {"org": self._org})).all():
            begun = minted_at(row.task_id).date() if row.task_id.version == 7 else row.day
            if row.retention in CLASSES and not self._is_past(row.retention, min(begun, row.day)):
                self._wrong(str(row.task_id), "it was sealed, and its record is gone")

    async def chains(self, session: AsyncSession, after: UUID) -> UUID | None:
        """The next chains: rows follow each other, and are those that were sealed. The last one looked at, if any."""
        found = (await session.execute(_CHAINS, {"org": self._org, "after": after})).all()
        chosen: list[Any] = []
        for row in found:
            if chosen and sum(each.next_seq for each in chosen) + row.next_seq > ROWS_AT_ONCE:
                break
            chosen.append(row)
        if not chosen:
            return None
        which = {
            "org": self._org,
            "tasks": [each.task_id for each in chosen],
            "classes": list({each.retention for each in chosen}),
            "since": min(each.started_at for each in chosen),
        }
        rows, digests, seals = defaultdict(list), defaultdict(dict), defaultdict(dict)  # type: ignore[var-annotated]
        for row in (await session.execute(_ROWS, which)).all():
            rows[row.task_id].append((row.seq, bytes(row.head), bytes(row.hash)))
        for row in (await session.execute(_CIPHERTEXTS, which)).all():
            digests[row.task_id].setdefault(row.seq, {})[row.field] = bytes(row.digest).hex()
        for row in (await session.execute(_SEALS, {"org": self._org, "tasks": which["tasks"]})).all():
            seals[row.task_id][row.rows] = bytes(row.head)
        checked = unsealed = 0
        for each in chosen:
            there, sealed = rows[each.task_id], seals[each.task_id]
            if self._is_past(each.retention, each.started_at.date()) and len(there) < each.next_seq:
                continue
            wrong = _wrong_with(there, digests[each.task_id], sealed, each.next_seq, bytes(each.head))
            if wrong is not None:
                self._wrong(str(each.task_id), wrong)
            checked += len(there)
            unsealed += each.next_seq not in sealed
        self.found = replace(
            self.found,
            chains=self.found.chains + len(chosen),
            rows=self.found.rows + checked,
            unsealed=self.found.unsealed + unsealed,
        )
        last: UUID = chosen[-1].task_id
        return last


def _wrong_with(
    rows: Sequence[tuple[int, bytes, bytes]],
    digests: dict[int, dict[str, str]],
    seals: dict[int, bytes],
    many: int,
    last: bytes,
) -> str | None:
    """What is wrong with the rows of one chain, in words."""
    previous = GENESIS
    for number, (seq, head, stored) in enumerate(rows[:many]):  # what came since the chain's row was read is left
        said = orjson.loads(head)
        if seq != number or said["seq"] != number or said["prev"] != previous.hex():
            return f"row {number}: a row is missing, added or out of order"
        previous = hashlib.sha256(b"\x00" + head).digest()
        if stored != previous:
            return f"row {number}: it was altered"
        for name, digest in digests.get(seq, {}).items():
            if said["content"].get(name, {}).get("ct") != digest:
                return f"row {number}: its sealed content was altered"
        if seals.get(number + 1, previous) != previous:
            return f"row {number}: it is not the row that was sealed"
    if len(rows) < many or max(seals, default=0) > many:
        return "rows are missing at the end"
    return None if previous == last else "its last row is not the one that was written last"
