"""How long it takes to judge a million recorded decisions again under a draft, and how much memory that needs."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo

from joule.assembly import House, open_house
from joule.bench import _recorded
from joule.bench._ground import Ground, ground
from joule.bench.report import Bound, Report
from joule.governance.policy import Policy
from joule.governance.rules.actions import DraftPolicy
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.principal import Principal
from joule.replay import queries
from joule.replay.actions import BeginWhatIf, GoOnWithWhatIf
from joule.replay.judging import Change, Word, judge
from traces.records import Kind, Row, head_of, leaf

DAYS = 30
TASK = 10  # decisions of one task
SENDS = "integrations.send_to_provider"
DRAFT = (
    f'@id("a") @reason("nothing leaves") forbid (principal, action == Joule::Action::"{SENDS}", resource);'
    '@id("b") @reason("look first") forbid (principal, action == Joule::Action::"memory.write_file", resource) '
    "unless { context.approved };"
)
ACTIONS = {
    "llm.generate": "model",
    "memory.list_files": "read",
    "memory.read_file": "read",
    "memory.recall": "read",
    "memory.search_knowledge": "read",
    "memory.write_file": "write",
    "memory.remember": "write",
    "integrations.read_from_provider": "read",
    SENDS: "send",
    "sandbox.run_python": "run",
}
TARGETS: dict[str, Bound] = {"seconds": {"max": 15.0}, "miscounted": {"max": 0}}


async def run(*, quick: bool, decisions: int = 0, **_: object) -> Report:
    """Decisions of ten actions with all the facts they can have, over thirty days, in one organisation."""
    many = decisions or (50_000 if quick else 1_000_000)
    async with ground() as here, open_house(here.settings, model=_recorded.Walk()) as house:
        owner, _project = await _recorded.found(house)
        expected = await asyncio.to_thread(_load, here, owner.org, house.policy, many)
        draft = await house.commands.perform(DraftPolicy(principal=owner, text=DRAFT))
        with _Weighing() as weighing:
            began, busy = time.perf_counter(), time.process_time()
            found = await _asked(house, owner, draft.version)
            took, busy = time.perf_counter() - began, time.process_time() - busy
    denied, asked = found.count(Change.DENIED), found.count(Change.ASKED)
    return Report(
        name="what-if",
        figures={
            "decisions": found.decisions,
            "seconds": round(took, 2),
            "python_seconds": round(busy, 2),
            "per_s": round(found.decisions / took),
            "peak_mb": round(weighing.peak / 2**20, 1),
            "grown_mb": round((weighing.peak - weighing.start) / 2**20, 1),
            "would_be_denied": denied,
            "would_be_asked": asked,
            "miscounted": abs(denied - expected[Word.DENY]) + abs(asked - expected[Word.ASK]),
        },
        targets=TARGETS,
        notes=(
            f"decisions of {len(ACTIONS)} actions over {DAYS} days in partitions of a week, loaded by COPY; judged through "
            "the gate piece by piece under a draft of two policies; memory is what this process holds, PostgreSQL apart; "
            "miscounted against a judgement of every single decision while they were loaded"
        ),
    )


async def _asked(house: House, owner: Principal, version: UUID) -> queries.WhatIfView:
    begun = await house.commands.perform(BeginWhatIf(principal=owner, days=DAYS, version=version))
    how_far = begun
    while not how_far.done:
        how_far = await house.commands.perform(GoOnWithWhatIf(principal=owner, what_if=begun.what_if))
    async with house.database.read(owner.org) as session:
        return await queries.what_if(session, owner.org, begun.what_if)


def _load(here: Ground, org: OrgId, base: Policy, many: int) -> dict[Word, int]:
    """Put `many` decisions into the journal; how many of them the draft denies and asks about, one by one."""
    policy = base.restricted(DRAFT, prefix="own.v1")
    changed = {Word.DENY: 0, Word.ASK: 0}
    superuser = make_conninfo(here.address.owner_url, user="postgres")  # row-level security refuses COPY FROM
    now = datetime.now(UTC)
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(
            "SELECT trace_ensure_partitions('90d', %s, %s)", [now - timedelta(days=DAYS + 1), now + timedelta(days=1)]
        )
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY trace_event (org_id, task_id, seq, retention, at, kind, call, action, decision, head, hash) "
                "FROM STDIN (FORMAT BINARY)"
            ) as copy,
        ):
            copy.set_types(["uuid", "uuid", "int4", "text", "timestamptz", *["text"] * 4, "bytea", "bytea"])
            for task, seq, row in _decisions(many, now):
                attrs = row.attrs
                then, word = Word(attrs["decision"]), judge(policy, attrs["action"], attrs["facts"]).word
                if word is not then and word in changed:
                    changed[word] += 1
                head = head_of(org=org, task=task, seq=seq, row=row, content={}, previous=bytes(32))
                copy.write_row(
                    (
                        org,
                        task,
                        seq,
                        "90d",
                        row.at,
                        row.kind.value,
                        row.call,
                        attrs["action"],
                        then.value,
                        head,
                        leaf(head),
                    )
                )
        connection.execute("VACUUM ANALYZE trace_event")
    return changed


def _decisions(many: int, now: datetime) -> Iterator[tuple[TaskId, int, Row]]:
    drawn = random.Random(20_261_122)
    start, names = now - timedelta(days=DAYS) + timedelta(minutes=5), sorted(ACTIONS)
    step = (timedelta(days=DAYS) - timedelta(minutes=10)) / many
    task = TaskId(new_id())
    for n in range(many):
        if n % TASK == 0:
            task = TaskId(new_id())
        action = drawn.choice(names)
        yield (
            task,
            n % TASK,
            Row(kind=Kind.INTENT, at=start + step * n, call=f"act/{n % TASK}/0", attrs=_attrs(drawn, action)),
        )


def _attrs(drawn: random.Random, action: str) -> dict[str, Any]:
    facts = {
        "role": drawn.choice(("owner", "admin", "member")),
        "via": "agent",
        "effect": ACTIONS[action],
        "purpose": "essential.service",
        "integrity": drawn.choice(("trusted", "untrusted")),
        "training": "denied",
        "provenance": drawn.choice(("words", "minted", "nothing", "elsewhere")),
        "approved": drawn.random() < 0.1,
    }
    return {
        "action": action,
        "effect": ACTIONS[action],
        "binding": f"{drawn.getrandbits(256):064x}",
        "bundle": "ab" * 32,
        "decision": "allow",
        "decision_id": str(new_id()),
        "policies": ["memory.agent-reads"],
        "facts": facts,
    }


class _Weighing:
    """The most memory this process held meanwhile."""

    def __enter__(self) -> "_Weighing":
        self.start = self.peak = _resident()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, _resident())


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096
