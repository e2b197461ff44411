"""Seals rows, gives them their place in the chain, and inserts them in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from joule.database.engine import Driver
from joule.kernel.errors import Fenced
from joule.kernel.ids import OrgId, TaskId
from joule.vault.keys import Keyring
from traces.errors import JournalDown
from traces.records import Record, Row, head_of, leaf, seal_entry

_INSERT = "SELECT journal_append(%s, %s, %s, %s, %s, %s, %b::bytea[], %s::int4[], %s::text[], %b::bytea[])"


_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Which chain, in which attempt, kept how long, sealed under whose key."""

    org: OrgId
    task: TaskId
    attempt: int
    retention: str
    subject: str


def place(row: Row, *, chain: Chain, keyring: Keyring, seq: int, previous: bytes) -> Record:
    """The row a row becomes at `seq`, after the row whose hash is `previous`."""
    sealed, entries = {}, {}
    for name, value in row.content.items():
        plain = _ENCODE(value).encode()
        sealed[name] = keyring.seal(plain, row=chain.task, field=name, generation=seq)
        commitment = keyring.commitment("trace", str(seq).encode(), name.encode(), plain)
        entries[name] = seal_entry(sealed[name], commitment, len(plain))
    head = head_of(org=chain.org, task=chain.task, seq=seq, row=row, content=entries, previous=previous)
    return Record(seq=seq, kind=row.kind, at=row.at, call=row.call, head=head, hash=leaf(head), sealed=sealed)


async def insert(connection: Driver, chain: Chain, records: Sequence[Record]) -> None:
    """Insert rows that follow on. Raises `Fenced` when they do not, `JournalDown` when nothing can be written."""
    contents = [(record.seq, name, sealed) for record in records for name, sealed in record.sealed.items()]
    arguments = (
        chain.org,
        chain.task,
        chain.attempt,
        chain.retention,
        chain.subject,
        records[0].seq,
        [record.head for record in records],
        [seq for seq, _, _ in contents],
        [name for _, name, _ in contents],
        [sealed for _, _, sealed in contents],
    )
    try:
        await connection.execute(_INSERT, arguments, prepare=True)
    except psycopg.errors.CheckViolation as problem:
        raise JournalDown("today's partition of the journal") from problem
    except psycopg.Error as problem:
        if problem.sqlstate == "JL001":
            raise Fenced() from problem
        raise JournalDown() from problem
