"""The documents of a project: added, read, searched and erased."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel

from joule.kernel.ids import ProjectId
from joule.kernel.label import Integrity
from joule.web.access import Here, KnowledgeReader
from memory import queries as projects
from memory.knowledge import queries
from memory.knowledge.actions import (
    AddDocument,
    DeleteDocument,
    ReadDocument,
    ReindexDocument,
    RenameDocument,
    SearchKnowledge,
)
from memory.knowledge.queries import DocumentView

router = APIRouter(prefix="/api/v1/projects/{project}/knowledge")


class TitleIn(BaseModel):
    """Another title."""

    title: str


class DocumentOut(BaseModel):
    """A document as it is now. `version` is the one that is searched (0: none yet); `failure` says why it is none."""

    document: UUID
    title: str
    source: str
    connection: UUID | None
    state: str
    failure: str | None
    version: int
    newest: int
    media_type: str
    size: int
    pages: int | None
    passages: int
    searched_by_meaning: bool
    integrity: str
    created_at: datetime
    updated_at: datetime


class AddedOut(BaseModel):
    """A document that is kept and will be read. `duplicate`: these very bytes were there already."""

    document: UUID
    version: int
    title: str
    state: str
    duplicate: bool


class StandOut(BaseModel):
    """How far a document is."""

    document: UUID
    version: int
    state: str


class ErasedOut(BaseModel):
    """The receipt of a deletion: rows really removed."""

    document: UUID
    versions: int
    passages: int
    vectors: int
    items: int
    derived: dict[str, int]
    at: datetime


class PassageOut(BaseModel):
    """A passage and where it stands. `start` and `end` count in the document's text."""

    document: UUID
    version: int
    title: str
    page: int | None
    heading: tuple[str, ...]
    text: str
    start: int
    end: int
    marks: tuple[str, ...]
    score: float
    integrity: str


class PassagesOut(BaseModel):
    """Best first. `how`: `hybrid`, or `text` without a model for meanings."""

    passages: list[PassageOut]
    how: str
    complete: bool


class TextOut(BaseModel):
    """Some of a document's text: characters `start` to `end` of `total`."""

    document: UUID
    version: int
    title: str
    text: str
    start: int
    end: int
    total: int
    page: int | None
    pages: int | None
    integrity: str


@router.get("")
async def every(web: Here, person: KnowledgeReader, project: UUID) -> list[DocumentOut]:
    """The documents by title."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        await projects.project_by_id(session, keyring, ProjectId(project))
        found = await queries.list_documents(session, keyring, ProjectId(project), reader=person.person)
    return [_out(each) for each in found]


@router.put("", status_code=201)
async def add(
    web: Here,
    request: Request,
    person: KnowledgeReader,
    project: UUID,
    x_upload: Annotated[str, Header(max_length=2000)],
) -> AddedOut:
    """Keeps the body as a document; its percent-encoded title comes in `X-Upload`."""
    announced = request.headers.get("content-length", "")
    added = await web.house.commands.perform(
        AddDocument(
            principal=person.principal,
            project=ProjectId(project),
            title=unquote(x_upload),
            content=await request.body(),
            expected_bytes=int(announced) if announced.isdecimal() else None,
        )
    )
    return AddedOut(
        document=added.document,
        version=added.version,
        title=added.title,
        state=added.state,
        duplicate=added.duplicate_of is not None,
    )


@router.get("/search")
async def search(
    web: Here,
    person: KnowledgeReader,
    project: UUID,
    q: Annotated[str, Query(min_length=1, max_length=1000)],
    limit: Annotated[int, Query(ge=1, le=50)] = 8,
    document: Annotated[tuple[UUID, ...], Query(max_length=50)] = (),
    integrity: Integrity | None = None,
) -> PassagesOut:
    """The passages that fit a question best: of some documents only, or of trusted ones, if that is asked for."""
    narrowed: dict[str, Any] = {"documents": document, "minimum_integrity": integrity}
    found = await web.house.commands.perform(
        SearchKnowledge(principal=person.principal, project=ProjectId(project), query=q, limit=limit, **narrowed)
    )
    lines = [
        PassageOut(
            document=each.document,
            version=each.version,
            title=each.title,
            page=each.page,
            heading=each.heading,
            text=each.text,
            start=each.start,
            end=each.end,
            marks=each.marks,
            score=each.score,
            integrity=each.label.integrity.value,
        )
        for each in found.passages
    ]
    return PassagesOut(passages=lines, how=found.how, complete=found.complete)


@router.get("/{document}")
async def one(web: Here, person: KnowledgeReader, project: UUID, document: UUID) -> DocumentOut:
    """One document."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        found = await queries.document_by_id(session, keyring, ProjectId(project), document, reader=person.person)
    return _out(found.document)


@router.get("/{document}/text")
async def text(
    web: Here,
    person: KnowledgeReader,
    project: UUID,
    document: UUID,
    version: Annotated[int | None, Query(ge=1)] = None,
    page: Annotated[int | None, Query(ge=1)] = None,
    start: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=60_000)] = 8_000,
) -> TextOut:
    """Some of its text, from a page or a character on."""
    found = await web.house.commands.perform(
        ReadDocument(
            principal=person.principal,
            project=ProjectId(project),
            document=document,
            version=version,
            page=page,
            start=start,
            limit=limit,
        )
    )
    return TextOut(
        document=found.document,
        version=found.version,
        title=found.title,
        text=found.text,
        start=found.start,
        end=found.end,
        total=found.total,
        page=found.page,
        pages=found.pages,
        integrity=found.label.integrity.value,
    )


@router.patch("/{document}")
async def rename(web: Here, person: KnowledgeReader, project: UUID, document: UUID, given: TitleIn) -> StandOut:
    """Gives it another title."""
    done = await web.house.commands.perform(
        RenameDocument(principal=person.principal, project=ProjectId(project), document=document, title=given.title)
    )
    return StandOut(document=done.document, version=done.version, state=done.state)


@router.post("/{document}/reindex", status_code=202)
async def reindex(web: Here, person: KnowledgeReader, project: UUID, document: UUID) -> StandOut:
    """Has it read again. What is searched stays so until that is done."""
    done = await web.house.commands.perform(
        ReindexDocument(principal=person.principal, project=ProjectId(project), document=document)
    )
    return StandOut(document=done.document, version=done.version, state=done.state)


@router.delete("/{document}")
async def delete(web: Here, person: KnowledgeReader, project: UUID, document: UUID) -> ErasedOut:
    """Erases it with all that was made from it."""
    gone = await web.house.commands.perform(
        DeleteDocument(principal=person.principal, project=ProjectId(project), document=document)
    )
    return ErasedOut(
        document=gone.document,
        versions=gone.versions,
        passages=gone.chunks,
        vectors=gone.vectors,
        items=gone.items,
        derived=dict(gone.derived),
        at=gone.at,
    )


def _out(view: DocumentView) -> DocumentOut:
    return DocumentOut(
        document=view.document,
        title=view.title,
        source=view.source.value,
        connection=view.connection,
        state=view.state.value,
        failure=view.failure,
        version=view.version,
        newest=view.newest,
        media_type=view.media_type,
        size=view.size,
        pages=view.pages,
        passages=view.chunks,
        searched_by_meaning=view.by_meaning,
        integrity=view.label.integrity.value,
        created_at=view.created_at,
        updated_at=view.updated_at,
    )
