"""What has reached its end goes within a day, in every organisation, and what has not stays."""

from datetime import timedelta

import psycopg
import pytest

from joule.assembly.upkeep import upkeep_of
from joule.identity.actions import IssueSignInLink, SignInWithLink
from joule.kernel.errors import NotFound
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from joule.privacy.alone import alone
from joule.privacy.upkeep import ONE_AT_A_TIME
from memory.actions import DeleteFile, ListItems, Remember, RestoreFile
from tests.support.clock import StoppedClock
from tests.support.house import Home, home


async def _file_deleted_and_item_that_ends(here: Home, clock: StoppedClock) -> None:
    await here.upload("old.md", b"words that shall go")
    perform, who, project = here.house.commands.perform, here.owner, here.project
    await perform(DeleteFile(principal=who, project=project, file_name="old.md"))
    ends = clock.now() + timedelta(days=29)
    await perform(Remember(principal=who, project=project, text="ends in a month", expires_at=ends))
    await perform(Remember(principal=who, project=project, text="stays"))


async def test_the_sweep_erases_what_is_due_and_nothing_else(settings: Settings, clock: StoppedClock) -> None:
    async with home(settings, clock=clock) as here:
        await _file_deleted_and_item_that_ends(here, clock)

        clock.advance(timedelta(days=1))
        early = await upkeep_of(here.house).run()
        clock.advance(timedelta(days=10))
        await _partitions(here)
        clock.advance(timedelta(days=10))
        await _partitions(here)
        clock.advance(timedelta(days=10))
        await _partitions(here)
        due = await upkeep_of(here.house).run()

        assert (early.organisations, early.files, early.items, early.failed) == (1, 0, 0, ())
        assert (due.organisations, due.files, due.items, due.failed) == (1, 1, 1, ())
        with pytest.raises(NotFound):
            await here.house.commands.perform(
                RestoreFile(principal=here.owner, project=here.project, file_name="old.md")
            )
        left = await here.house.commands.perform(ListItems(principal=here.owner, project=here.project))
        assert [each.text for each in left.items] == ["stays"]


async def test_the_sweep_forgets_links_and_sessions_a_month_after_their_end(
    settings: Settings, clock: StoppedClock, owner_url: str
) -> None:
    async with home(settings, clock=clock) as here:
        system = Principal(org=here.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        stranger = Principal(org=here.org, person=None, role=Role.ANONYMOUS, via=Via.PERSON)
        assert here.owner.person is not None
        link = await here.house.commands.perform(IssueSignInLink(principal=system, person=here.owner.person))
        await here.house.commands.perform(SignInWithLink(principal=stranger, token=link.token))

        assert (await upkeep_of(here.house).run()).sign_ins == 0
        for _ in range(5):
            clock.advance(timedelta(days=10))
            await _partitions(here)
        assert (await upkeep_of(here.house).run()).sign_ins == 2
        assert (await upkeep_of(here.house).run()).sign_ins == 0


async def test_the_sweep_clears_ended_jobs_out_of_the_queue_and_leaves_the_others(
    settings: Settings, clock: StoppedClock, app_url: str
) -> None:
    async with home(settings, clock=clock) as here:
        with psycopg.connect(app_url, options="-c search_path=public,queue", autocommit=True) as connection:
            for name in ("waiting", "ended"):
                connection.execute(
                    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock) VALUES ('tasks', 't', %s)", [name]
                )
            for status in ("doing", "failed"):
                connection.execute("UPDATE procrastinate_jobs SET status = %s WHERE lock = 'ended'", [status])

            just_ended = (await upkeep_of(here.house).run()).jobs
            clock.advance(timedelta(days=3))
            later = (await upkeep_of(here.house).run()).jobs

            left = connection.execute("SELECT lock FROM procrastinate_jobs").fetchall()
    assert (just_ended, later) == (0, 1)
    assert left == [("waiting",)]


async def test_while_one_worker_sweeps_no_other_does(settings: Settings, clock: StoppedClock, app_url: str) -> None:
    async with home(settings, clock=clock) as here:
        other = upkeep_of(here.house)
        async with alone(here.house.database, ONE_AT_A_TIME) as mine:
            assert mine
            assert (await other.run()).organisations == 0

        assert (await other.run()).organisations == 1


async def test_one_organisation_that_cannot_be_swept_keeps_no_other_from_it(
    settings: Settings, clock: StoppedClock
) -> None:
    async with home(settings, clock=clock) as lost, home(settings, clock=clock) as here:
        await _file_deleted_and_item_that_ends(here, clock)
        async with lost.house.database.write(lost.org) as session:
            await lost.house.vault.shred_organisation(session, lost.org)
        for _ in range(4):
            clock.advance(timedelta(days=10))
            await _partitions(here)

        outcome = await upkeep_of(here.house).run()

        assert outcome.failed == (lost.org,)
        assert (outcome.files, outcome.items) == (1, 1)


async def _partitions(here: Home) -> None:
    async with here.house.database.unscoped() as session:
        await here.house.journals.ensure_partitions(session, "90d")
