"""Keeps files and their versions. Names and bytes are sealed; a version never changes; a deleted file can come back.

Reading what is kept is next door, in `_file_reading`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import Conflict, NotFound
from joule.kernel.ids import FileId, OrgId, ProjectId, new_id
from joule.kernel.label import Label
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal
from joule.vault.keys import Keyring
from memory import _labels, _words
from memory._content import decode, encoded, media_type
from memory.errors import BadText, CardNumber, NoUniqueMatch, TooMuch
from memory.kinds import MediaType
from memory.masking import Screen
from memory.results import FileSaved
from memory.tables import FileVersionRow, ProjectFileRow

MAX_FILES = 1_000  # in a project, deleted ones included
RESTORABLE = timedelta(days=30)
_NAME = "project_file.name"
_CONTENT = "file_version.content"


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Where files of one project are put in one transaction, and on whose decision."""

    session: WriteSession
    keyring: Keyring
    permit: Permit
    principal: Principal
    project: ProjectId
    now: datetime
    max_bytes: int
    screen: Screen

    async def save(
        self, name: str, content: bytes, label: Callable[[FileId], Label], *, expected_version: int | None = None
    ) -> FileSaved:
        """The newest version of the file called `name` now has this content, less what is covered in a text."""
        name = _words.file_name(name)
        if len(content) > self.max_bytes:
            raise TooMuch(
                f"the file is larger than {self.max_bytes // 1_048_576} MB",
                advice="Upload a smaller part of it, or ask an operator to raise the limit in the settings.",
            )
        kind, content, categories = await asyncio.to_thread(_inspected, name, content, self.screen)
        file = await self._live(name)
        if expected_version is not None and expected_version != (file.newest if file else 0):
            raise Conflict("file")
        after = file.newest if file else 0
        if file is None:
            file, after = await self._new(name)
        given = label(FileId(file.id))
        marked = replace(given, categories=given.categories | categories)
        return await self._add(file, name_of(file, self.keyring), content, kind, marked, after=after)

    async def edit(
        self, name: str, find: str, instead: str, *, label: Label, expected_version: int | None
    ) -> FileSaved:
        """The one place where `find` stands now says `instead`. Saved as UTF-8, whatever it was before."""
        name, file, newest = await self._newest(name)
        if expected_version is not None and expected_version != file.newest:
            raise Conflict("file")
        text, _ = decode(await asyncio.to_thread(content_of, newest, self.keyring))
        if not find:
            raise BadText("there is nothing to look for", advice="Give the text that should be replaced.")
        if "\r\n" in text and find not in text:  # what was read line by line has lost its carriage returns
            find, instead = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (find, instead))
        first = text.find(find)
        if first < 0 or first != text.rfind(find):
            raise NoUniqueMatch(max(text.count(find), 0 if first < 0 else 2))
        edited = _words.file_text(text[:first] + instead + text[first + len(find) :])
        joined = _labels.label_of(newest).join(_labels.of_text(label, FileId(file.id)))
        return await self.save(name, edited, lambda _: joined, expected_version=file.newest)

    async def delete(self, name: str) -> tuple[FileId, str]:
        """The file is out of sight, and can be restored for `RESTORABLE`."""
        name, file, _ = await self._newest(name)
        file.deleted_at, file.decision_id = self.now, self.permit.decision
        await self.session.flush()
        return FileId(file.id), name

    async def restore(self, name: str, *, version: int | None, file: FileId | None) -> FileSaved:
        """The file is there again and its newest version says what `version` said."""
        name = _words.file_name(name)
        live = await self._live(name)
        row = live if live is not None and file in (None, live.id) else await self._deleted(name, file)
        if row is not live:
            if live is not None:
                raise Conflict("file name")
            row.deleted_at, row.decision_id = None, self.permit.decision
            await self.session.flush()
        kept = await version_of(self.session, self.keyring.org, row.id, version or row.newest)
        if kept is None or not _labels.may_read(kept, self.principal.person):
            raise NotFound("version of the file")
        stored = name_of(row, self.keyring)
        if kept.version == row.newest:
            return _saved(row, kept, stored, unchanged=row is live)
        content = await asyncio.to_thread(content_of, kept, self.keyring)
        return await self._add(
            row, stored, content, MediaType(kept.media_type), _labels.label_of(kept), after=row.newest
        )

    async def _live(self, name: str) -> ProjectFileRow | None:
        """The row of the file called `name`, locked until the transaction ends."""
        found = live_file(self.keyring, self.project, name).with_for_update()
        row: ProjectFileRow | None = await self.session.scalar(found)
        return row

    async def _newest(self, name: str) -> tuple[str, ProjectFileRow, FileVersionRow]:
        row = await self._live(_words.file_name(name))
        newest = None if row is None else await version_of(self.session, self.keyring.org, row.id, row.newest)
        if row is None or newest is None or not _labels.may_read(newest, self.principal.person):
            raise NotFound("file")
        return name_of(row, self.keyring), row, newest

    async def _deleted(self, name: str, file: FileId | None) -> ProjectFileRow:
        """The file of that name that was deleted last, if it can still come back."""
        found = (
            select(ProjectFileRow)
            .where(*named(self.keyring, self.project, name), col(ProjectFileRow.deleted_at) > self.now - RESTORABLE)
            .order_by(col(ProjectFileRow.deleted_at).desc(), col(ProjectFileRow.id).desc())
            .limit(1)
            .with_for_update()
        )
        row = await self.session.scalar(found if file is None else found.where(col(ProjectFileRow.id) == file))
        if row is None:
            raise NotFound("deleted file")
        return row

    async def _new(self, name: str) -> tuple[ProjectFileRow, int]:
        """A file of that name, locked, and how many versions it has: none, unless someone made it just now."""
        org = self.keyring.org
        here = (col(ProjectFileRow.org_id) == org, col(ProjectFileRow.project_id) == self.project)
        if (await self.session.scalar(select(func.count()).where(*here)) or 0) >= MAX_FILES:
            raise TooMuch(f"the project has {MAX_FILES} files already", advice="Erase files you no longer need.")
        file = new_id()
        made = insert(ProjectFileRow).values(
            org_id=org,
            id=file,
            project_id=self.project,
            name=self.keyring.seal_text(name, row=file, field=_NAME),
            name_key=name_key(self.keyring, self.project, name),
            generation=0,
            newest=1,
            created_at=self.now,
            decision_id=self.permit.decision,
        )
        await self.session.execute(made.on_conflict_do_nothing())  # someone may make it at the same moment
        row = await self._live(name)
        if row is None:
            raise Conflict("file")
        return row, 0 if row.id == file else row.newest

    async def _add(
        self, file: ProjectFileRow, name: str, content: bytes, kind: MediaType, label: Label, *, after: int
    ) -> FileSaved:
        columns = _labels.columns(label, principal=self.principal, permit=self.permit)
        version = after + 1
        key, sealed = await asyncio.to_thread(_sealed, self.keyring, file.id, version, content)
        before = await version_of(self.session, self.keyring.org, file.id, after) if after else None
        if before is not None and before.content_key == key and _labels.label_of(before) == label:
            return _saved(file, before, name, unchanged=True)
        row = FileVersionRow(
            org_id=self.keyring.org,
            file_id=file.id,
            version=version,
            content=sealed,
            content_key=key,
            size=len(content),
            media_type=kind.value,
            created_at=self.now,
            decision_id=self.permit.decision,
            **columns,
        )
        self.session.add(row)
        file.newest, file.decision_id = version, self.permit.decision
        await self.session.flush()
        return _saved(file, row, name)


def named(keyring: Keyring, project: ProjectId, name: str) -> tuple[Any, ...]:
    """The conditions for all files that have or had a name, in any letter case."""
    return (
        col(ProjectFileRow.org_id) == keyring.org,
        col(ProjectFileRow.project_id) == project,
        col(ProjectFileRow.name_key) == name_key(keyring, project, name),
    )


def live_file(keyring: Keyring, project: ProjectId, name: str) -> Any:
    """A query for the file that has this name now."""
    return select(ProjectFileRow).where(*named(keyring, project, name), col(ProjectFileRow.deleted_at).is_(None))


async def version_of(session: AsyncSession, org: OrgId, file: UUID, version: int) -> FileVersionRow | None:
    """One version, with its sealed bytes."""
    here = (col(FileVersionRow.org_id) == org, col(FileVersionRow.file_id) == file)
    found = select(FileVersionRow).where(*here, col(FileVersionRow.version) == version)
    row: FileVersionRow | None = await session.scalar(found)
    return row


def name_key(keyring: Keyring, project: ProjectId, name: str) -> bytes:
    """What a file is found by; tells nothing without the organisation's key."""
    return keyring.commitment(_NAME, project.bytes, _words.sameness(name))


def name_of(row: ProjectFileRow, keyring: Keyring) -> str:
    """The name as it was typed."""
    return keyring.open_text(row.name, row=row.id, field=_NAME, generation=row.generation)


def content_of(row: FileVersionRow, keyring: Keyring) -> bytes:
    """The bytes as they were given."""
    return keyring.open(row.content, row=row.file_id, field=f"{_CONTENT}.{row.version}", generation=row.generation)


def _inspected(name: str, content: bytes, screen: Screen) -> tuple[MediaType, bytes, frozenset[str]]:
    """What it is, as it may be kept, and what was found in it. Bytes in which nothing is covered stay as they came.

    Raises `CardNumber`: in a table a covered number would be a wrong one.
    """
    kind = media_type(name, content)
    if not kind.is_text:
        return kind, content, frozenset()
    text, encoding = decode(content)
    seen = screen.seen(text, bare=False)
    if seen.has_cards:
        raise CardNumber
    if seen.text != text:
        content = encoded(seen.text, encoding)
    return kind, content, seen.categories


def _sealed(keyring: Keyring, file: UUID, version: int, content: bytes) -> tuple[bytes, bytes]:
    key = keyring.commitment(_CONTENT, file.bytes, content)
    return key, keyring.seal(content, row=file, field=f"{_CONTENT}.{version}")


def _saved(file: ProjectFileRow, row: FileVersionRow, name: str, *, unchanged: bool = False) -> FileSaved:
    return FileSaved(
        file=FileId(file.id),
        name=name,
        version=row.version,
        size=row.size,
        media_type=row.media_type,
        label=_labels.label_of(row),
        unchanged=unchanged,
    )
