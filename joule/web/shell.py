"""What stands around every page: the rail's lists, who is signed in, and which model answers."""

from dataclasses import dataclass
from uuid import UUID

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.permissions import Permission, allowed
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import NotFound
from joule.kernel.ids import ProjectId, ThreadId
from joule.tasks import queries as tasks
from joule.web import wording
from joule.web.context import Web
from memory import queries as memory
from memory.queries import ProjectView
from traces.ending import holds
from traces.grants import queries as grants
from traces.grants.queries import Alerts

SHOWN_THREADS = 40


@dataclass(frozen=True, kw_only=True)
class Link:
    """One line of a list in the rail."""

    href: str
    title: str
    icon: str = ""
    current: bool = False
    count: int = 0  # of things there that wait for this person


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something this person should know of whatever page they are on."""

    href: str
    title: str
    short: str  # on a phone
    tone: str


@dataclass(frozen=True, kw_only=True)
class Shell:
    """The frame of one page."""

    person: str
    organisation: str
    role: str
    model: str
    offline: bool
    may_chat: bool
    places: tuple[Link, ...]
    projects: tuple[Link, ...] = ()
    project: Link | None = None
    threads: tuple[Link, ...] = ()
    query: str = ""
    alerts: tuple[Alert, ...] = ()


_ACCESS = "/admin/access"
_RETENTION = "/admin/retention"
_PLACES = (
    ("/admin/members", "Members", "people", Permission.MEMBERS),
    ("/admin/integrations", "Integrations", "plug", Permission.INTEGRATIONS),
    ("/admin/settings", "Settings", "gear", Permission.SETTINGS),
    ("/admin/policy", "Policy", "hand", Permission.SETTINGS),
    ("/admin/data-use", "Data use", "shield", Permission.SETTINGS),
    ("/admin/sandboxes", "Sandboxes", "code", Permission.SETTINGS),
    (_RETENTION, "Retention", "clock", Permission.SETTINGS),
    ("/admin/audit", "Audit log", "list", Permission.SETTINGS),
    ("/admin/proof", "Proof", "check", Permission.SETTINGS),
    (_ACCESS, "Access to content", "key", Permission.CONTENT_ACCESS),
    ("/support", "Support", "life", Permission.SUPPORT_TIMELINE),
    ("/support/connections", "Connection health", "clock", Permission.CONNECTION_HEALTH),
)


async def shell_of(
    web: Web,
    session: ReadSession,
    person: SignedInPerson,
    *,
    project: UUID | None = None,
    thread: UUID | None = None,
    at: str = "",
    query: str = "",
) -> Shell:
    """The frame for `person`. Raises `NotFound` for a project that is not there. `at`: the place of this page."""
    may_chat = allowed(person.role, Permission.CHAT)
    projects = await _projects(web, session, person) if may_chat else ()
    links = tuple(
        Link(href=f"/projects/{each.project}", title=each.title, current=each.project == project) for each in projects
    )
    current = next((each for each in links if each.current), None)
    if project is not None and current is None:
        raise NotFound("project")
    threads: tuple[Link, ...] = ()
    if project is not None:
        threads = await _threads(web, session, person, ProjectId(project), thread)
    told = await _told(web, session, person)
    return Shell(
        person=person.name,
        organisation=await people.organisation_name(session, web.house.vault, person.org),
        role=person.role.value.capitalize(),
        model=web.settings.llm.name,
        offline=is_offline(web),
        may_chat=may_chat,
        places=tuple(
            Link(
                href=href,
                title=title,
                icon=icon,
                current=href == at,
                count=told.waiting if href == _ACCESS and told else 0,
            )
            for href, title, icon, permission in _PLACES
            if allowed(person.role, permission)
        ),
        projects=links,
        project=current,
        threads=threads,
        query=query,
        alerts=(*(_alerts(told) if at != _ACCESS else ()), *await _held(session, person, at)),
    )


async def _told(web: Web, session: ReadSession, person: SignedInPerson) -> Alerts | None:
    """What waits for whoever decides about access to content."""
    if not allowed(person.role, Permission.CONTENT_ACCESS):
        return None
    return await grants.alerts(session, person.org, now=web.house.clock.now())


async def _held(session: ReadSession, person: SignedInPerson, at: str) -> tuple[Alert, ...]:
    """That nothing of the organisation can be deleted for now, wherever somebody might try to."""
    if at == _RETENTION or holds.on(await holds.standing(session, person.org)) is None:
        return ()
    href = _RETENTION if allowed(person.role, Permission.SETTINGS) else "/account"
    return (Alert(href=href, title="Legal hold: nothing is deleted for now", short="Legal hold", tone="ask"),)


def _alerts(told: Alerts | None) -> tuple[Alert, ...]:
    if told is None:
        return ()
    found = []
    if told.unseen:
        found.append(
            Alert(href=_ACCESS, title="Content was opened without a grant", short="Break-glass", tone="no"),
        )
    if told.waiting:
        title = wording.counted(told.waiting, "request for access", "requests for access")
        found.append(Alert(href=_ACCESS, title=title, short=str(told.waiting), tone="ask"))
    return tuple(found)


async def _projects(web: Web, session: ReadSession, person: SignedInPerson) -> tuple[ProjectView, ...]:
    return await memory.list_projects(session, await web.house.vault.keyring(session, person.org))


def is_offline(web: Web) -> bool:
    """Whether no provider is connected, so that the offline model answers."""
    return web.settings.llm.name == "offline"


async def _threads(
    web: Web, session: ReadSession, person: SignedInPerson, project: ProjectId, thread: UUID | None
) -> tuple[Link, ...]:
    lines = await tasks.threads(session, web.house.vault, person.org, project, limit=SHOWN_THREADS)
    return tuple(
        Link(
            href=f"/projects/{project}/threads/{ThreadId(each.thread)}",
            title=each.title,
            current=each.thread == thread,
        )
        for each in lines
    )
