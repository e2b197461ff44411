"""What came out of the sandbox in a project: looked at, downloaded, pinned, kept as a file, deleted; and when it ends.

Code of nobody we trust made these bytes. They leave as attachments; only the four plain kinds of picture are shown, and
those under a policy that lets nothing in them do anything.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import NotFound
from joule.kernel.ids import ProjectId
from joule.web.access import FileReader, Here
from joule.web.chat.panel import icon_of
from joule.web.chat.preview import ROWS, table_rows
from joule.web.context import Web
from joule.web.errors import sentence
from joule.web.shell import shell_of
from memory.knowledge.reading.errors import ReadingUnavailable, Unreadable
from sandbox import queries
from sandbox.actions import DeleteArtifact, KeepArtifactInFiles, PinArtifact
from sandbox.artifacts.chart import checked
from sandbox.artifacts.drawing import Drawing, drawn
from sandbox.artifacts.errors import ChartRefused
from sandbox.artifacts.plotting import NotDrawn
from sandbox.artifacts.sniff import CHART, PDF, WORKBOOK
from sandbox.queries import ArtifactContent, ArtifactView

router = APIRouter(prefix="/projects/{project}/artifacts")

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
TEXTS = frozenset({"text/plain", "text/markdown", "application/json", CHART, "image/svg+xml"})
TABLES = frozenset({"text/csv", "text/tab-separated-values"})
GLANCED = frozenset({WORKBOOK, PDF})  # opened by a process that can do nothing else, after the page is there
_KINDS = {
    **{f"image/{each}": f"{name} picture" for each, name in (("png", "PNG"), ("jpeg", "JPEG"), ("gif", "GIF"))},
    "image/webp": "WebP picture",
    "image/svg+xml": "SVG picture",
    "text/csv": "table (CSV)",
    "text/tab-separated-values": "table (TSV)",
    "text/plain": "text",
    "text/markdown": "Markdown text",
    "text/html": "web page",
    "application/json": "JSON",
    "application/zip": "ZIP archive",
    "application/octet-stream": "unknown kind",
    CHART: "chart (Vega-Lite)",
    WORKBOOK: "Excel workbook",
    PDF: "PDF",
}
MOST_TEXT = 20_000  # characters of a preview
INERT = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, kw_only=True)
class ArtifactLine:
    """One artifact of the list."""

    icon: str
    name: str
    href: str
    size: int
    at: datetime
    until: datetime
    pinned: bool


@dataclass(frozen=True, kw_only=True)
class ArtifactPage:
    """An artifact, looked at."""

    line: ArtifactLine
    kind: str
    file_name: str  # what it would be called as a file of the project
    picture: str | None
    rows: tuple[tuple[str, ...], ...]
    chart: Drawing | None
    glanced: str | None  # where the preview comes from, when it takes a moment
    text: str | None
    cut: str


@router.get("")
async def page(web: Here, person: FileReader, project: UUID) -> Response:
    """All that are there."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        artifacts = await _lines(web, session, person, project)
    return web.templates.page("artifacts/page.html", shell=shell, artifacts=artifacts)


@router.get("/{artifact}")
async def look(web: Here, person: FileReader, project: UUID, artifact: UUID) -> Response:
    """One of them: a preview, and what can be done with it."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        found = await _content(web, session, person, project, artifact)
    return web.templates.page("artifacts/artifact.html", shell=shell, page=_page(found, project))


@router.get("/{artifact}/download")
async def download(web: Here, person: FileReader, project: UUID, artifact: UUID) -> Response:
    """The bytes, as an attachment: a browser never opens them on our own address."""
    async with web.house.database.read(person.org) as session:
        found = await _content(web, session, person, project, artifact)
    name = quote(_last(found.name), safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", **INERT}
    return Response(found.content, media_type="application/octet-stream", headers=headers)


@router.get("/{artifact}/picture")
async def picture(web: Here, person: FileReader, project: UUID, artifact: UUID) -> Response:
    """The bytes of a picture, for the preview."""
    async with web.house.database.read(person.org) as session:
        found = await _content(web, session, person, project, artifact)
    if found.view.media_type not in PICTURES:
        raise NotFound("picture")
    return Response(found.content, media_type=found.view.media_type, headers=INERT)


@router.get("/{artifact}/preview")
async def preview(web: Here, person: FileReader, project: UUID, artifact: UUID) -> Response:
    """The beginning of a workbook or a PDF, as a part of its page; or why it cannot be shown."""
    async with web.house.database.read(person.org) as session:
        found = await _content(web, session, person, project, artifact)
    line, book, page, problem = _line(found.view, project), None, None, None
    try:
        if found.view.media_type == WORKBOOK:
            book = await web.glancer.workbook(found.content)
        elif found.view.media_type == PDF:
            page = await web.glancer.first_page(found.content)
        else:
            raise NotFound("preview")
    except (Unreadable, ReadingUnavailable) as failed:
        problem = sentence(str(failed))
    return web.templates.page("artifacts/_preview.html", line=line, book=book, page=page, problem=problem)


@router.get("/{artifact}/first-page")
async def first_page(web: Here, person: FileReader, project: UUID, artifact: UUID) -> Response:
    """The first page of a PDF as a picture that we packed ourselves."""
    async with web.house.database.read(person.org) as session:
        found = await _content(web, session, person, project, artifact)
    if found.view.media_type != PDF:
        raise NotFound("picture")
    page = await web.glancer.first_page(found.content)
    return Response(page.png, media_type="image/png", headers=INERT)


@router.get("/{artifact}/chart.svg")
async def chart_picture(web: Here, person: FileReader, project: UUID, artifact: UUID) -> Response:
    """A chart as a picture, drawn by us: nothing of the specification but names and numbers is in it."""
    async with web.house.database.read(person.org) as session:
        found = await _content(web, session, person, project, artifact)
    drawing = _drawing(found)
    if drawing is None:
        raise NotFound("picture")
    name = quote(_last(found.name).rpartition(".")[0] or "chart", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}.svg", **INERT}
    return Response(
        web.templates.text("artifacts/chart.svg", {"chart": drawing}), media_type="image/svg+xml", headers=headers
    )


@router.post("/{artifact}/pin")
async def pin(
    web: Here, person: FileReader, project: UUID, artifact: UUID, pinned: Annotated[Literal["yes", "no"], Form()]
) -> Response:
    """Keeps it past its date, or no longer."""
    await _expect(web, person, project, artifact)
    await web.house.commands.perform(
        PinArtifact(principal=person.principal, project=ProjectId(project), artifact=artifact, pinned=pinned == "yes")
    )
    return RedirectResponse(f"/projects/{project}/artifacts/{artifact}", status_code=303)


@router.post("/{artifact}/keep")
async def keep(
    web: Here, person: FileReader, project: UUID, artifact: UUID, file_name: Annotated[str, Form(max_length=300)]
) -> Response:
    """Makes it a file of the project."""
    kept = await web.house.commands.perform(
        KeepArtifactInFiles(
            principal=person.principal, project=ProjectId(project), artifact=artifact, file_name=file_name
        )
    )
    return RedirectResponse(f"/projects/{project}/files/{kept.file}", status_code=303)


@router.post("/{artifact}/delete")
async def delete(web: Here, person: FileReader, project: UUID, artifact: UUID) -> Response:
    """Deletes it now."""
    await _expect(web, person, project, artifact)
    await web.house.commands.perform(
        DeleteArtifact(principal=person.principal, project=ProjectId(project), artifact=artifact)
    )
    return RedirectResponse(f"/projects/{project}/artifacts", status_code=303)


async def _lines(web: Web, session: ReadSession, person: SignedInPerson, project: UUID) -> list[ArtifactLine]:
    keyring = await web.house.vault.keyring(session, person.org)
    found = await queries.list_artifacts(
        session, keyring, reader=person.person, now=web.house.clock.now(), project=ProjectId(project)
    )
    return [_line(each, project) for each in found]


async def _content(
    web: Web, session: ReadSession, person: SignedInPerson, project: UUID, artifact: UUID
) -> ArtifactContent:
    """The artifact, if it is one of this project."""
    keyring = await web.house.vault.keyring(session, person.org)
    found = await queries.content_of(
        session, keyring, web.house.sandboxes.store, artifact, reader=person.person, now=web.house.clock.now()
    )
    if found.view.project != project:
        raise NotFound("artifact")
    return found


async def _expect(web: Web, person: SignedInPerson, project: UUID, artifact: UUID) -> None:
    """Raises `NotFound` unless the artifact is, or was, one of this project."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        view = await queries.artifact(session, keyring, artifact, reader=person.person, now=web.house.clock.now())
    if view.project != project:
        raise NotFound("artifact")


def _page(found: ArtifactContent, project: UUID) -> ArtifactPage:
    line, kind = _line(found.view, project), found.view.media_type
    text = found.content[: 4 * MOST_TEXT].decode(errors="replace") if kind in TEXTS | TABLES else None
    rows = table_rows(text) if text is not None and kind in TABLES else ()
    drawing = _drawing(found)
    return ArtifactPage(
        line=line,
        kind=_KINDS.get(kind, kind),
        file_name=_last(found.name),
        picture=f"{line.href}/picture" if kind in PICTURES else None,
        rows=rows,
        chart=drawing,
        glanced=f"{line.href}/preview" if kind in GLANCED else None,
        text=None if rows or drawing or text is None else text[:MOST_TEXT],
        cut=_cut(found, rows, text),
    )


def _drawing(found: ArtifactContent) -> Drawing | None:
    """The chart, if it is one that was checked and can be drawn."""
    if found.view.media_type != CHART:
        return None
    try:
        return drawn(checked(found.content.decode()))
    except (NotDrawn, ChartRefused, UnicodeDecodeError):
        return None


def _cut(found: ArtifactContent, rows: tuple[tuple[str, ...], ...], text: str | None) -> str:
    if rows:
        return "The first 50 rows are shown; download the file for all." if len(rows) >= ROWS - 1 else ""
    is_cut = text is not None and len(found.content) > len(text[:MOST_TEXT].encode())
    return "Only the beginning is shown; download the file for all." if is_cut else ""


def _line(view: ArtifactView, project: UUID) -> ArtifactLine:
    return ArtifactLine(
        icon=icon_of(view.media_type),
        name=view.name or "",
        href=f"/projects/{project}/artifacts/{view.artifact}",
        size=view.size,
        at=view.created_at,
        until=view.expires_at,
        pinned=view.pinned,
    )


def _last(name: str) -> str:
    return name.rpartition("/")[2]
