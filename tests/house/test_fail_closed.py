"""Whatever stands in the way of deciding or writing down, the handler does not run: every action of every room."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from joule.database.errors import DatabaseAway
from joule.governance.gate import TaskGate
from joule.governance.policy import Policy
from joule.kernel.action import Action
from joule.kernel.errors import ApprovalNeeded, JouleError, JournalDown, Refused
from joule.kernel.handler import Method
from joule.kernel.ids import TaskId, new_id
from joule.kernel.permit import Admission
from joule.kernel.principal import Role
from joule.kernel.settings import Settings
from tests.support import bells
from tests.support.bells import BellsHandler
from tests.support.house import Home, home
from tests.support.postgres import TestServer
from tests.support.wishes import wish
from traces.errors import HeadRefused
from traces.records import Kind

ALLOW = '@id("all.yes") @reason("everything goes") permit (principal, action, resource);'
DENY = f'{ALLOW} @id("all.no") @reason("nothing goes") forbid (principal, action, resource);'
ASK = '@id("all.ask") @reason("a person first") permit (principal, action, resource) when { context.approved };'


class Failing(Policy):
    """A policy whose engine has a fault."""

    def decide(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("a fault in the engine")


class Late(BellsHandler):
    """The bells, so that an outside effect is among the actions; admitted by the house's own permits once it stands."""

    def __init__(self) -> None:
        super().__init__(admission=_Nobody())


class _Nobody(Admission):
    def admit(self, permit: Any, action: Any) -> None:
        raise AssertionError("the house does not stand yet")


@pytest.fixture
async def here(settings: Settings, owner_url: str) -> AsyncIterator[Home]:
    bells.make_table(owner_url)
    late = Late()
    async with home(settings, more=[late], more_policy=bells.POLICY) as found:
        late.admission = found.house.gate.permits
        yield found


@pytest.fixture
def ran(here: Home) -> Counter[str]:
    """How often the handler of each action was entered."""
    counted: Counter[str] = Counter()

    def counting(kind: type[Action[Any]], method: Method) -> Method:
        async def entered(*arguments: Any) -> Any:
            counted[kind.name] += 1
            return await method(*arguments)

        return entered

    methods = here.house.gate.methods
    for kind, method in list(methods.items()):
        methods[kind] = counting(kind, method)
    return counted


def judged_by(here: Home, cedar: str, *, policy: type[Policy] = Policy) -> None:
    here.house.gate.policy = policy(cedar, actions=here.house.gate.methods)


async def open_task(here: Home) -> TaskGate:
    journal = await here.house.journals.open(here.org, TaskId(new_id()), attempt=1, retention="90d")
    return here.house.gate.over(journal)


async def each(here: Home, *, call: str = "act/{n}", fresh: bool = False) -> dict[str, JouleError | None]:
    """What performing one wish of every kind raised. With `fresh` each has a journal of its own."""
    task, told = await open_task(here), {}
    for n, kind in enumerate(here.house.gate.methods):
        if fresh and n:
            task = await open_task(here)
        try:
            await task.perform(wish(kind, principal=here.owner), call=call.format(n=n))
            if fresh:
                await task.journal.settle()
                await task.journal.flush()
            told[kind.name] = None
        except JouleError as problem:
            told[kind.name] = problem
    return told


def names(here: Home) -> set[str]:
    return {kind.name for kind in here.house.gate.methods}


async def rows(here: Home, kind: Kind) -> int:
    async with here.house.database.read(here.org) as session:
        query = text("SELECT count(*) FROM trace_event WHERE kind = :kind")
        return int(await session.scalar(query, {"kind": kind.value}) or 0)


async def test_when_all_is_allowed_every_handler_is_entered(here: Home, ran: Counter[str]):
    judged_by(here, ALLOW)

    told = await each(here)

    assert ran == Counter(dict.fromkeys(names(here), 1))
    assert not [problem for problem in told.values() if type(problem) in {Refused, ApprovalNeeded, JournalDown}]


async def test_what_the_policy_denies_is_never_entered(here: Home, ran: Counter[str]):
    judged_by(here, DENY)

    told = await each(here)

    assert ran == Counter()
    assert {type(problem) for problem in told.values()} == {Refused}
    assert {problem.reason for problem in told.values()} == {"nothing goes"}
    assert await rows(here, Kind.REFUSED) == len(told)


async def test_what_a_person_must_agree_to_first_is_never_entered(here: Home, ran: Counter[str]):
    judged_by(here, ASK)

    told = await each(here)

    assert ran == Counter()
    assert {type(problem) for problem in told.values()} == {ApprovalNeeded}
    assert await rows(here, Kind.ASKED) == len(told)


async def test_a_fault_of_the_policy_engine_is_a_refusal_on_record(here: Home, ran: Counter[str]):
    judged_by(here, ALLOW, policy=Failing)

    told = await each(here)

    assert ran == Counter()
    assert {type(problem) for problem in told.values()} == {Refused}
    assert {problem.reason for problem in told.values()} == {"the policies could not be evaluated"}
    assert await rows(here, Kind.REFUSED) == len(told)


async def test_an_action_no_policy_names_is_never_entered(here: Home, ran: Counter[str]):
    judged_by(here, '@id("one") @reason("one") permit (principal, action == Joule::Action::"bells.hum", resource);')

    told = await each(here)

    assert ran == Counter({"bells.hum": 1})
    assert {str(problem.reason) for name, problem in told.items() if name != "bells.hum"} == {"no policy allows this"}


async def test_a_wish_of_another_organisation_is_never_entered(here: Home, ran: Counter[str]):
    judged_by(here, ALLOW)
    task = await open_task(here)
    stranger = type(here.owner)(org=new_id(), person=here.owner.person, role=Role.OWNER, via=here.owner.via)

    for n, kind in enumerate(here.house.gate.methods):
        with pytest.raises(Refused, match="not about this organisation"):
            await task.perform(wish(kind, principal=stranger), call=f"act/{n}")

    assert ran == Counter()


async def test_a_journal_that_failed_once_lets_nothing_more_happen(here: Home, ran: Counter[str], owner_url: str):
    judged_by(here, ALLOW)
    task = await open_task(here)
    _forbid_rows(owner_url)
    task.journal.note(Kind.TASK_STARTED)
    with pytest.raises(JournalDown):
        await task.journal.flush()

    for n, kind in enumerate(here.house.gate.methods):
        with pytest.raises(JournalDown):
            await task.perform(wish(kind, principal=here.owner), call=f"act/{n}")

    assert ran == Counter()


async def test_no_row_no_change(here: Home, ran: Counter[str], owner_url: str):
    """The first to notice that no row can be written is the effect itself; only what changes nothing may come sooner."""
    judged_by(here, ALLOW)
    _forbid_rows(owner_url)

    told = await each(here, fresh=True)

    changing = {kind.name for kind in here.house.gate.methods if kind.effect.is_internal or kind.effect.is_outside}
    assert len(changing) > 25
    assert not changing & set(ran)
    assert {type(problem) for problem in told.values()} == {JournalDown}


async def test_with_the_database_gone_nothing_that_changes_anything_happens(
    here: Home, ran: Counter[str], test_server: TestServer, address: Any
):
    judged_by(here, ALLOW)
    kinds = [kind for kind in here.house.gate.methods if kind.effect.is_internal or kind.effect.is_outside]
    tasks = [await open_task(here) for _ in kinds]
    _shut(test_server, address.app_url, allow=False)
    try:
        # At once: each waits for a connection in vain, as long as a person would be let wait.
        wishes = [
            task.perform(wish(kind, principal=here.owner), call="act/0/0")
            for task, kind in zip(tasks, kinds, strict=True)
        ]
        told = await asyncio.gather(*wishes, return_exceptions=True)
    finally:
        _shut(test_server, address.app_url, allow=True)

    assert ran == Counter()
    assert {type(problem) for problem in told} <= {JournalDown, DatabaseAway}


async def test_a_row_that_may_not_be_written_stops_the_effect_it_stands_for(here: Home, ran: Counter[str]):
    judged_by(here, ALLOW)

    told = await each(here, call="Free text as a key {n}")

    assert ran == Counter()
    assert {type(problem) for problem in told.values()} == {HeadRefused}


def _forbid_rows(owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON trace_event FROM joule_app")


def _shut(server: TestServer, url: str, *, allow: bool) -> None:
    """Shut the database to everybody and end who is in it; or open it again."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS {str(allow).lower()}')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
