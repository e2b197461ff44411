"""Keeps entries. Namespace, key and value are sealed together; a keyed hash of namespace and key finds them again.

Searching opens all entries of the project in this process, at most `MAX_ENTRIES`.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from typing import cast as as_type

from sqlalchemy import CursorResult, Text, cast, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import Conflict, Invalid
from joule.kernel.ids import OrgId, PersonId, ProjectId, new_id
from joule.kernel.permit import Permit
from joule.vault.keys import Keyring
from memory import _labels, gone
from memory._ranking import ranked
from memory.entries._matching import fits, is_like
from memory.entries.actions import DeleteEntry, ListNamespaces, PutEntry, SearchEntries
from memory.entries.results import Entries, Entry, EntryDeleted, EntryPut, Namespaces
from memory.entries.tables import MemoryEntryRow
from memory.errors import CardNumber, TooMuch
from memory.items import _sources
from memory.masking import Screen

MAX_ENTRIES = 2_000  # in a project
MAX_VALUE = 64_000  # bytes of JSON
MAX_NAME = 1_000  # bytes of namespace and key
_VALUE = "memory_entry.value"
NOTHING = Entries(entries=(), label=_labels.NO_CONTENT)


async def put(
    session: WriteSession,
    keyring: Keyring,
    permit: Permit,
    action: PutEntry,
    project: ProjectId,
    now: datetime,
    screen: Screen,
) -> EntryPut:
    """Raises `SourceGone` when what the value was made from has been erased."""
    org = action.principal.org
    name, value = _name(action.namespace, action.key), _screened(_parsed(action.value), screen)
    act = _sources.of_act((), label=action.label, permit=permit)
    await gone.must_stand(session, org, _sources.names(act) | _labels.outside(action.label))
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"entries:{project}", 0))))
    key = _key(keyring, project, name)
    row = await _row(session, org, project, key)
    if row is not None and not _labels.may_read(row, action.principal.person):
        raise Conflict("entry")
    label = _labels.columns(_labels.of_item(action.label), principal=action.principal, permit=permit)
    if row is None:
        count = await session.scalar(select(func.count()).where(*_here(org, project)))
        if (count or 0) >= MAX_ENTRIES:
            raise TooMuch(f"{MAX_ENTRIES} entries are kept already", advice="Delete some that are no longer needed.")
        row = MemoryEntryRow(
            org_id=org,
            id=new_id(),
            project_id=project,
            entry_key=key,
            value=b"",
            created_at=now,
            updated_at=now,
            decision_id=permit.decision,
            **label,
        )
        session.add(row)
    else:
        row.generation += 1
        row.updated_at, row.decision_id = now, permit.decision
        for column, each in label.items():
            setattr(row, column, each)
    sealed = json.dumps([*name, value], ensure_ascii=False, separators=(",", ":"))
    row.value = keyring.seal_text(sealed, row=row.id, field=_VALUE, generation=row.generation)
    await session.flush()
    return EntryPut(entry=row.id)


async def remove(session: WriteSession, keyring: Keyring, action: DeleteEntry, project: ProjectId) -> EntryDeleted:
    org = action.principal.org
    key = _key(keyring, project, _name(action.namespace, action.key))
    row = await _row(session, org, project, key)
    if row is None or not _labels.may_read(row, action.principal.person):
        return EntryDeleted(entries=0)
    await session.delete(row)
    await session.flush()
    return EntryDeleted(entries=1)


async def found(
    session: AsyncSession,
    keyring: Keyring,
    project: ProjectId,
    reader: PersonId | None,
    namespace: Sequence[str],
    key: str,
) -> Entries:
    """The one entry, or none."""
    row = await _row(session, keyring.org, project, _key(keyring, project, _name(namespace, key)))
    return _answer([_opened(row, keyring)] if row is not None and _labels.may_read(row, reader) else [])


async def search(
    session: AsyncSession, keyring: Keyring, action: SearchEntries, project: ProjectId, reader: PersonId | None
) -> Entries:
    wanted, depth = _parsed(action.filter), len(action.prefix)
    entries = [
        each
        for each in await _all(session, keyring, project, reader)
        if each.namespace[:depth] == action.prefix and fits(json.loads(each.value), wanted)
    ]
    if action.query.strip():
        best = [entries[at] for at in await ranked(session, action.query, [each.value for each in entries])]
        entries = [*best, *(each for each in entries if each not in best)]
    start = max(0, action.offset)
    return _answer(entries[start : start + max(0, action.limit)])


async def namespaces(
    session: AsyncSession, keyring: Keyring, action: ListNamespaces, project: ProjectId, reader: PersonId | None
) -> Namespaces:
    entries = [
        each
        for each in await _all(session, keyring, project, reader)
        if all(is_like(each.namespace, pattern) for pattern in action.patterns)
    ]
    names = sorted({each.namespace[: action.max_depth] for each in entries})
    start = max(0, action.offset)
    return Namespaces(
        namespaces=tuple(names[start : start + max(0, action.limit)]),
        label=_labels.of_all(each.label for each in entries),
    )


async def erase_from(session: WriteSession, org: OrgId, sources: Sequence[str]) -> int:
    """Erase what was made from these sources: as labels name them, or by tasks whose message they are; how many."""
    messages = [each.removeprefix("message:") for each in sources if each.startswith("message:")]
    row = MemoryEntryRow
    by_agent = (col(row.via) == "agent") & col(row.source_task).in_(messages)
    made = col(row.sources).op("&&")(cast(_labels.erasable(sources), ARRAY(Text))) | by_agent
    result = await session.execute(delete(row).where(col(row.org_id) == org, made))
    return as_type(CursorResult[Any], result).rowcount


async def _all(session: AsyncSession, keyring: Keyring, project: ProjectId, reader: PersonId | None) -> list[Entry]:
    rows = await session.scalars(
        select(MemoryEntryRow).where(*_here(keyring.org, project)).order_by(col(MemoryEntryRow.id))
    )
    readable = [row for row in rows if _labels.may_read(row, reader)]
    return await asyncio.to_thread(lambda: [_opened(row, keyring) for row in readable])


async def _row(session: AsyncSession, org: OrgId, project: ProjectId, key: bytes) -> MemoryEntryRow | None:
    row: MemoryEntryRow | None = await session.scalar(
        select(MemoryEntryRow).where(*_here(org, project), col(MemoryEntryRow.entry_key) == key)
    )
    return row


def _opened(row: MemoryEntryRow, keyring: Keyring) -> Entry:
    text = keyring.open_text(row.value, row=row.id, field=_VALUE, generation=row.generation)
    namespace, key, value = json.loads(text)
    return Entry(
        namespace=tuple(namespace),
        key=key,
        value=json.dumps(value, ensure_ascii=False),
        created_at=row.created_at,
        updated_at=row.updated_at,
        label=_labels.label_of(row),
    )


def _answer(entries: list[Entry]) -> Entries:
    return Entries(entries=tuple(entries), label=_labels.of_all(each.label for each in entries))


def _here(org: OrgId, project: ProjectId) -> tuple[Any, ...]:
    return col(MemoryEntryRow.org_id) == org, col(MemoryEntryRow.project_id) == project


def _key(keyring: Keyring, project: ProjectId, name: tuple[list[str], str]) -> bytes:
    return keyring.commitment(_VALUE, project.bytes, json.dumps(name, ensure_ascii=False).encode())


def _name(namespace: Sequence[str], key: str) -> tuple[list[str], str]:
    if not namespace or not all(namespace) or not key:
        raise Invalid("an entry needs a namespace and a key", advice="Give at least one label, none empty, and a key.")
    try:
        size = len("".join((*namespace, key)).encode())
    except UnicodeEncodeError:
        raise Invalid("a name contains half a character", advice="Use another name.") from None
    if size > MAX_NAME:
        raise TooMuch(f"namespace and key have at most {MAX_NAME} bytes", advice="Use a shorter name.")
    return list(namespace), key


def _parsed(text: str) -> Any:
    try:
        size, value = len(text.encode()), json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("this is no JSON", advice="Give the JSON text of an object.") from None
    if not isinstance(value, dict):
        raise Invalid("this is no JSON object", advice="Give an object with named fields.")
    if size > MAX_VALUE:
        raise TooMuch(f"a value has at most {MAX_VALUE} bytes", advice="Keep the long text in a file.")
    return value


def _screened(value: Any, screen: Screen) -> Any:
    """The value with its texts looked over. A number cannot be covered: one that is a card is refused."""
    if isinstance(value, dict):
        return {screen.seen(name).text: _screened(part, screen) for name, part in value.items()}
    if isinstance(value, list):
        return [_screened(part, screen) for part in value]
    if isinstance(value, str):
        return screen.seen(value).text
    if isinstance(value, int) and not isinstance(value, bool) and screen.seen(str(value)).has_cards:
        raise CardNumber
    return value
