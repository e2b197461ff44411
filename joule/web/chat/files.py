"""The files of a project: uploaded as they are, looked at, downloaded, deleted and brought back."""

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
from joule.kernel.ids import FileId, PersonId, ProjectId
from joule.web.access import FileReader, Here
from joule.web.chat.panel import icon_of, short_files
from joule.web.chat.preview import author_of, file_page, trust_of
from joule.web.context import Web
from joule.web.shell import shell_of
from memory import queries
from memory.actions import DeleteFile, RestoreFile, UploadFile
from memory.queries import FileContent, FileView

router = APIRouter(prefix="/projects/{project}/files")


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
    page = file_page(web.markdown, view, content, names, base=f"/projects/{project}/files/{file}")
    return web.templates.page("files/file.html", shell=shell, page=page)


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


async def _names(web: Web, session: ReadSession, person: SignedInPerson) -> dict[PersonId, str]:
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
