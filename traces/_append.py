"""Seals rows, gives them their place in the chain, and inserts them in one statement."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from pydantic_core import to_json

from joule.database.engine import Driver
from joule.database.prepared import Prepared, array, integer
from joule.kernel.errors import Fenced
from joule.kernel.ids import OrgId, TaskId
from joule.vault.keys import Keyring
from traces.errors import JournalDown
from traces.records import Record, Row, head_of, leaf, seal_entry

_INSERT = Prepared(
    "journal_append",
    "SELECT journal_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    *("uuid", "uuid", "integer", "text", "text", "integer", "bytea[]", "integer[]", "text[]", "bytea[]"),
)


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
        plain = to_json(value, inf_nan_mode="constants")
        sealed[name] = keyring.seal(plain, row=chain.task, field=name, generation=seq)
        commitment = hmac.digest(proving_key(keyring, seq, name), plain, "sha256")
        entries[name] = seal_entry(sealed[name], commitment, len(plain))
    head = head_of(org=chain.org, task=chain.task, seq=seq, row=row, content=entries, previous=previous)
    return Record(seq=seq, kind=row.kind, at=row.at, call=row.call, head=head, hash=leaf(head), sealed=sealed)


def proving_key(keyring: Keyring, seq: int, name: str) -> bytes:
    """The key of one field's commitment: whoever is given it can check that one field against its head, and no other."""
    return keyring.commitment("trace", str(seq).encode(), name.encode())


async def insert(connection: Driver, chain: Chain, records: Sequence[Record]) -> None:
    """Insert rows that follow on. Raises `Fenced` when they do not, `JournalDown` when nothing can be written."""
    contents = [(record.seq, name, sealed) for record in records for name, sealed in record.sealed.items()]
    try:
        await _INSERT.execute(
            connection,
            chain.org.bytes,
            chain.task.bytes,
            integer(chain.attempt),
            chain.retention.encode(),
            chain.subject.encode(),
            integer(records[0].seq),
            array("bytea[]", [record.head for record in records]),
            array("integer[]", [integer(seq) for seq, _, _ in contents]),
            array("text[]", [name.encode() for _, name, _ in contents]),
            array("bytea[]", [sealed for _, _, sealed in contents]),
        )
    except psycopg.errors.CheckViolation as problem:
        raise JournalDown("today's partition of the journal") from problem
    except psycopg.Error as problem:
        if problem.sqlstate == "JL001":
            raise Fenced() from problem
        raise JournalDown() from problem
