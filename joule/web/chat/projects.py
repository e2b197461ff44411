"""Projects: the list, a new one, its name, its end; and the search through all of their conversations."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.identity.permissions import Permission, allowed
from joule.kernel.ids import ProjectId
from joule.tasks import queries as tasks
from joule.tasks import search as searching
from joule.tasks.actions import ForgetProject
from joule.web.access import Account, Chatter, Here, Passer
from joule.web.shell import is_offline, shell_of
from memory import queries as memory
from memory.actions import CreateProject, DeleteProject, RenameProject

router = APIRouter()

_REQUESTS = (  # what the offline model understands; see docs/models.md
    ("find something in the files", "find “spring sale” in my files"),
    ("read a file", "read brand-guide.md"),
    ("have a text summarised", "summarise brand-guide.md"),
    ("know what a table says", "which channel had the best return in campaigns.csv"),
    (
        "have a chart or a workbook made",
        "chart spend against revenue per channel from campaigns.csv and give me an Excel with the numbers",
    ),
    ("have a file written", "save that as summary.md"),
    ("have a file changed", "in summary.md replace “Q1” with “first quarter”"),
    ("have something remembered", "remember that we never use exclamation marks"),
    ("know what is remembered", "what do you remember about our tone of voice"),
    ("have something forgotten", "forget what you remember about exclamation marks"),
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A place where the words stand."""

    href: str
    title: str
    snippet: str
    project: str
    at: datetime


@router.get("/")
async def home(web: Here, person: Account) -> Response:
    """Where one goes on: the project used last, or the first page of a newcomer, or support."""
    if not allowed(person.role, Permission.CHAT):
        return RedirectResponse("/support", status_code=303)
    async with web.house.database.read(person.org) as session:
        found = await memory.list_projects(session, await web.house.vault.keyring(session, person.org))
    return RedirectResponse(f"/projects/{found[0].project}" if found else "/projects", status_code=303)


@router.get("/projects")
async def page(web: Here, person: Chatter) -> Response:
    """All projects, and the form for a new one."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person)
        found = await memory.list_projects(session, await web.house.vault.keyring(session, person.org))
    lines = [{"href": f"/projects/{each.project}", "title": each.title, "at": each.created_at} for each in found]
    return web.templates.page("projects/page.html", shell=shell, projects=lines)


@router.post("/projects")
async def create(web: Here, person: Chatter, title: Annotated[str, Form()]) -> Response:
    """Makes a project and goes there."""
    made = await web.house.commands.perform(CreateProject(principal=person.principal, title=title))
    return RedirectResponse(f"/projects/{made.project}", status_code=303)


@router.get("/projects/{project}/settings")
async def settings(web: Here, person: Chatter, project: UUID, wrong: bool = False) -> Response:
    """The project's name and its end."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
    return web.templates.page("projects/settings.html", shell=shell, wrong=wrong)


@router.post("/projects/{project}/rename")
async def rename(web: Here, person: Chatter, project: UUID, title: Annotated[str, Form()]) -> Response:
    """Gives it another name."""
    action = RenameProject(principal=person.principal, project=ProjectId(project), title=title)
    await web.house.commands.perform(action)
    return RedirectResponse(f"/projects/{project}", status_code=303)


@router.post("/projects/{project}/delete")
async def delete(web: Here, person: Chatter, project: UUID, confirmed: Annotated[str, Form()]) -> Response:
    """Deletes it with all in it, when its name was typed."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        found = await memory.project_by_id(session, keyring, ProjectId(project))
    if confirmed.strip().casefold() != found.title.strip().casefold():
        return RedirectResponse(f"/projects/{project}/settings?wrong=true", status_code=303)
    # The project goes last but one: broken off anywhere, it is still in the list to be deleted again. A conversation
    # that was begun in between goes with the third step, and once the project is gone none can begin.
    forget = ForgetProject(principal=person.principal, project=ProjectId(project))
    await web.house.commands.perform(forget)
    await web.house.commands.perform(DeleteProject(principal=person.principal, project=ProjectId(project)))
    await web.house.commands.perform(forget)
    return RedirectResponse("/projects", status_code=303)


@router.get("/search")
async def search(web: Here, person: Chatter, q: str = "") -> Response:
    """Looks for words in every conversation."""
    hits: list[tuple[memory.ProjectView, searching.Hit]] = []
    titles: dict[UUID, str] = {}
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, query=q)
        if q.strip():
            keyring = await web.house.vault.keyring(session, person.org)
            for project in await memory.list_projects(session, keyring):
                found = await searching.history(
                    session, web.house.vault, person.org, project.project, query=q, limit=20
                )
                hits += [(project, hit) for hit in found]
                if found:
                    lines = await tasks.threads(session, web.house.vault, person.org, project.project, limit=1000)
                    titles |= {each.thread: each.title for each in lines}
    shown = [
        Found(
            href=f"/projects/{project.project}/threads/{hit.thread}?task={hit.task}",
            title=titles.get(hit.thread, "Chat"),
            snippet=hit.snippet,
            project=project.title,
            at=hit.created_at,
        )
        for project, hit in hits
    ]
    return web.templates.page("search/page.html", shell=shell, hits=shown)


@router.get("/help/offline-model")
async def offline_model(web: Here, person: Passer) -> Response:
    """What the offline model is and understands."""
    shell = None
    if person is not None:
        async with web.house.database.read(person.org) as session:
            shell = await shell_of(web, session, person)
    return web.templates.page("help/offline.html", shell=shell, requests=_REQUESTS, offline=is_offline(web))
