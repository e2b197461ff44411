"""What was said is read under a live grant alone, part by part, and never before the read is on record."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import text

from joule.agent.task import Exchange
from joule.kernel.errors import JournalDown, NotFound, Refused
from joule.kernel.ids import PersonId, TaskId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import DatabaseSettings, Settings, VaultSettings
from tests.support.clock import StoppedClock
from tests.support.house import Home, home
from tests.support.postgres import TestServer
from tests.support.scripted_model import Says, ScriptedModel
from traces import reader
from traces.grants import queries, reading
from traces.grants.actions import (
    AcknowledgeAccess,
    BreakGlass,
    DeclineAccess,
    ForgetAccess,
    GrantAccess,
    ReadContent,
    RequestAccess,
    RevokeAccess,
    SecondBreakGlass,
    WithdrawAccess,
)
from traces.grants.errors import AccessOver, BadRequestForAccess, NoAccess
from traces.grants.parts import Part
from traces.grants.queries import State

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST = "Save heliotrope as plan.md; my key is sk-proj-4f9aK2mZ8qR1tY7uI0oP3sD6"
SCRIPT = [
    Says(calls=[("write_file", {"file_name": "plan.md", "text": "heliotrope"})]),
    Says(text="The zeppelin landed."),
]
EARLIER = "marzipan"


@dataclass(kw_only=True)
class Desk:
    """A house with somebody of support in it, and a clock that stands."""

    home: Home
    clock: StoppedClock
    owner_url: str

    def support(self) -> Principal:
        return Principal(org=self.home.org, person=PersonId(new_id()), role=Role.SUPPORT, via=Via.PERSON)

    async def task(self) -> TaskId:
        """A task that has ended, in a conversation in which something was said before."""
        earlier = Exchange(task=TaskId(new_id()), request=EARLIER, answer="", label=Label())
        claim = self.home.claim(REQUEST, history=(earlier,))
        await self.home.run(claim)
        return claim.task

    async def perform(self, action: Any) -> Any:
        return await self.home.house.commands.perform(action)

    async def granted(self, who: Principal, task: TaskId, *parts: Part, hours: int = 24) -> UUID:
        asked = await self.perform(RequestAccess(principal=who, task=task, parts=parts, reason="it broke", hours=hours))
        await self.perform(GrantAccess(principal=self.home.owner, access=asked.access))
        access: UUID = asked.access
        return access

    async def read(self, who: Principal, task: TaskId, *parts: Part) -> str:
        """All that `who` is shown of a task, as one text."""
        opened = await self.perform(ReadContent(principal=who, task=task, parts=parts))
        return json.dumps([dict(each.content) for each in (await self.opened(who, opened.read)).events])

    async def opened(self, who: Principal, read: UUID) -> reading.TaskContent:
        house = self.home.house
        assert who.person is not None
        async with house.database.read(self.home.org) as session:
            return await reading.content(
                session, house.vault, self.home.org, read, person=who.person, now=self.clock.now()
            )

    async def state(self, access: UUID) -> State:
        house = self.home.house
        async with house.database.read(self.home.org) as session:
            found = await queries.accesses(session, house.vault, self.home.org, now=self.clock.now())
        return next(each.state for each in found if each.id == access)

    async def alerts(self) -> queries.Alerts:
        async with self.home.house.database.read(self.home.org) as session:
            return await queries.alerts(session, self.home.org, now=self.clock.now())

    async def reads(self, task: TaskId) -> list[queries.Read]:
        async with self.home.house.database.read(self.home.org) as session:
            return await queries.reads(session, self.home.org, task=task)

    async def logged(self, action: str) -> list[dict[str, Any]]:
        """The attributes of every row of the organisation's log about `action`, oldest first."""
        async with self.home.house.database.read(self.home.org) as session:
            rows = await session.execute(
                text("SELECT head FROM trace_event WHERE action = :a ORDER BY task_id, seq"), {"a": action}
            )
            return [json.loads(bytes(row.head))["attrs"] for row in rows]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(test_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder, clock = tmp_path_factory.mktemp("desk"), StoppedClock()
    with test_server.clone() as address:
        settings = Settings(
            home=folder,
            environment="test",
            database=DatabaseSettings(url=address.app_url, owner_url=address.owner_url),
            vault=VaultSettings(key_file=folder / "kek.json"),
        )
        async with home(settings, model=ScriptedModel(script=SCRIPT), clock=clock) as found:
            yield Desk(home=found, clock=clock, owner_url=address.owner_url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def task(desk: Desk) -> TaskId:
    return await desk.task()


async def test_support_reads_nothing_without_a_grant_and_the_try_is_on_record(desk: Desk, task: TaskId) -> None:
    with pytest.raises(NoAccess):
        await desk.perform(ReadContent(principal=desk.support(), task=task))

    assert (await desk.logged("traces.read_content"))[-1]["code"] == "traces.no_access"
    assert await desk.reads(task) == []


async def test_under_a_grant_support_reads_the_granted_parts_and_no_others(desk: Desk, task: TaskId) -> None:
    who = desk.support()
    await desk.granted(who, task, Part.REQUEST, Part.ANSWER)

    shown = await desk.read(who, task)

    assert "Save heliotrope as plan.md" in shown
    assert "zeppelin" in shown
    assert '"text": "heliotrope"' not in shown  # the tool's arguments
    assert '"file"' not in shown  # its result
    with pytest.raises(NoAccess):
        await desk.read(who, task, Part.RESULTS)
    with pytest.raises(NoAccess):  # a colleague has no part in it
        await desk.read(desk.support(), task)


async def test_secrets_are_masked_and_earlier_messages_are_not_shown(desk: Desk, task: TaskId) -> None:
    shown = await desk.read(desk.home.owner, task)

    assert "sk-proj" not in shown
    assert EARLIER not in shown
    assert EARLIER in json.dumps([dict(each.content) for each in await desk.home.events(task)])  # it is on record


async def test_the_log_names_who_read_which_parts_of_which_task_and_repeats_none_of_it(
    desk: Desk, task: TaskId
) -> None:
    who = desk.support()
    access = await desk.granted(who, task, Part.REQUEST)
    await desk.read(who, task)

    newest = (await desk.logged("traces.read_content"))[-1]
    assert (newest["about_task"], newest["access"], newest["parts"]) == (str(task), str(access), "request")
    (read,) = [each for each in await desk.reads(task) if each.reader == who.person]
    assert (read.access, read.parts, read.role) == (access, (Part.REQUEST,), Role.SUPPORT)
    async with desk.home.house.database.read(desk.home.org) as session:
        journal = await session.scalar(
            text("SELECT task_id FROM trace_event WHERE action = 'traces.read_content' ORDER BY task_id DESC LIMIT 1")
        )
    told = await desk.home.house.commands.perform(ReadContent(principal=desk.home.owner, task=TaskId(journal)))
    assert "heliotrope" not in json.dumps(
        [dict(e.content) for e in (await desk.opened(desk.home.owner, told.read)).events]
    )


async def test_a_read_that_cannot_be_written_down_does_not_happen(desk: Desk, task: TaskId) -> None:
    who = desk.support()
    await desk.granted(who, task, Part.REQUEST)
    with psycopg.connect(desk.owner_url, autocommit=True) as owner:
        owner.execute("REVOKE INSERT ON trace_event FROM joule_app")
        try:
            with pytest.raises(JournalDown):
                await desk.perform(ReadContent(principal=who, task=task))
        finally:
            owner.execute("GRANT INSERT ON trace_event TO joule_app")

    assert [each for each in await desk.reads(task) if each.reader == who.person] == []
    assert "heliotrope" in await desk.read(who, task)  # positive control


async def test_a_read_opens_for_a_minute_and_for_its_reader_alone(desk: Desk, task: TaskId) -> None:
    opened = await desk.perform(ReadContent(principal=desk.home.owner, task=task))
    assert (await desk.opened(desk.home.owner, opened.read)).events

    with pytest.raises(NoAccess):
        await desk.opened(desk.support(), opened.read)
    desk.clock.advance(timedelta(seconds=60))
    with pytest.raises(NoAccess):
        await desk.opened(desk.home.owner, opened.read)
    with pytest.raises(NoAccess):
        await desk.opened(desk.home.owner, new_id())


async def test_a_grant_ends_at_its_time(desk: Desk, task: TaskId) -> None:
    who = desk.support()
    access = await desk.granted(who, task, Part.REQUEST, hours=1)
    desk.clock.advance(timedelta(minutes=59))
    assert "heliotrope" in await desk.read(who, task)

    desk.clock.advance(timedelta(minutes=1))

    assert await desk.state(access) is State.EXPIRED
    with pytest.raises(NoAccess):
        await desk.read(who, task)


async def test_revoking_ends_it_at_once_even_for_a_read_that_is_on_record(desk: Desk, task: TaskId) -> None:
    who = desk.support()
    access = await desk.granted(who, task, Part.REQUEST)
    opened = await desk.perform(ReadContent(principal=who, task=task))
    assert (await desk.opened(who, opened.read)).events

    await desk.perform(RevokeAccess(principal=desk.home.owner, access=access))

    with pytest.raises(NoAccess):
        await desk.opened(who, opened.read)
    with pytest.raises(NoAccess):
        await desk.perform(ReadContent(principal=who, task=task))
    assert await desk.state(access) is State.REVOKED


async def test_less_may_be_granted_than_was_asked_and_never_more(desk: Desk, task: TaskId) -> None:
    who, owner = desk.support(), desk.home.owner
    asked = await desk.perform(
        RequestAccess(principal=who, task=task, parts=(Part.REQUEST, Part.ANSWER), reason="it broke")
    )
    with pytest.raises(BadRequestForAccess):
        await desk.perform(GrantAccess(principal=owner, access=asked.access, parts=(Part.RESULTS,)))
    with pytest.raises(BadRequestForAccess):
        await desk.perform(GrantAccess(principal=owner, access=asked.access, hours=169))

    await desk.perform(GrantAccess(principal=owner, access=asked.access, parts=(Part.ANSWER,), hours=168))

    assert "zeppelin" in await desk.read(who, task)
    with pytest.raises(NoAccess):
        await desk.read(who, task, Part.REQUEST)
    with pytest.raises(AccessOver):
        await desk.perform(DeclineAccess(principal=owner, access=asked.access))


async def test_support_answers_nobody_and_owners_do_not_ask(desk: Desk, task: TaskId) -> None:
    who = desk.support()
    asked = await desk.perform(RequestAccess(principal=who, task=task, parts=(Part.REQUEST,), reason="it broke"))

    for refused in (
        GrantAccess(principal=who, access=asked.access),
        GrantAccess(principal=desk.support(), access=asked.access),
        RequestAccess(principal=desk.home.owner, task=task, parts=(Part.REQUEST,), reason="curious"),
        ReadContent(
            principal=Principal(org=desk.home.org, person=who.person, role=Role.MEMBER, via=Via.PERSON), task=task
        ),
        ReadContent(principal=desk.home.owner.as_agent(), task=task),
    ):
        with pytest.raises(Refused):
            await desk.perform(refused)
    same = Principal(org=desk.home.org, person=who.person, role=Role.ADMIN, via=Via.PERSON)
    with pytest.raises(NoAccess):  # somebody of support who has become an admin since
        await desk.perform(GrantAccess(principal=same, access=asked.access))
    assert await desk.state(asked.access) is State.WAITING


async def test_a_request_says_what_it_is_for_and_is_asked_once(desk: Desk, task: TaskId) -> None:
    who = desk.support()
    for bad in ({"parts": ()}, {"reason": "  "}, {"reason": "x" * 1001}, {"hours": 0}, {"hours": 169}):
        with pytest.raises(BadRequestForAccess):
            await desk.perform(
                RequestAccess(**{"principal": who, "task": task, "parts": (Part.REQUEST,), "reason": "why", **bad})
            )
    with pytest.raises(NotFound):
        await desk.perform(RequestAccess(principal=who, task=TaskId(new_id()), parts=(Part.REQUEST,), reason="why"))

    asked = await desk.perform(RequestAccess(principal=who, task=task, parts=(Part.REQUEST,), reason="why"))
    with pytest.raises(AccessOver):
        await desk.perform(RequestAccess(principal=who, task=task, parts=(Part.ANSWER,), reason="why"))
    assert (await desk.alerts()).waiting >= 1

    desk.clock.advance(timedelta(days=14))  # nobody answered
    assert await desk.state(asked.access) is State.LAPSED
    with pytest.raises(AccessOver):
        await desk.perform(GrantAccess(principal=desk.home.owner, access=asked.access))
    again = await desk.perform(RequestAccess(principal=who, task=task, parts=(Part.ANSWER,), reason="why"))
    await desk.perform(WithdrawAccess(principal=who, access=again.access))
    assert await desk.state(again.access) is State.WITHDRAWN
    with pytest.raises(NotFound):
        await desk.perform(WithdrawAccess(principal=desk.support(), access=again.access))


async def test_it_takes_two_of_support_to_break_the_glass_and_the_owners_are_told(desk: Desk, task: TaskId) -> None:
    first, second = desk.support(), desk.support()
    with pytest.raises(BadRequestForAccess):
        await desk.perform(
            BreakGlass(principal=first, task=task, parts=(Part.REQUEST,), reason="harm is near", hours=5)
        )
    broken = await desk.perform(BreakGlass(principal=first, task=task, parts=(Part.REQUEST,), reason="harm is near"))
    for nobody in (desk.home.owner, first):
        with pytest.raises(Refused):
            await desk.perform(SecondBreakGlass(principal=nobody, access=broken.access))
    with pytest.raises(NoAccess):
        await desk.read(first, task)
    assert (await desk.alerts()).unseen == ()

    await desk.perform(SecondBreakGlass(principal=second, access=broken.access))

    assert [each.id for each in (await desk.alerts()).unseen] == [broken.access]
    for who in (first, second):
        assert "heliotrope" in await desk.read(who, task)
    assert all(each.is_break_glass for each in (await desk.reads(task))[:2])
    desk.clock.advance(timedelta(hours=1))
    with pytest.raises(NoAccess):
        await desk.read(first, task)
    await desk.perform(AcknowledgeAccess(principal=desk.home.owner, access=broken.access))
    assert (await desk.alerts()).unseen == ()


async def test_the_database_itself_knows_that_two_people_are_two(desk: Desk, task: TaskId) -> None:
    who = desk.support()
    asked = await desk.perform(BreakGlass(principal=who, task=task, parts=(Part.REQUEST,), reason="harm is near"))
    change = "UPDATE content_access SET state = 'granted', answered_by = %s, answered_at = now(), parts = asked_parts, expires_at = now() + %s::interval WHERE id = %s"
    with psycopg.connect(desk.owner_url, autocommit=True) as owner:
        owner.execute("SELECT set_config('joule.org', %s, false)", (str(desk.home.org),))
        for by, lasts in ((who.person, "1 hour"), (new_id(), "5 hours")):
            with pytest.raises(psycopg.errors.CheckViolation):
                owner.execute(change, (by, lasts, asked.access))
        assert owner.execute(change, (new_id(), "1 hour", asked.access)).rowcount == 1  # positive control
        with pytest.raises(psycopg.errors.CheckViolation):
            owner.execute(
                "INSERT INTO content_read (org_id, id, task_id, reader_id, role, parts, at, forget_at, decision_id) "
                "SELECT org_id, gen_random_uuid(), task_id, asked_by, 'support', parts, now(), now(), id FROM content_access LIMIT 1"
            )


async def test_erased_content_is_said_to_be_erased_and_takes_the_reason_along(desk: Desk) -> None:
    task, who, house = await desk.task(), desk.support(), desk.home.house
    access = await desk.granted(who, task, Part.REQUEST)
    async with house.database.write(desk.home.org) as session:
        await house.vault.shred(session, desk.home.org, f"task:{task}")

    opened = await desk.perform(ReadContent(principal=who, task=task))
    content = await desk.opened(who, opened.read)

    assert content.is_erased
    assert all(not each.content for each in content.events)
    async with house.database.read(desk.home.org) as session:
        (line,) = await queries.accesses(session, house.vault, desk.home.org, now=desk.clock.now(), task=task)
        assert await reader.verify_task(session, desk.home.org, task) > 0
    assert (line.id, line.reason) == (access, None)
    with pytest.raises(BadRequestForAccess):
        await desk.perform(RequestAccess(principal=desk.support(), task=task, parts=(Part.REQUEST,), reason="why"))


async def test_what_is_past_its_time_is_deleted(desk: Desk, task: TaskId) -> None:
    system = Principal(org=desk.home.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    kept = await desk.perform(ForgetAccess(principal=system))
    assert (kept.requests, kept.reads) == (0, 0)
    house = desk.home.house
    async with house.database.write(desk.home.org) as session:
        await session.execute(text("UPDATE content_access SET forget_at = :now"), {"now": desk.clock.now()})

    gone = await desk.perform(ForgetAccess(principal=system))

    assert gone.requests > 5
    assert gone.reads == 0
