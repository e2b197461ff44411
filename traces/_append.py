"""Seals drafts, gives them their place in the chain, and inserts them in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from joule.database.engine import Driver
from joule.kernel.errors import Fenced
from joule.kernel.ids import OrgId, TaskId
from joule.vault.keys import Keyring
from traces.errors import JournalDown
from traces.records import Draft, Record, head_of, leaf, seal_entry

_INSERT = (
    "SELECT journal_append(%s, %s, %s, %s, %s, %s::int4[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], "
    "%s::text[], %b::bytea[], %b::bytea[], %s::int4[], %s::timestamptz[], %s::text[], %b::bytea[])"
)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Which chain, in which attempt, kept how long, sealed under whose key."""

    org: OrgId
    task: TaskId
    attempt: int
    retention: str
    subject: str


def place(draft: Draft, *, chain: Chain, keyring: Keyring, seq: int, previous: bytes) -> Record:
    """The row a draft becomes at `seq`, after the row whose hash is `previous`."""
    sealed, entries = {}, {}
    for name, value in draft.content.items():
        plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        sealed[name] = keyring.seal(plain, row=chain.task, field=name, generation=seq)
        commitment = keyring.commitment("trace", str(seq).encode(), name.encode(), plain)
        entries[name] = seal_entry(sealed[name], commitment, len(plain))
    head = head_of(org=chain.org, task=chain.task, seq=seq, draft=draft, content=entries, previous=previous)
    return Record(seq=seq, kind=draft.kind, at=draft.at, call=draft.call, head=head, hash=leaf(head), sealed=sealed)


async def insert(connection: Driver, chain: Chain, drafts: Sequence[Draft], records: Sequence[Record]) -> None:
    """Insert rows that follow on. Raises `Fenced` when they do not, `JournalDown` when nothing can be written."""
    contents = [(r.seq, r.at, name, sealed) for r in records for name, sealed in r.sealed.items()]
    arguments = (
        chain.org,
        chain.task,
        chain.attempt,
        chain.retention,
        chain.subject,
        [r.seq for r in records],
        [r.at for r in records],
        [r.kind.value for r in records],
        [r.call for r in records],
        [d.attrs.get("action") for d in drafts],
        [d.attrs.get("decision") for d in drafts],
        [r.head for r in records],
        [r.hash for r in records],
        [c[0] for c in contents],
        [c[1] for c in contents],
        [c[2] for c in contents],
        [c[3] for c in contents],
    )
    try:
        await connection.execute(_INSERT, arguments, prepare=True)
    except psycopg.errors.CheckViolation as problem:
        raise JournalDown("today's partition of the journal") from problem
    except psycopg.Error as problem:
        if problem.sqlstate == "JL001":
            raise Fenced() from problem
        raise JournalDown() from problem
