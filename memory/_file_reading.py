"""Reads files: lists, lines, search and statistics. Nothing here changes a row; every answer is bounded."""

import asyncio
import re
from collections.abc import Sequence
from heapq import nlargest

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import FileId, PersonId, ProjectId
from joule.vault.keys import Keyring
from memory import _labels, _words
from memory._content import decode, spoken
from memory._delimited import read as read_table
from memory._files import content_of, live_file, name_of, version_of
from memory._ranking import ranked, terms
from memory._tables_facts import Facts, facts
from memory.actions import ReadFile, TableStatistics
from memory.errors import NotATable, NotText
from memory.kinds import MediaType
from memory.results import FileHit, FileHits, FileList, FileText, ListedFile, TableFacts
from memory.tables import FileVersionRow, ProjectFileRow

MAX_READ = 60_000  # characters of one answer
MAX_LINES = 5_000
MAX_HITS = 20
MAX_SNIPPET = 300  # characters
MAX_SEARCHED = 20_000_000  # bytes of files opened for one search
MAX_CANDIDATES = 2_000  # lines ranked for one search
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


async def listed(session: AsyncSession, keyring: Keyring, project: ProjectId, reader: PersonId | None) -> FileList:
    """The files of the project that `reader` may read, by name."""
    files = tuple(_listed(file, row, keyring) for file, row in await _newest_of_all(session, keyring, project, reader))
    ordered = tuple(sorted(files, key=lambda one: (one.name.casefold(), one.file)))
    return FileList(files=ordered, label=_labels.of_all(one.label for one in ordered))


async def lines(session: AsyncSession, keyring: Keyring, action: ReadFile, project: ProjectId) -> FileText:
    """The lines asked for, cut at `MAX_READ` characters."""
    file, row = await _found(
        session, keyring, project, action.file_name, action.principal.person, version=action.version
    )
    if action.start_line < 1 or action.lines < 1:
        raise Invalid("lines are counted from 1", advice="Start at line 1 or later, and ask for at least one line.")
    text, encoding = await asyncio.to_thread(_text_of, row, keyring)
    every = _split(text)
    if action.start_line > max(len(every), 1):
        raise Invalid("the file ends before that line", advice=f"It has {len(every)} lines; start earlier.")
    asked = every[action.start_line - 1 : action.start_line - 1 + min(action.lines, MAX_LINES)]
    kept, cut = _bounded(asked)
    return FileText(
        file=FileId(file.id),
        name=name_of(file, keyring),
        version=row.version,
        text="\n".join(kept),
        start_line=action.start_line,
        total_lines=len(every),
        truncated=cut or action.start_line - 1 + len(kept) < len(every),
        encoding=encoding,
        label=_labels.label_of(row),
    )


async def search(
    session: AsyncSession, keyring: Keyring, project: ProjectId, reader: PersonId | None, query: str
) -> FileHits:
    """The lines that fit, best first."""
    wanted = terms(query)
    every = [pair for pair in await _newest_of_all(session, keyring, project, reader) if _is_text(pair[1])]
    budget, complete = MAX_SEARCHED, True
    found: list[tuple[int, int, int, str]] = []  # hits, minus place of the file, minus line, words
    for place, (file, row) in enumerate(every):
        if row.size > budget or not wanted:
            complete = complete and not wanted
            continue
        budget -= row.size
        whole = await version_of(session, keyring.org, file.id, row.version)
        if whole is not None:
            found += await asyncio.to_thread(_candidates, whole, keyring, wanted, place)
    best = nlargest(MAX_CANDIDATES, found)
    order = (await ranked(session, query, [words for *_, words in best]))[:MAX_HITS]
    hits = tuple(
        FileHit(
            file=FileId(every[-best[at][1]][0].id),
            name=name_of(every[-best[at][1]][0], keyring),
            version=every[-best[at][1]][1].version,
            line=-best[at][2],
            snippet=_snippet(best[at][3], wanted),
            label=_labels.label_of(every[-best[at][1]][1]),
        )
        for at in order
    )
    complete = complete and len(found) <= MAX_CANDIDATES
    return FileHits(hits=hits, complete=complete, label=_labels.of_all(hit.label for hit in hits))


async def statistics(
    session: AsyncSession, keyring: Keyring, action: TableStatistics, project: ProjectId
) -> TableFacts:
    """What the table says, in numbers."""
    file, row = await _found(session, keyring, project, action.file_name, action.principal.person)
    if row.media_type not in {MediaType.CSV, MediaType.TEXT} and _is_text(row):
        raise NotATable("this file is no table", advice="Choose a CSV file.")
    rows, header, delimiter, computed = await asyncio.to_thread(_computed, row, keyring, action)
    return TableFacts(
        file=FileId(file.id),
        name=name_of(file, keyring),
        version=row.version,
        rows=rows,
        total_columns=header,
        delimiter=delimiter,
        columns=computed.columns,
        ratio=computed.ratio,
        ranked_by=computed.ranked_by,
        groups=computed.groups,
        total_groups=computed.total_groups,
        notes=computed.notes,
        label=_labels.label_of(row),
    )


def _computed(row: FileVersionRow, keyring: Keyring, action: TableStatistics) -> tuple[int, int, str, Facts]:
    table = read_table(_text_of(row, keyring)[0])
    computed = facts(
        table,
        columns=action.columns,
        group_by=action.group_by,
        numerator=action.numerator,
        denominator=action.denominator,
    )
    return len(table.rows), len(table.header), table.delimiter, computed


async def _newest_of_all(
    session: AsyncSession, keyring: Keyring, project: ProjectId, reader: PersonId | None
) -> list[tuple[ProjectFileRow, FileVersionRow]]:
    """Every file there is now with its newest version but without its bytes, latest change first."""
    rows = await session.execute(
        select(ProjectFileRow, FileVersionRow)
        .join(
            FileVersionRow,
            (col(FileVersionRow.org_id) == col(ProjectFileRow.org_id))
            & (col(FileVersionRow.file_id) == col(ProjectFileRow.id))
            & (col(FileVersionRow.version) == col(ProjectFileRow.newest)),
        )
        .where(
            col(ProjectFileRow.org_id) == keyring.org,
            col(ProjectFileRow.project_id) == project,
            col(ProjectFileRow.deleted_at).is_(None),
        )
        .order_by(col(FileVersionRow.created_at).desc(), col(ProjectFileRow.id))
        .options(defer(FileVersionRow.content, raiseload=True))  # type: ignore[arg-type]  # SQLModel types it as bytes
    )
    return [(file, row) for file, row in rows if _labels.may_read(row, reader)]


async def _found(
    session: AsyncSession,
    keyring: Keyring,
    project: ProjectId,
    name: str,
    reader: PersonId | None,
    *,
    version: int | None = None,
) -> tuple[ProjectFileRow, FileVersionRow]:
    file: ProjectFileRow | None = await session.scalar(live_file(keyring, project, _words.file_name(name)))
    if file is None:
        raise NotFound("file")
    row = await version_of(session, keyring.org, file.id, version or file.newest)
    if row is None or not _labels.may_read(row, reader):
        raise NotFound("version of the file" if version else "file")
    return file, row


def _text_of(row: FileVersionRow, keyring: Keyring) -> tuple[str, str]:
    kind = MediaType(row.media_type)
    if not kind.is_text:
        raise NotText(spoken(kind))
    return decode(content_of(row, keyring))


def _is_text(row: FileVersionRow) -> bool:
    return MediaType(row.media_type).is_text


def _split(text: str) -> list[str]:
    """The lines; a line break at the end begins no further line."""
    every = _LINE_BREAK.split(text)
    return every[:-1] if not every[-1] else every


def _bounded(asked: Sequence[str]) -> tuple[list[str], bool]:
    """As many whole lines as fit; of a first line that does not fit, its beginning."""
    kept: list[str] = []
    room = MAX_READ
    for line in asked:
        if len(line) > room:
            return kept or [line[:room]], True
        kept.append(line)
        room -= len(line) + 1
    return kept, False


def _candidates(
    row: FileVersionRow, keyring: Keyring, wanted: Sequence[str], place: int
) -> list[tuple[int, int, int, str]]:
    """The lines that share the beginning of a word with the query: the server decides which of them fit."""
    try:
        text, _ = _text_of(row, keyring)
    except NotText:
        return []
    beginnings = [word[: max(3, len(word) - 3)] for word in wanted]
    found = []
    for number, line in enumerate(_split(text), 1):
        folded = line.casefold()
        if any(beginning in folded for beginning in beginnings):
            found.append((sum(word in folded for word in wanted), -place, -number, line[: MAX_SNIPPET * 10]))
    return nlargest(MAX_CANDIDATES + 1, found)


def _snippet(line: str, wanted: Sequence[str]) -> str:
    folded = line.casefold()
    first = min((at for word in wanted if (at := folded.find(word)) >= 0), default=0)
    start = max(0, min(first - MAX_SNIPPET // 3, len(line) - MAX_SNIPPET))
    return line[start : start + MAX_SNIPPET].strip()


def _listed(file: ProjectFileRow, row: FileVersionRow, keyring: Keyring) -> ListedFile:
    return ListedFile(
        file=FileId(file.id),
        name=name_of(file, keyring),
        version=row.version,
        size=row.size,
        media_type=row.media_type,
        is_text=_is_text(row),
        updated_at=row.created_at,
        label=_labels.label_of(row),
    )
