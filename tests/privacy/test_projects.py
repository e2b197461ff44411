"""Deleting a project takes along all that was said in it, and the keys it was sealed under."""

import asyncio

import pytest
from sqlalchemy import text

from joule.assembly.memories import known_project
from joule.kernel.errors import NotFound, Refused
from joule.kernel.ids import TaskId
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from joule.tasks import queries
from joule.tasks.actions import ForgetProject, Started, StartTask
from joule.tasks.state import State
from joule.vault.errors import Shredded
from memory.actions import CreateProject, DeleteProject
from tests.support.house import Home, home


async def _say(here: Home, words: str, **more: object) -> Started:
    action = StartTask(principal=here.owner, project=here.project, text=words)
    return await here.house.commands.perform(action)


async def _ended(here: Home, task: TaskId) -> None:
    async with asyncio.timeout(30):
        while True:
            async with here.house.database.read(here.org) as session:
                if (await queries.facts(session, here.org, task)).state.is_ended:
                    return
            await asyncio.sleep(0.05)


async def _delete(here: Home) -> None:
    forget = ForgetProject(principal=here.owner, project=here.project)
    await here.house.commands.perform(forget)
    await here.house.commands.perform(DeleteProject(principal=here.owner, project=here.project))
    await here.house.commands.perform(forget)


async def test_nothing_that_was_said_in_a_deleted_project_can_be_read(settings: Settings) -> None:
    async with home(settings) as here:
        stop = asyncio.Event()
        working = asyncio.create_task(here.serve(stop))
        done = await _say(here, "what do you remember about the tangerine lamp")
        await _ended(here, done.task)
        stop.set()
        await working
        waiting = await _say(here, "another one about the tangerine lamp")
        assert [each.kind for each in await here.events(done.task)][-1] == "task.ended"  # it could be read until now

        await _delete(here)

        async with here.house.database.read(here.org) as session:
            assert await queries.threads(session, here.house.vault, here.org, here.project) == []
            for task in (done.task, waiting.task):
                with pytest.raises(NotFound):
                    await queries.task(session, here.house.vault, here.org, task)
                with pytest.raises(Shredded):
                    await here.house.vault.keyring(session, here.org, f"task:{task}")
            sealed = await session.execute(
                text("SELECT count(*) FROM trace_content WHERE task_id = :task"), {"task": done.task}
            )
            assert sealed.scalar_one() > 0  # what is left of it opens for nobody
        async with here.house.database.unscoped() as session:
            jobs = await session.execute(text("SELECT count(*) FROM queue.procrastinate_jobs"))
            assert jobs.scalar_one() == 0


async def test_another_project_keeps_its_conversations(settings: Settings) -> None:
    async with home(settings) as here:
        other = await here.house.commands.perform(CreateProject(principal=here.owner, title="Autumn"))
        kept = await here.house.commands.perform(
            StartTask(principal=here.owner, project=other.project, text="keep this")
        )
        await _say(here, "and not this")

        await _delete(here)

        async with here.house.database.read(here.org) as session:
            view = await queries.task(session, here.house.vault, here.org, kept.task)
        assert (view.request, view.facts.state) == ("keep this", State.QUEUED)


async def test_a_deletion_that_was_broken_off_is_finished_by_asking_again(settings: Settings) -> None:
    async with home(settings) as here:
        await _say(here, "first")
        await here.house.commands.perform(ForgetProject(principal=here.owner, project=here.project))
        await _say(here, "begun in between")

        await _delete(here)

        async with here.house.database.read(here.org) as session:
            assert await queries.threads(session, here.house.vault, here.org, here.project) == []
        with pytest.raises(NotFound):
            await _say(here, "too late")


async def test_a_conversation_being_begun_makes_the_deletion_wait(settings: Settings) -> None:
    async with home(settings) as here:
        async with here.house.database.write(here.org) as session:
            assert await known_project(session, here.org, here.project)  # as the start of a conversation asks
            deleting = asyncio.create_task(_delete(here))
            await asyncio.sleep(0.5)
            assert not deleting.done()
        await deleting


@pytest.mark.parametrize(
    ("role", "via"), [(Role.MEMBER, Via.PERSON), (Role.OWNER, Via.AGENT), (Role.SUPPORT, Via.PERSON)]
)
async def test_only_owners_and_admins_by_their_own_hand_forget_a_project(
    settings: Settings, role: Role, via: Via
) -> None:
    async with home(settings) as here:
        said = await _say(here, "stays")
        other = Principal(org=here.org, person=here.owner.person, role=role, via=via)

        with pytest.raises(Refused):
            await here.house.commands.perform(ForgetProject(principal=other, project=here.project))

        async with here.house.database.read(here.org) as session:
            assert (await queries.task(session, here.house.vault, here.org, said.task)).request == "stays"
