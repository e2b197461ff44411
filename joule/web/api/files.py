"""Files of a project."""

from datetime import datetime
from typing import Annotated
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from joule.kernel.ids import FileId, ProjectId
from joule.web.access import FileReader, Here
from memory import queries
from memory.actions import UploadFile

router = APIRouter(prefix="/api/v1/projects/{project}/files")


class FileOut(BaseModel):
    """A file as it is now."""

    file: UUID
    name: str
    version: int
    size: int
    media_type: str
    updated_at: datetime


class FileSavedOut(BaseModel):
    """A file that was kept."""

    file: UUID
    name: str
    version: int
    size: int
    media_type: str
    unchanged: bool


@router.get("")
async def every(web: Here, person: FileReader, project: UUID) -> list[FileOut]:
    """The files by name."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        await queries.project_by_id(session, keyring, ProjectId(project))
        found = await queries.list_files(
            session, keyring, ProjectId(project), reader=person.person, now=web.house.clock.now()
        )
    return [
        FileOut(
            file=each.file,
            name=each.name,
            version=each.newest.version,
            size=each.newest.size,
            media_type=each.newest.media_type,
            updated_at=each.newest.created_at,
        )
        for each in found
    ]


@router.put("", status_code=201)
async def upload(
    web: Here, request: Request, person: FileReader, project: UUID, x_upload: Annotated[str, Header(max_length=2000)]
) -> FileSavedOut:
    """Keeps the body as a file; its percent-encoded name comes in the header `X-Upload`."""
    made = await web.house.commands.perform(
        UploadFile(
            principal=person.principal,
            project=ProjectId(project),
            file_name=unquote(x_upload),
            content=await request.body(),
        )
    )
    return FileSavedOut(
        file=made.file,
        name=made.name,
        version=made.version,
        size=made.size,
        media_type=made.media_type,
        unchanged=made.unchanged,
    )


@router.get("/{file}")
async def download(web: Here, person: FileReader, project: UUID, file: UUID) -> Response:
    """The bytes of the newest version."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        content = await queries.file_content(session, keyring, ProjectId(project), FileId(file), reader=person.person)
    headers = {"Content-Disposition": "attachment", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return Response(content.content, media_type="application/octet-stream", headers=headers)
