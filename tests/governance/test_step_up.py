"""A permission that a connected account lacks is waited for like an approval, and is none."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from joule.governance import approvals
from joule.governance.gate import TaskGate
from joule.kernel.errors import ApprovalNeeded, GrantMissing, OutcomeUnknown, Refused
from joule.kernel.ids import PersonId, new_id
from joule.kernel.principal import Role, Via
from tests.governance.conftest import Tower
from tests.support.bells import Listen, Note, Ring
from traces import reader

EVERY = [Listen, Note, Ring]
TOWER = new_id()


class BellLocked(GrantMissing):
    """The tower's key is with somebody else."""

    code = "bells.locked"

    def __init__(self) -> None:
        super().__init__("the tower is locked")
        self.connection, self.scopes = str(TOWER), ("tower.ring",)

    def advice(self) -> str:
        return "Ask for the key."


@pytest.fixture
def locked(tower: Tower) -> Tower:
    """A tower whose bells cannot be rung until somebody unlocks it."""

    def refuse(action: object) -> None:
        raise BellLocked()

    tower.handler.before = refuse
    return tower


async def rows(tower: Tower, task: TaskGate) -> list[tuple[str, str | None]]:
    await task.journal.settle()
    await task.journal.flush()
    async with tower.database.read(tower.org) as session:
        found = await reader.events(session, None, tower.org, task.journal.task)
        await reader.verify_task(session, tower.org, task.journal.task)
    return [(event.kind, event.attrs.get("code")) for event in found]


async def give(tower: Tower, connection: UUID = TOWER) -> int:
    tower.clock.advance(timedelta(minutes=5))
    async with tower.database.write(tower.org) as session:
        by, at = PersonId(new_id()), tower.clock.now()
        return len(await approvals.granted(session, tower.org, connections=[connection], by=by, at=at))


async def answer(tower: Tower, *, approved: bool) -> None:
    tower.clock.advance(timedelta(minutes=5))
    async with tower.database.write(tower.org) as session:
        found = await session.scalar(text("SELECT id FROM approval WHERE state = 'asked'"))
        by, at = PersonId(new_id()), tower.clock.now()
        await approvals.answer(session, tower.org, found, by=by, approved=approved, at=at)


@pytest.mark.parametrize("action", EVERY)
async def test_a_lacking_permission_pauses_the_task_and_is_told_in_the_journal(locked: Tower, action):
    task = await locked.open()

    with pytest.raises(ApprovalNeeded, match="the tower is locked") as waiting:
        await task.perform(action(principal=locked.someone()), call="act/0/0")

    assert waiting.value.advice() == "Ask for the key."
    assert (await rows(locked, task))[-1] == ("approval.asked", "bells.locked")
    asked = task.journal.recording.step("act/0/0").lacking
    assert asked is not None
    assert asked.content["grant"] == {"connection": str(TOWER), "scopes": ["tower.ring"]}


@pytest.mark.parametrize("action", EVERY)
async def test_once_it_is_given_the_same_call_goes_through(locked: Tower, action):
    wish, first = action(principal=locked.someone()), await locked.open()
    with pytest.raises(ApprovalNeeded):
        await first.perform(wish, call="act/0/0")
    await rows(locked, first)
    locked.handler.before = None

    assert await give(locked) == 1
    second = await locked.open(first.journal.task, attempt=2)
    result = await second.perform(wish, call="act/0/0")

    assert result.tone == "c"
    assert [kind for kind, _ in await rows(locked, second)][-3:] == [
        "approval.given",
        "action.intent",
        "action.result",
    ]


async def test_a_task_run_again_before_anybody_answered_waits_on_without_asking_twice(locked: Tower):
    wish, first = Ring(principal=locked.someone()), await locked.open()
    with pytest.raises(ApprovalNeeded):
        await first.perform(wish, call="act/0/0")
    before, rang = await rows(locked, first), len(locked.handler.rang)

    second = await locked.open(first.journal.task, attempt=2)
    with pytest.raises(ApprovalNeeded, match="the tower is locked"):
        await second.perform(wish, call="act/0/0")

    assert await rows(locked, second) == before
    assert len(locked.handler.rang) == rang


async def test_a_permission_of_another_account_answers_nothing(locked: Tower):
    task = await locked.open()
    with pytest.raises(ApprovalNeeded):
        await task.perform(Listen(principal=locked.someone()), call="act/0/0")

    assert await give(locked, new_id()) == 0
    assert await give(locked) == 1


async def test_whoever_says_it_is_given_when_it_is_not_is_asked_again(locked: Tower):
    wish, first = Ring(principal=locked.someone()), await locked.open()
    with pytest.raises(ApprovalNeeded):
        await first.perform(wish, call="act/0/0")
    await answer(locked, approved=True)

    second = await locked.open(first.journal.task, attempt=2)
    with pytest.raises(ApprovalNeeded):
        await second.perform(wish, call="act/0/0")

    assert [kind for kind, _ in await rows(locked, second)].count("approval.asked") == 2


async def test_a_declined_permission_is_a_refusal(locked: Tower):
    wish, first = Ring(principal=locked.someone()), await locked.open()
    with pytest.raises(ApprovalNeeded):
        await first.perform(wish, call="act/0/0")
    await answer(locked, approved=False)
    locked.handler.before = None

    second = await locked.open(first.journal.task, attempt=2)
    with pytest.raises(Refused, match="a person declined it"):
        await second.perform(wish, call="act/0/0")

    assert [kind for kind, _ in await rows(locked, second)][-2:] == ["approval.declined", "action.refused"]


async def test_a_permission_is_no_approval_of_the_action(locked: Tower):
    """The policy asks an admin first: that the account may do it does not answer that."""
    admin = locked.someone(Role.ADMIN)
    wish, first = Ring(principal=admin), await locked.open()
    with pytest.raises(ApprovalNeeded, match="an admin asks first"):
        await first.perform(wish, call="act/0/0")
    assert await give(locked) == 0  # what waits is an approval, and no grant answers it

    second = await locked.open(first.journal.task, attempt=2)
    with pytest.raises(ApprovalNeeded, match="an admin asks first"):
        await second.perform(wish, call="act/0/0")
    assert locked.handler.rang == []


async def test_an_approval_spent_on_what_did_not_happen_is_still_good(locked: Tower):
    wish, first = Ring(principal=locked.someone(Role.ADMIN)), await locked.open()
    with pytest.raises(ApprovalNeeded, match="an admin asks first"):
        await first.perform(wish, call="act/0/0")
    await answer(locked, approved=True)
    second = await locked.open(first.journal.task, attempt=2)
    with pytest.raises(ApprovalNeeded, match="the tower is locked"):
        await second.perform(wish, call="act/0/0")
    await rows(locked, second)
    locked.handler.before = None

    await give(locked)
    third = await locked.open(first.journal.task, attempt=3)
    assert (await third.perform(wish, call="act/0/0")).tone == "c"

    # and is spent for good now
    with pytest.raises(ApprovalNeeded, match="an admin asks first"):
        await third.perform(wish, call="act/1/0")


async def test_an_effect_begun_after_the_permission_was_given_is_not_begun_twice(locked: Tower):
    wish, first = Ring(principal=locked.someone()), await locked.open()
    with pytest.raises(ApprovalNeeded):
        await first.perform(wish, call="act/0/0")
    await give(locked)

    def die(action: object) -> None:
        raise KeyboardInterrupt

    locked.handler.before = die
    second = await locked.open(first.journal.task, attempt=2)
    with pytest.raises(KeyboardInterrupt):
        await second.perform(wish, call="act/0/0")
    locked.handler.before = None

    third = await locked.open(first.journal.task, attempt=3)
    with pytest.raises(OutcomeUnknown):
        await third.perform(wish, call="act/0/0")


async def test_for_a_person_it_is_an_error_like_any_other(locked: Tower):
    person = replace(locked.someone(), via=Via.PERSON)
    task = await locked.open()

    with pytest.raises(BellLocked):
        await task.perform(Listen(principal=person), call="act/0/0")

    assert (await rows(locked, task))[-1] == ("action.failed", "bells.locked")
