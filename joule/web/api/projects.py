"""Projects and their threads."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from joule.kernel.ids import ProjectId
from joule.tasks import queries as tasks
from joule.web.access import Chatter, Here
from memory import queries as memory
from memory.actions import CreateProject, RenameProject

router = APIRouter(prefix="/api/v1")


class ProjectIn(BaseModel):
    """A project as it is to be called."""

    title: str


class ProjectOut(BaseModel):
    """A project."""

    project: UUID
    title: str
    created_at: datetime


class ProjectMadeOut(BaseModel):
    """The project that was made or renamed."""

    project: UUID


class ThreadOut(BaseModel):
    """A thread of a project."""

    thread: UUID
    title: str
    updated_at: datetime


@router.get("/projects")
async def projects(web: Here, person: Chatter) -> list[ProjectOut]:
    """All projects, last changed first."""
    async with web.house.database.read(person.org) as session:
        found = await memory.list_projects(session, await web.house.vault.keyring(session, person.org))
    return [ProjectOut(project=each.project, title=each.title, created_at=each.created_at) for each in found]


@router.post("/projects", status_code=201)
async def create(web: Here, person: Chatter, given: ProjectIn) -> ProjectMadeOut:
    """Makes a project."""
    made = await web.house.commands.perform(CreateProject(principal=person.principal, title=given.title))
    return ProjectMadeOut(project=made.project)


@router.patch("/projects/{project}")
async def rename(web: Here, person: Chatter, project: UUID, given: ProjectIn) -> ProjectMadeOut:
    """Gives a project another title."""
    action = RenameProject(principal=person.principal, project=ProjectId(project), title=given.title)
    return ProjectMadeOut(project=(await web.house.commands.perform(action)).project)


@router.get("/projects/{project}/threads")
async def threads(web: Here, person: Chatter, project: UUID) -> list[ThreadOut]:
    """The threads of a project, the one used last first."""
    async with web.house.database.read(person.org) as session:
        keyring = await web.house.vault.keyring(session, person.org)
        await memory.project_by_id(session, keyring, ProjectId(project))
        found = await tasks.threads(session, web.house.vault, person.org, ProjectId(project))
    return [ThreadOut(thread=each.thread, title=each.title, updated_at=each.updated_at) for each in found]
