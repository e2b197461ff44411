"""Threads and tasks as people make, read and delete them."""

import pytest
from sqlalchemy import text

from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, ProjectId, new_id
from joule.kernel.principal import Role
from joule.tasks import queries, search
from joule.tasks.actions import DeleteMessage, DeleteThread, RenameThread, StartTask
from joule.tasks.errors import EmptyRequest, NotYours, RequestTooLong, TaskEnded, TaskUnfinished
from joule.tasks.handler import MAX_REQUEST
from joule.tasks.state import State
from joule.vault.errors import Shredded
from tests.tasks.conftest import KNOWN_PROJECT, Desk


async def test_a_message_becomes_a_thread_a_task_and_a_job(desk):
    started = await desk.send("Summarise campaigns.csv\nplease")

    seen = await desk.see(started.task)
    assert (seen.request, seen.answer, seen.facts.state) == ("Summarise campaigns.csv\nplease", None, State.QUEUED)
    assert await desk.jobs() == [started.task]
    async with desk.database.read(desk.org) as session:
        (line,) = await queries.threads(session, desk.vault, desk.org, KNOWN_PROJECT)
    assert (line.thread, line.title) == (started.thread, "Summarise campaigns.csv")


async def test_a_lost_transaction_leaves_no_thread_no_task_no_key_and_no_job(desk):
    with pytest.raises(RuntimeError):
        await desk.do(desk.message("hello"), then_fail=True)

    async with desk.database.read(desk.org) as session:
        counts = {
            table: (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
            for table in ("thread", "task", "data_key")
        }
    assert set(counts.values()) == {0}
    assert await desk.jobs() == []


async def test_no_word_is_stored_in_clear(desk, owner_url):
    await desk.send("canary-7f3a in a prompt")

    async with desk.database.read(desk.org) as session:
        stored = (await session.execute(text("SELECT title || request FROM thread, task"))).scalar_one()
        jobs = (await session.execute(text("SELECT args::text FROM queue.procrastinate_jobs"))).scalar_one()
    assert b"canary" not in bytes(stored)
    assert "canary" not in jobs


async def test_another_organisation_sees_nothing_of_it(desk, desk_of, person):
    started = await desk.send("ours alone")
    stranger = desk_of(OrgId(new_id()), person, Role.OWNER)

    with pytest.raises(NotFound):
        await stranger.see(started.task)
    with pytest.raises(NotFound):
        await stranger.do(DeleteThread(principal=stranger.principal, thread=started.thread))
    with pytest.raises(NotFound):
        await stranger.send("let me in", started.thread)
    assert (await desk.see(started.task)).request == "ours alone"


@pytest.mark.parametrize(("words", "error"), [(" \n", EmptyRequest), ("x" * (MAX_REQUEST + 1), RequestTooLong)])
async def test_a_message_must_have_words_and_an_end(desk, words, error):
    with pytest.raises(error):
        await desk.send(words)

    await desk.send("x" * MAX_REQUEST)


async def test_an_unknown_project_has_no_threads(desk):
    with pytest.raises(NotFound):
        await desk.do(StartTask(principal=desk.principal, project=ProjectId(new_id()), text="hello"))


async def test_a_message_waits_for_the_one_before_it(desk):
    first = await desk.send("one")

    with pytest.raises(TaskUnfinished):
        await desk.send("two", first.thread)

    await desk.stop(first.task)
    second = await desk.send("two", first.thread)
    assert (await desk.see(second.task)).follows == first.task


async def test_an_edited_message_is_a_branch_beside_the_first(desk):
    first = await desk.send("one")
    await desk.stop(first.task)
    second = await desk.send("two", first.thread)
    await desk.stop(second.task)
    edited = await desk.send("two, better", first.thread, replaces=second.task)

    async with desk.database.read(desk.org) as session:
        newest = await queries.thread(session, desk.vault, desk.org, first.thread)
        older = await queries.thread(session, desk.vault, desk.org, first.thread, leaf=second.task)
    assert [each.request for each in newest.tasks] == ["one", "two, better"]
    assert [each.request for each in older.tasks] == ["one", "two"]
    assert newest.tasks[1].alternatives == (second.task, edited.task)


async def test_the_first_message_can_be_edited_too(desk):
    first = await desk.send("one")
    await desk.stop(first.task)
    edited = await desk.send("uno", first.thread, replaces=first.task)

    async with desk.database.read(desk.org) as session:
        seen = await queries.thread(session, desk.vault, desk.org, first.thread)
    assert [each.facts.task for each in seen.tasks] == [edited.task]
    assert seen.tasks[0].alternatives == (first.task, edited.task)


async def test_deleting_a_thread_takes_its_rows_its_jobs_and_its_keys(desk):
    started = await desk.send("forget this")

    gone = await desk.do(DeleteThread(principal=desk.principal, thread=started.thread))

    assert gone.tasks == 1
    assert await desk.jobs() == []
    async with desk.database.read(desk.org) as session:
        assert await queries.threads(session, desk.vault, desk.org, KNOWN_PROJECT) == []
        with pytest.raises(Shredded):
            await desk.vault.keyring(session, desk.org, f"task:{started.task}")


async def test_a_deleted_message_takes_its_key_and_the_title_that_was_its_words_and_the_rest_closes_up(desk):
    first = await desk.send("Our secret budget")
    await desk.stop(first.task)
    second = await desk.send("two", first.thread)
    await desk.stop(second.task)
    third = await desk.send("three", first.thread)

    gone = await desk.do(DeleteMessage(principal=desk.principal, task=first.task))
    await desk.do(DeleteMessage(principal=desk.principal, task=third.task))  # one that waits for a worker

    assert gone.thread == first.thread
    assert await desk.jobs() == []
    async with desk.database.read(desk.org) as session:
        left = await queries.thread(session, desk.vault, desk.org, first.thread)
        for erased in (first, third):
            with pytest.raises(Shredded):
                await desk.vault.keyring(session, desk.org, f"task:{erased.task}")
    assert [(each.request, each.follows) for each in left.tasks] == [("two", None)]
    assert left.line.title == "two"


async def test_the_only_message_takes_its_thread_along_and_a_given_title_stays(desk):
    alone = await desk.send("alone")
    kept = await desk.send("one")
    await desk.stop(kept.task)
    await desk.send("two", kept.thread)
    await desk.do(RenameThread(principal=desk.principal, thread=kept.thread, title="Plans"))

    gone = await desk.do(DeleteMessage(principal=desk.principal, task=alone.task))
    await desk.do(DeleteMessage(principal=desk.principal, task=kept.task))

    assert gone.thread is None
    async with desk.database.read(desk.org) as session:
        (line,) = await queries.threads(session, desk.vault, desk.org, KNOWN_PROJECT)
    assert (line.thread, line.title) == (kept.thread, "Plans")


async def test_only_its_author_or_an_admin_ends_or_deletes_work(desk, desk_of, org):
    started = await desk.send("mine")
    colleague, admin = desk_of(org, PersonId(new_id())), desk_of(org, PersonId(new_id()), Role.ADMIN)

    for refused in (
        DeleteThread(principal=colleague.principal, thread=started.thread),
        RenameThread(principal=colleague.principal, thread=started.thread, title="theirs"),
        DeleteMessage(principal=colleague.principal, task=started.task),
    ):
        with pytest.raises(NotYours):
            await colleague.do(refused)
    with pytest.raises(NotYours):
        await colleague.stop(started.task)

    await admin.stop(started.task)
    assert (await desk.see(started.task)).facts.state is State.STOPPED


async def test_stopping_twice_is_the_same_as_once_and_an_ended_task_is_not_stopped(desk, working):
    from joule.agent.task import done

    queued = await desk.send("never mind")
    await desk.stop(queued.task)
    await desk.stop(queued.task)
    assert await desk.jobs() == []

    async def run(claim):
        return done("finished")

    other = await desk.send("quick")
    async with working(run):
        await desk.until(other.task, State.DONE)
    with pytest.raises(TaskEnded):
        await desk.stop(other.task)


async def test_a_thread_has_the_title_it_was_given(desk: Desk):
    started = await desk.send("one")

    await desk.do(RenameThread(principal=desk.principal, thread=started.thread, title="  Spring   campaign "))

    async with desk.database.read(desk.org) as session:
        (line,) = await queries.threads(session, desk.vault, desk.org, KNOWN_PROJECT)
    assert line.title == "Spring campaign"


async def test_history_is_found_by_its_words(desk):
    await desk.send("Which newsletter did best in Norway?")
    wanted = await desk.send("Draft a launch post about the tangerine lamp")
    await desk.send("Translate the brand guide")

    async with desk.database.read(desk.org) as session:
        hits = await search.history(session, desk.vault, desk.org, KNOWN_PROJECT, query="tangerine lamp")
        none = await search.history(session, desk.vault, desk.org, KNOWN_PROJECT, query="zeppelin")
    assert [hit.task for hit in hits] == [wanted.task]
    assert "tangerine lamp" in hits[0].snippet
    assert none == []
