"""Whether one organisation can reach another's rows: through every table, and through every page and call of the web.

Two organisations are filled alike. As the application, under one's name, no name and a wrong name, every table is read
for rows of the other. Then the first one's owner asks every route there is for the other's ids, alone and mixed with
their own; nothing of the other may come back, and not a row of theirs may have changed. The other one's own owner is
the control: they do see it.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from uuid import UUID

import psycopg
from fastapi.routing import APIRoute
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import text

from joule.assembly import House, open_house
from joule.bench import _ended, _traced
from joule.bench._ground import Ground, ground
from joule.bench._holdings import fill
from joule.bench._rotating import Rotating, rotating
from joule.bench._visitor import Answer, Visitor, web_process
from joule.bench.report import Report
from joule.identity.actions import FoundOrganisation, InvitePerson, IssueSignInLink
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from joule.tasks.actions import StartTask
from joule.web import admin, api, chat, support
from memory.actions import CreateProject, Remember, UploadFile
from memory.knowledge.actions import AddDocument, IndexDocument
from traces import reader

TARGETS = {"foreign_rows": {"max": 0.0}, "controls_missed": {"max": 0.0}}
REQUEST = "Forget that"  # forgetting ends in a question to a person, so that there is an approval too
# Names of what belongs to no organisation; artifacts are made in their own room's tests.
NOBODYS = {"provider": "demo_crm", "artifact": str(new_id())}
WORDS = {
    "code": "a-code",
    "answer": "approve",
    "role": "member",
    "name": "namespace",
    "confirmed": "yes",
    "kind": "fact",
    "version": "1",
    "data_class": "memory",
    "scope": "person",
    **dict.fromkeys(("pinned", "sure", "with_files"), "true"),
}


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """One organisation: its mark, which all its content carries, the ids of all it has, and its owner's browser."""

    org: OrgId
    mark: str
    ids: Mapping[str, str]
    visitor: Visitor


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """What was tried and what came through."""

    tables: int
    endpoints: int
    requests: int
    foreign: list[str]
    controls_missed: int


async def run(*, quick: bool, **_: object) -> Report:
    """`quick` changes nothing: all is tried either way."""
    async with ground() as here:
        found = await cross(here)
    return Report(
        name="tenants",
        figures={
            "tables": found.tables,
            "endpoints": found.endpoints,
            "requests": found.requests,
            "foreign_rows": len(found.foreign),
            "controls_missed": found.controls_missed,
        },
        targets=TARGETS,
        notes="; ".join(found.foreign) or "every route of the web, with foreign ids alone and mixed with one's own",
    )


async def cross(here: Ground) -> Crossing:
    """Fill two organisations on fresh ground and try to cross from the first to the second."""
    log = here.home / "web.log"
    async with (
        rotating() as provider,
        open_house(settings := _beside(here.settings, provider)) as house,
        web_process(settings, log=log, temporary=here.home) as port,
    ):
        ours, theirs = [await _tenant(house, port, provider, name) for name in ("ours", "theirs")]
        superuser = make_conninfo(here.address.owner_url, user="postgres")
        tables = await asyncio.to_thread(_tables, superuser)
        foreign = await asyncio.to_thread(_rows, here.address.app_url, tables, ours, theirs)
        before = await asyncio.to_thread(_digests, superuser, tables, theirs.org)
        routes = _routes()
        tried = [request for route in routes for request in _requests(route, ours, theirs)]
        for method, path, body, kind in tried:
            answer = await ours.visitor.send(method, path, body, {"Content-Type": kind})
            if shown := _shown(answer, theirs, asked=path + (body or b"").decode(errors="replace")):
                foreign.append(f"{method} {path} showed {shown}")
        after = await asyncio.to_thread(_digests, superuser, tables, theirs.org)
        foreign += [f"a row of {table} changed" for table in tables if before[table] != after[table]]
        missed = await _controls(routes, theirs)
    return Crossing(
        tables=len(tables), endpoints=len(routes), requests=len(tried), foreign=foreign, controls_missed=missed
    )


async def _tenant(house: House, port: int, provider: Rotating, name: str) -> Tenant:
    org, mark = OrgId(new_id()), f"mark-of-{name}-{new_id().hex[-8:]}"
    system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    made = await house.commands.perform(
        FoundOrganisation(
            principal=system, organisation_name=mark, owner_name=mark, owner_email=f"{mark}@tenants.invalid"
        )
    )
    owner = Principal(org=org, person=made.person, role=Role.OWNER, via=Via.PERSON)
    perform = house.commands.perform
    project = (await perform(CreateProject(principal=owner, title=mark))).project
    file = await perform(UploadFile(principal=owner, project=project, file_name="note.txt", content=mark.encode()))
    item = await perform(Remember(principal=owner, project=project, text=mark))
    document = await perform(AddDocument(principal=owner, project=project, title=mark, content=mark.encode()))
    await perform(IndexDocument(principal=system, project=project, document=document.document))
    invited = await perform(
        InvitePerson(principal=owner, person_name=mark, email=f"member-{mark}@tenants.invalid", role=Role.MEMBER)
    )
    started = await perform(StartTask(principal=owner, project=project, text=f"{REQUEST} {mark}"))
    approval = await _worked(house, org, started.task)
    link = await perform(IssueSignInLink(principal=system, person=made.person))
    visitor = Visitor(port=port)
    await visitor.sign_in(link.token.get_secret_value())
    session = await _session(house, org)
    traced = await _traced.fill(house, owner, mark=mark, task=started.task)
    holdings = (await fill(house, owner, provider, mark=mark)).ids()
    ids = {
        "project": project,
        "thread": started.thread,
        "task": started.task,
        "file": file.file,
        "item": item.item,
        "document": document.document,
        "member": invited.person,
        "session": session,
        "approval": approval,
        "follows": started.task,
        "replaces": started.task,
        "question": approval,
        **traced,
        "a": started.task,
        "b": started.task,
        **holdings,
        **await _ended.fill(house, owner, project, invited.person, mark=mark),
    }
    return Tenant(org=org, mark=mark, ids={key: str(value) for key, value in ids.items()}, visitor=visitor)


def _beside(settings: Settings, provider: Rotating) -> Settings:
    known = settings.integrations.model_copy(update={"demo_port": provider.port})
    return settings.model_copy(update={"integrations": known})


async def _worked(house: House, org: OrgId, task: TaskId) -> UUID:
    """Let a worker run until the task asks its question; the question's id."""
    stop = asyncio.Event()
    working = asyncio.create_task(house.work(stop=stop))
    try:
        async with asyncio.timeout(60):
            while True:
                async with house.database.read(org) as session:
                    rows = await reader.events(session, None, org, task)
                for row in rows:
                    if row.kind == "approval.asked":
                        return UUID(row.attrs["approval_id"])
                await asyncio.sleep(0.1)
    finally:
        stop.set()
        await working


async def _session(house: House, org: OrgId) -> UUID:
    async with house.database.read(org) as session:
        found: UUID = (await session.execute(text("SELECT id FROM web_session"))).scalar_one()
    return found


def _routes() -> list[APIRoute]:
    routers = (*chat.routers, *support.routers, *admin.routers, *admin.integrations.ways_back, *api.routers)
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def _requests(route: APIRoute, ours: Tenant, theirs: Tenant) -> list[tuple[str, str, bytes | None, str]]:
    """The route with the other's ids in every place an id can stand, in all mixtures with at least one of theirs."""
    names = [field.name for field in route.dependant.path_params]
    queries = [field.name for field in route.dependant.query_params if field.name in theirs.ids]
    fields = [field.name for field in route.dependant.body_params]
    made = []
    for method in sorted(route.methods or ()):
        for owners, ended in product(product((theirs, ours), repeat=len(names)), {False, "connection" in names}):
            if names and all(each is ours for each in owners):
                continue
            path = route.path
            for name, owner in zip(names, owners, strict=True):
                value = owner.ids["ended"] if ended and name == "connection" else owner.ids.get(name)
                path = path.replace(f"{{{name}}}", value or NOBODYS.get(name) or WORDS[name])
            if queries:
                path += "?" + "&".join(f"{name}={theirs.ids[name]}" for name in queries)
            made.append((method, path, *_body(fields, theirs)))
    return made


def _body(fields: Sequence[str], theirs: Tenant) -> tuple[bytes | None, str]:
    if fields == ["given"]:
        given = {**theirs.ids, "text": "x", "title": "x", "approved": True, "kind": "fact", "pinned": True}
        return json.dumps(given).encode(), "application/json"
    if fields:
        pairs = ((name, theirs.ids.get(name) or WORDS.get(name, "x")) for name in fields)
        return "&".join(f"{name}={value}" for name, value in pairs).encode(), "application/x-www-form-urlencoded"
    return None, "text/plain"


def _shown(answer: Answer, theirs: Tenant, *, asked: str) -> str | None:
    """What of the other's the answer holds that was not in the question itself."""
    if theirs.mark in answer.text:
        return "content"
    return next((name for name, value in theirs.ids.items() if value in answer.text and value not in asked), None)


async def _controls(routes: Sequence[APIRoute], theirs: Tenant) -> int:
    """How many of the pages about their own things fail to show them to their own owner. It must be none."""
    must = {
        "/projects/{project}",
        "/projects/{project}/threads/{thread}",
        "/projects/{project}/files/{file}",
        "/projects/{project}/memory",
        "/projects/{project}/knowledge",
        "/projects/{project}/knowledge/{document}",
        "/api/v1/projects",
        "/admin/members",
        "/admin/integrations",
        "/admin/integrations/mcp",
        "/admin/connections/{connection}",
        "/admin/access",
    }
    missed = 0
    for route in routes:
        if route.path in must and "GET" in (route.methods or ()):
            answer = await theirs.visitor.get(route.path.format(**theirs.ids, **NOBODYS))
            missed += theirs.mark not in answer.text
    return missed


def _tables(superuser: str) -> list[str]:
    """Every table that has organisations in it, partitions apart."""
    with psycopg.connect(superuser, autocommit=True) as connection:
        found = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' "
            "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' "
            "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
        ).fetchall()
    return [row[0] for row in found]


def _rows(app_url: str, tables: Sequence[str], ours: Tenant, theirs: Tenant) -> list[str]:
    """Rows of the other that the application sees under our name, no name and a name nobody has."""
    foreign = []
    with psycopg.connect(app_url, autocommit=True) as connection:
        for name in (str(ours.org), "", str(new_id())):
            connection.execute("SELECT set_config('joule.org', %s, false)", (name,))
            for table in tables:
                statement = sql.SQL("SELECT count(*) FROM {} WHERE org_id = %s").format(sql.Identifier(table))
                (count,) = connection.execute(statement, (theirs.org,)).fetchone() or (0,)
                foreign += [f"{count} rows of {table} under {name or 'no name'}"] if count else []
    return foreign


def _digests(superuser: str, tables: Sequence[str], org: OrgId) -> dict[str, str]:
    """A digest of all an organisation has in each table."""
    digests = {}
    with psycopg.connect(superuser, autocommit=True) as connection:
        for table in tables:
            statement = sql.SQL("SELECT t::text FROM {} t WHERE org_id = %s ORDER BY 1").format(sql.Identifier(table))
            rows = connection.execute(statement, (org,)).fetchall()
            digests[table] = hashlib.sha256("\n".join(row[0] for row in rows).encode()).hexdigest()
    return digests
