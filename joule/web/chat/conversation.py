"""The pages of a conversation: a new one, one that is going on, one of the past."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import NotFound
from joule.kernel.ids import TaskId, ThreadId
from joule.tasks import queries as tasks
from joule.web.access import Chatter, Here
from joule.web.chat.panel import panel_of
from joule.web.chat.turns import turn_of
from joule.web.chat.views import Turn
from joule.web.context import Web
from joule.web.shell import shell_of
from memory.items import queries as items

router = APIRouter()

_LEAD = "Ask about your files, have something written, or tell Joule what to remember in this project."
_WITH_FILES = (
    "Summarise what worked in campaigns.csv in our brand voice, save it as summary.md, "
    "and remember that we never use exclamation marks",
    "Which channel had the best return in campaigns.csv?",
    "Chart spend against conversions per channel from campaigns.csv and give me an Excel with the numbers",
    "What do you remember about this project?",
    "List the files and say what each is about",
)


@dataclass(frozen=True, kw_only=True)
class Composer:
    """The box a message is written in."""

    action: str
    target: str | None  # where the new turn goes; None: the answer is a whole page
    placeholder: str
    follows: UUID | None = None
    stop: str | None = None
    focus: bool = True


@dataclass(frozen=True, kw_only=True)
class Start:
    """The page of a new conversation."""

    lead: str
    ideas: tuple[str, ...]
    composer: Composer


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """The page of a conversation."""

    href: str
    title: str
    turns: tuple[Turn, ...]
    composer: Composer
    thread: UUID
    memory_on: bool  # in this chat; it may still be off in the whole project


@router.get("/projects/{project}")
async def start(web: Here, person: Chatter, project: UUID) -> Response:
    """Begins a conversation."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, project=project)
        panel = await panel_of(web, session, person, project)
    composer = Composer(action=f"/projects/{project}/messages", target=None, placeholder="Ask Joule about your work")
    page = Start(lead=_LEAD, ideas=_ideas(tuple(each.name for each in panel.files)), composer=composer)
    return web.templates.page("thread/new.html", shell=shell, panel=panel, page=page)


@router.get("/projects/{project}/threads/{thread}")
async def page(
    web: Here, person: Chatter, project: UUID, thread: UUID, task: Annotated[UUID | None, Query()] = None
) -> Response:
    """One conversation, as one branch: the one that leads through `task`, else the newest."""
    return await conversation(web, person, project, thread, task)


async def conversation(
    web: Web, person: SignedInPerson, project: UUID, thread: UUID, task: UUID | None, *, fresh: UUID | None = None
) -> Response:
    """The page. `fresh` is the task it was just asked for: the browser takes the address over, the stream tells all."""
    async with web.house.database.read(person.org) as session:
        found = await tasks.thread(
            session, web.house.vault, person.org, ThreadId(thread), leaf=TaskId(task) if task else None
        )
        if found.line.project != project:
            raise NotFound("chat")
        shell = await shell_of(web, session, person, project=project, thread=thread)
        turns = await _turns(web, session, person, found, fresh)
        # After the turns: what their events say has changed is in these lists already.
        panel = await panel_of(web, session, person, project)
        off = await items.switched_off(session, person.org, [thread])
    href = f"/projects/{project}/threads/{thread}"
    page = Conversation(
        href=href,
        title=found.line.title,
        turns=turns,
        thread=thread,
        memory_on=thread not in off,
        composer=Composer(
            action=f"{href}/messages",
            target="#turns",
            placeholder="Write a message",
            follows=turns[-1].task if task and turns else None,
            stop=f"{href}/stop",
        ),
    )
    headers = {"HX-Push-Url": f"{href}?task={task}" if task else href} if fresh else {}
    return web.templates.page("thread/page.html", 200, headers, shell=shell, panel=panel, page=page)


async def _turns(
    web: Web, session: ReadSession, person: SignedInPerson, found: tasks.ThreadView, fresh: UUID | None
) -> tuple[Turn, ...]:
    names = {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}
    turns, earlier = [], None
    for each in found.tasks:
        turns.append(await turn_of(web, session, person, each, names, fresh=each.facts.task == fresh, earlier=earlier))
        earlier = each.label
    return tuple(turns)


def _ideas(files: tuple[str, ...]) -> tuple[str, ...]:
    """What one could ask, with the names of files that are there."""
    table = next((name for name in files if name.lower().endswith(".csv")), None)
    if table is None:
        return ("Remember that our brand voice is calm and plain", "What can you do for me?")
    return tuple(idea.replace("campaigns.csv", table) for idea in _WITH_FILES)
