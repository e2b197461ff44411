"""A day at Joule in plain HTTP: everything a person can type, upload or be refused, each with a string of its own."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from joule.assembly import House
from joule.bench._planted import Planted
from joule.bench._scripted import ASKS, FAILS, RUNS, STOPS
from joule.bench._visitor import Answer, Visitor
from joule.identity.actions import FoundOrganisation, InvitePerson, IssueSignInLink
from joule.kernel.errors import Unavailable
from joule.kernel.ids import OrgId, PersonId, new_id
from joule.kernel.principal import Principal, Role, Via

PATIENCE = 60.0  # seconds for a task
_APPROVAL = re.compile(r"/chat/approvals/([0-9a-f-]{36})")


@dataclass(kw_only=True)
class Person:
    """Somebody at a browser. `principal` is theirs, for what is done without one."""

    visitor: Visitor
    principal: Principal

    async def api(self, method: str, path: str, **fields: Any) -> Any:
        """A call of the JSON API; raises `Unavailable` when it is not answered as it should be."""
        kind = {"Content-Type": "application/json"}
        answer = await self.visitor.send(
            method, f"/api/v1{path}", json.dumps(fields).encode() if fields else None, kind
        )
        if answer.status >= 300:
            raise Unavailable(f"{method} {path.split('?')[0]} ({answer.status})")
        return json.loads(answer.body)

    async def say(self, project: str, text: str, **more: str) -> str:
        """Send a message; returns the task."""
        return str((await self.api("POST", "/tasks", project=project, text=text, **more))["task"])

    async def until(self, task: str, *states: str) -> dict[str, Any]:
        """The task, once it stands in one of `states`."""
        async with asyncio.timeout(PATIENCE):
            while (seen := await self.api("GET", f"/tasks/{task}"))["state"] not in states:
                if seen["state"] in {"done", "failed", "stopped"}:
                    raise Unavailable(f"a task that ends so ({seen['state']}, {seen['code']})")
                await asyncio.sleep(0.1)
        return dict(seen)


async def found(house: House, planted: Planted, port: int) -> Person:
    """A new organisation, and its owner signed in by a link."""
    org = OrgId(new_id())
    system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    made = await house.commands.perform(
        FoundOrganisation(
            principal=system,
            organisation_name=planted.word("organisation's name"),
            owner_name=planted.word("person's name"),
            owner_email=f"{planted.word('e-mail address')}@example.test",
        )
    )
    return await _signed_in(house, planted, port, org, made.person, Role.OWNER)


async def supporter(house: House, planted: Planted, owner: Person) -> Person:
    """A support person of the owner's organisation, signed in."""
    org = owner.principal.org
    made = await house.commands.perform(
        InvitePerson(
            principal=owner.principal, person_name="Support", email=f"s-{org.hex[-8:]}@example.test", role=Role.SUPPORT
        )
    )
    return await _signed_in(house, planted, owner.visitor.port, org, made.person, Role.SUPPORT)


async def _signed_in(house: House, planted: Planted, port: int, org: OrgId, person: PersonId, role: Role) -> Person:
    system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    link = await house.commands.perform(IssueSignInLink(principal=system, person=person))
    visitor = Visitor(port=port)
    planted.note(f"{role.value}'s link", link.token.get_secret_value().partition(".")[2])
    session = await visitor.sign_in(link.token.get_secret_value())
    planted.note(f"{role.value}'s session", session.partition(".")[2])
    return Person(visitor=visitor, principal=Principal(org=org, person=person, role=role, via=Via.PERSON))


async def a_day(owner: Person, planted: Planted) -> tuple[str, ...]:
    """All of it; returns the tasks, ended."""
    project = await _fill(owner, planted)
    tasks = (
        await _ask(owner, planted, project),
        await _approve(owner, planted, project),
        await _stop(owner, planted, project),
        await _fail(owner, planted, project),
        await _run(owner, planted, project),
    )
    await _look(owner, planted, project, tasks)
    await _be_refused(owner, planted, project)
    await _account(owner, planted)
    return tasks


def expect(answer: Answer, *statuses: int) -> None:
    """Raises `Unavailable` for any other status: an errand that was not done would leave nothing to look for."""
    if answer.status not in statuses:
        raise Unavailable(f"an errand ({answer.status})")


async def _fill(owner: Person, planted: Planted) -> str:
    visitor, word = owner.visitor, planted.word
    expect(await visitor.form("/projects", title=word("project's title")), 303)
    project = str((await owner.api("GET", "/projects"))[0]["project"])
    body = f"# Guide\n\n{word('file body')}\n".encode()
    upload = {"X-Upload": f"{word('file name')}.md"}
    expect(await visitor.send("PUT", f"/projects/{project}/files", body, upload), 200)
    await owner.api("POST", f"/projects/{project}/memory", text=word("remembered item"), kind="fact")
    item = (await owner.api("GET", f"/projects/{project}/memory"))[0]["item"]
    expect(await visitor.form(f"/projects/{project}/memory/{item}", text=word("edited item")), 200)
    address = f"{word('invited address')}@example.test"
    expect(await visitor.form("/admin/members", name=word("invited name"), email=address, role="member"), 200)
    return project


async def _ask(owner: Person, planted: Planted, project: str) -> str:
    task = await owner.say(project, f"summarise {planted.word('file name')}.md about {planted.word('prompt')}")
    seen = await owner.until(task, "done")
    thread = f"/projects/{project}/threads/{seen['thread']}"
    expect(await owner.visitor.form(f"{thread}/rename", title=planted.word("thread's title")), 303)
    return task


async def _approve(owner: Person, planted: Planted, project: str) -> str:
    task = await owner.say(project, f"{ASKS} {planted.word('prompt of an approval')}")
    seen = await owner.until(task, "waiting")
    page = await owner.visitor.get(f"/projects/{project}/threads/{seen['thread']}")
    (approval, *_) = _APPROVAL.findall(page.text) or [""]
    note = planted.word("approval note")
    expect(await owner.visitor.form(f"/chat/approvals/{UUID(approval)}", answer="approve", note=note), 204)
    await owner.until(task, "done")
    return task


async def _stop(owner: Person, planted: Planted, project: str) -> str:
    task = await owner.say(project, f"{STOPS} {planted.word('prompt of a stopped task')}")
    await owner.until(task, "running")
    await asyncio.sleep(1)
    await owner.api("POST", f"/tasks/{task}/stop")
    await owner.until(task, "stopped")
    return task


async def _run(owner: Person, planted: Planted, project: str) -> str:
    task = await owner.say(project, f"{RUNS} {planted.word('prompt of a run')}")
    await owner.until(task, "done")
    artifacts = await owner.visitor.get(f"/projects/{project}/artifacts")
    if planted.word("name of an artifact") not in artifacts.text:
        raise Unavailable("an artifact")  # nothing was left that could be looked for
    return task


async def _fail(owner: Person, planted: Planted, project: str) -> str:
    task = await owner.say(project, f"{FAILS} {planted.word('prompt of a failing model call')}")
    await owner.until(task, "failed")
    return task


async def _look(owner: Person, planted: Planted, project: str, tasks: tuple[str, ...]) -> None:
    visitor, asked = owner.visitor, quote(planted.word("search query"))
    for path in (
        f"/search?q={asked}",
        f"/projects/{project}/memory/list?q={asked}",
        *(f"/chat/tasks/{task}/stream" for task in tasks),
        *(f"/api/v1/tasks/{task}/events" for task in tasks),
        "/admin/members",
        "/admin/audit",
    ):
        expect(await visitor.get(path), 200)


async def _be_refused(owner: Person, planted: Planted, project: str) -> None:
    """What is turned away leaves no more behind than what is let in."""
    visitor, word = owner.visitor, planted.word
    files, json_kind = f"/projects/{project}/files", {"Content-Type": "application/json"}
    large = word("body of a rejected upload").encode() * 40_000
    too_large = {"X-Upload": f"{word('name of a rejected upload')}.md"}
    expect(await visitor.send("PUT", files, large, too_large), 413, 422)
    outside = {"X-Upload": quote(f"../{word('path of a rejected upload')}", safe="")}
    expect(await visitor.send("PUT", files, b"x", outside), 422)
    await visitor.send("POST", "/api/v1/tasks", f'{{"project": "{word("broken JSON")}'.encode(), json_kind)
    await visitor.send(
        "POST", "/api/v1/tasks", json.dumps({"project": word("wrong id"), "text": "x"}).encode(), json_kind
    )
    await visitor.get(f"/{word('unknown path')}")
    await visitor.get(f"/support?task={word('wrong task')}")
    stranger = Visitor(port=visitor.port)
    await stranger.get(f"/sign-in/link?token={word('forged link')}")
    await stranger.form("/sign-in/link", token=word("forged link"))
    await stranger.form("/sign-in", email=f"{word('unknown address')}@example.test", password=word("wrong password"))
    stranger.cookie = f"joule={word('forged session')}"
    await stranger.get("/projects")


async def _account(owner: Person, planted: Planted) -> None:
    expect(await owner.visitor.form("/account/name", name=planted.word("new name")), 303)
    expect(await owner.visitor.form("/account/password", password=planted.word("password")), 303)
    fresh = Visitor(port=owner.visitor.port)
    email = f"{planted.word('e-mail address')}@example.test"
    expect(await fresh.form("/sign-in", email=email, password=planted.word("password")), 303)
    planted.note("session by password", fresh.cookie.partition("=")[2].partition(".")[2])
