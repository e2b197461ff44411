"""The files of a project: uploaded as they are, looked at, downloaded, deleted and brought back."""

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote, unquote
from uuid import UUID

from fastapi import APIRouter, Form, Header, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import NotFound
from joule.kernel.ids import FileId, ProjectId
from joule.kernel.label import Integrity, Label
from joule.web.access import FileReader, Here
from joule.web.chat.panel import icon_of, short_files
from joule.web.context import Web
from joule.web.markdown import Block
from joule.web.shell import Shell, shell_of
from memory import queries
from memory.actions import DeleteFile, RestoreFile, UploadFile
from memory.queries import FileContent, FileView, VersionView

router = APIRouter(prefix="/projects/{project}/files")

ROWS = 51  # of a table, its heading included
COLUMNS = 40


@dataclass(frozen=True, kw_only=True)
class FileLine:
    """One file of the list."""

    icon: str
    name: str
    href: str
    download: str
    remove: str
    size: int
    version: int
    author: str
    at: datetime
    trust: str


@dataclass(frozen=True, kw_only=True)
class GoneLine:
    """A deleted file that can be brought back."""

    name: str
    restore: str
    at: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class VersionLine:
    """One version of a file."""

    version: int
    href: str
    restore: str
    size: int
    author: str
    at: datetime
    current: bool


@dataclass(frozen=True, kw_only=True)
class FilePage:
    """A file, looked at."""

    name: str
    download: str
    size: int
    media_type: str
    version: int
    versions: tuple[VersionLine, ...]
    rows: tuple[tuple[str, ...], ...]
    blocks: tuple[Block, ...]
    text: str | None
    cut: str
    note: str


@router.get("")
async def page(web: Here, person: FileReader, project: UUID) -> Response:
    """All files."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        files, deleted = await _lists(web, session, person, project)
    return web.templates.page("files/page.html", shell=shell, files=files, deleted=deleted, gone=None)


@router.get("/list")
async def every(web: Here, person: FileReader, project: UUID) -> Response:
    """The list alone."""
    return await _list(web, person, project)


@router.get("/short")
async def short(web: Here, person: FileReader, project: UUID) -> Response:
    """The list in the panel."""
    async with web.house.database.read(person.org) as session:
        files = await short_files(web, session, person, project)
    return web.templates.page("files/_short.html", files=files)


@router.put("")
async def upload(
    web: Here, request: Request, person: FileReader, project: UUID, x_upload: Annotated[str, Header(max_length=2000)]
) -> Response:
    """Keeps the body as a file. It never touches a disk unsealed; its name comes in a header, not in an address."""
    content = await request.body()
    made = await web.house.commands.perform(
        UploadFile(principal=person.principal, project=ProjectId(project), file_name=unquote(x_upload), content=content)
    )
    return JSONResponse({"file": str(made.file), "name": made.name, "version": made.version, "size": made.size})


@router.get("/{file}")
async def look(
    web: Here, person: FileReader, project: UUID, file: UUID, version: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """One file: a preview, and its versions."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        view = await _file(web, session, person, project, file)
        content = await _content(web, session, person, project, file, version)
        names = await _names(web, session, person)
    return web.templates.page("files/file.html", shell=shell, page=_page(web, shell, view, content, names))


@router.get("/{file}/download")
async def download(
    web: Here, person: FileReader, project: UUID, file: UUID, version: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """The bytes, as an attachment: a browser never opens them on our own address."""
    async with web.house.database.read(person.org) as session:
        content = await _content(web, session, person, project, file, version)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(content.name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(content.content, media_type="application/octet-stream", headers=headers)


@router.post("/{file}/delete")
async def delete(web: Here, person: FileReader, project: UUID, file: UUID) -> Response:
    """Takes the file away; it can be brought back for a while."""
    async with web.house.database.read(person.org) as session:
        view = await _file(web, session, person, project, file)
    gone = await web.house.commands.perform(
        DeleteFile(principal=person.principal, project=ProjectId(project), file_name=view.name)
    )
    restore = f"/projects/{project}/files/{file}/restore"
    return await _list(
        web, person, project, gone={"name": gone.name, "until": gone.restorable_until, "restore": restore}
    )


@router.post("/{file}/restore")
async def restore(
    web: Here,
    request: Request,
    person: FileReader,
    project: UUID,
    file: UUID,
    version: Annotated[int | None, Form(ge=1)] = None,
) -> Response:
    """Brings a deleted file back, or makes an older version the newest."""
    async with web.house.database.read(person.org) as session:
        view = await _file(web, session, person, project, file, or_deleted=True)
    await web.house.commands.perform(
        RestoreFile(
            principal=person.principal,
            project=ProjectId(project),
            file_name=view.name,
            version=version,
            file=FileId(file),
        )
    )
    if "hx-request" not in request.headers:
        return RedirectResponse(f"/projects/{project}/files/{file}", status_code=303)
    return await _list(web, person, project)


async def _list(web: Web, person: SignedInPerson, project: UUID, *, gone: dict[str, object] | None = None) -> Response:
    async with web.house.database.read(person.org) as session:
        files, deleted = await _lists(web, session, person, project)
    return web.templates.page("files/_list.html", files=files, deleted=deleted, gone=gone)


async def _lists(
    web: Web, session: ReadSession, person: SignedInPerson, project: UUID
) -> tuple[list[FileLine], list[GoneLine]]:
    keyring = await web.house.vault.keyring(session, person.org)
    now, names = web.house.clock.now(), await _names(web, session, person)
    present = await queries.list_files(session, keyring, ProjectId(project), reader=person.person, now=now)
    gone = await queries.list_files(session, keyring, ProjectId(project), reader=person.person, now=now, deleted=True)
    base = f"/projects/{project}/files"
    files = [
        FileLine(
            icon=icon_of(each.newest.media_type),
            name=each.name,
            href=f"{base}/{each.file}",
            download=f"{base}/{each.file}/download",
            remove=f"{base}/{each.file}/delete",
            size=each.newest.size,
            version=each.newest.version,
            author=author_of(each.newest, names),
            at=each.newest.created_at,
            trust=trust_of(each.newest.label),
        )
        for each in present
    ]
    lines = [
        GoneLine(
            name=each.name,
            restore=f"{base}/{each.file}/restore",
            at=each.deleted_at or now,
            until=each.restorable_until or now,
        )
        for each in gone
    ]
    return files, lines


def author_of(version: VersionView, names: dict[UUID, str]) -> str:
    """Whose hand a version is by."""
    name = names.get(version.author, "somebody") if version.author else "Joule"
    return f"Joule for {name}" if version.via == "agent" else name


def trust_of(label: Label) -> str:
    """Whether a value can hold an outsider's words."""
    return "From outside" if label.integrity is Integrity.UNTRUSTED else "Trusted"


async def _names(web: Web, session: ReadSession, person: SignedInPerson) -> dict[UUID, str]:
    return {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}


async def _file(
    web: Web, session: ReadSession, person: SignedInPerson, project: UUID, file: UUID, *, or_deleted: bool = False
) -> FileView:
    keyring = await web.house.vault.keyring(session, person.org)
    for deleted in (False, True) if or_deleted else (False,):
        found = await queries.list_files(
            session, keyring, ProjectId(project), reader=person.person, now=web.house.clock.now(), deleted=deleted
        )
        for each in found:
            if each.file == file:
                return each
    raise NotFound("file")


async def _content(
    web: Web, session: ReadSession, person: SignedInPerson, project: UUID, file: UUID, version: int | None
) -> FileContent:
    keyring = await web.house.vault.keyring(session, person.org)
    return await queries.file_content(
        session, keyring, ProjectId(project), FileId(file), reader=person.person, version=version
    )


def _page(web: Web, shell: Shell, view: FileView, content: FileContent, names: dict[UUID, str]) -> FilePage:
    base = f"{shell.project.href if shell.project else ''}/files/{view.file}"
    text = content.preview
    rows = _rows(text) if text is not None and content.media_type == "text/csv" else ()
    blocks: tuple[Block, ...] = ()
    if text is not None and content.media_type == "text/markdown":
        blocks = web.markdown.blocks(text)
    is_newest = content.version == view.newest.version
    return FilePage(
        name=view.name,
        download=f"{base}/download?version={content.version}",
        size=len(content.content),
        media_type=content.media_type,
        version=content.version,
        versions=tuple(_version(each, view, base, names) for each in view.versions),
        rows=rows,
        blocks=blocks,
        text=None if rows or blocks else text,
        cut=_cut(content, rows),
        note="" if is_newest else f"This is version {content.version}. The newest is version {view.newest.version}.",
    )


def _version(each: VersionView, view: FileView, base: str, names: dict[UUID, str]) -> VersionLine:
    return VersionLine(
        version=each.version,
        href=f"{base}?version={each.version}",
        restore=f"{base}/restore",
        size=each.size,
        author=author_of(each, names),
        at=each.created_at,
        current=each.version == view.newest.version,
    )


def _rows(text: str) -> tuple[tuple[str, ...], ...]:
    """The first rows of a table. Cells are shown as text, formulas too."""
    sample = text[:4000]
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(sample, delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        found = [
            tuple(row[:COLUMNS]) for _, row in zip(range(ROWS), csv.reader(io.StringIO(text), dialect), strict=False)
        ]
    except csv.Error:
        return ()
    width = max((len(row) for row in found), default=0)
    return tuple((*row, *[""] * (width - len(row))) for row in found if row)


def _cut(content: FileContent, rows: tuple[tuple[str, ...], ...]) -> str:
    if rows:
        return "The first 50 rows are shown; download the file for all." if len(rows) >= ROWS - 1 else ""
    return "Only the beginning is shown; download the file for all." if content.is_preview_cut else ""
