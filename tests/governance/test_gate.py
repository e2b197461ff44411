"""The gate decides, writes down, and only then performs; each call once."""

import asyncio

import pytest
from sqlalchemy import text

from joule.governance import approvals
from joule.governance.errors import RecordedFailure, Unexpected
from joule.kernel.errors import ApprovalNeeded, Conflict, Invalid, OutcomeUnknown, Refused, Stopped
from joule.kernel.ids import PersonId, new_id
from joule.kernel.principal import Role
from tests.governance.conftest import Tower
from tests.support.bells import Hum, Listen, Note, Ring
from traces import reader, sealing
from traces.errors import JournalDown, RecordingDiffers

EVERY = [Listen, Hum, Note, Ring]


async def kinds(tower: Tower, task_gate) -> list[str]:
    await task_gate.journal.settle()
    await task_gate.journal.flush()
    async with tower.database.read(tower.org) as session:
        found = await reader.events(session, None, tower.org, task_gate.journal.task)
        await reader.verify_task(session, tower.org, task_gate.journal.task)
    return [event.kind for event in found]


@pytest.mark.parametrize("action", EVERY)
async def test_an_allowed_action_happens_once_and_is_journalled_with_its_decision(tower: Tower, action):
    task = await tower.open()

    result = await task.perform(action(principal=tower.someone()), call="act/0/0")

    assert result.tone == "c"
    assert tower.handler.rang == [f"{action.name}:c"]
    assert [kind for kind in await kinds(tower, task) if kind != "text.delta"] == ["action.intent", "action.result"]


@pytest.mark.parametrize("action", EVERY)
async def test_a_denied_action_never_reaches_its_handler(tower: Tower, action):
    task = await tower.open()

    with pytest.raises(Refused) as refusal:
        await task.perform(action(principal=tower.someone(Role.SUPPORT)), call="act/0/0")

    assert refusal.value.policies == ("bells.never",)
    assert refusal.value.reason == "support never rings"
    assert tower.handler.rang == []
    assert await kinds(tower, task) == ["action.refused"]


@pytest.mark.parametrize("action", EVERY)
async def test_an_action_no_policy_speaks_of_is_denied(tower: Tower, action):
    task = await tower.open()

    with pytest.raises(Refused, match="no policy allows this"):
        await task.perform(action(principal=tower.someone(Role.OWNER)), call="act/0/0")

    assert tower.handler.rang == []


@pytest.mark.parametrize("action", EVERY)
async def test_the_same_call_again_is_answered_from_the_record(tower: Tower, action):
    task = await tower.open()
    wish = action(principal=tower.someone())
    first = await task.perform(wish, call="act/0/0")

    again = await task.perform(wish, call="act/0/0")

    assert again == first
    assert len(tower.handler.rang) == 1


@pytest.mark.parametrize("action", EVERY)
async def test_a_resumed_task_repeats_nothing(tower: Tower, action):
    first = await tower.open()
    wish = action(principal=tower.someone())
    result = await first.perform(wish, call="act/0/0")
    await first.journal.settle()
    await first.journal.flush()

    second = await tower.open(first.journal.task, attempt=2)
    again = await second.perform(wish, call="act/0/0")

    assert again == result
    assert len(tower.handler.rang) == 1


async def test_a_refusal_is_remembered_across_a_resume(tower: Tower):
    first = await tower.open()
    wish = Ring(principal=tower.someone(Role.SUPPORT))
    with pytest.raises(Refused):
        await first.perform(wish, call="act/0/0")

    second = await tower.open(first.journal.task, attempt=2)

    with pytest.raises(Refused, match="support never rings"):
        await second.perform(wish, call="act/0/0")


async def test_an_outside_effect_whose_end_was_never_seen_is_not_repeated(tower: Tower):
    first = await tower.open()
    wish = Ring(principal=tower.someone())

    async def killed(_):
        raise KeyboardInterrupt

    tower.handler.before = killed
    with pytest.raises(KeyboardInterrupt):
        await first.perform(wish, call="act/0/0")
    tower.handler.before = None

    second = await tower.open(first.journal.task, attempt=2)
    with pytest.raises(OutcomeUnknown):
        await second.perform(wish, call="act/0/0")

    assert tower.handler.rang == ["bells.ring:c"]
    assert (await kinds(tower, second))[-1] == "action.failed"


async def test_an_outside_effect_is_durable_as_intent_before_it_starts(tower: Tower):
    task = await tower.open()
    seen: list[str] = []

    async def look(_):
        async with tower.database.read(tower.org) as session:
            seen.extend(e.kind for e in await reader.events(session, None, tower.org, task.journal.task))

    tower.handler.before = look

    await task.perform(Ring(principal=tower.someone()), call="act/0/0")

    assert seen == ["action.intent"]


async def test_an_internal_effect_and_its_rows_stand_or_fall_together(tower: Tower):
    task = await tower.open()

    async def fail(_):
        raise Invalid("a cracked bell", advice="mend it")

    tower.handler.before = fail
    with pytest.raises(Invalid):
        await task.perform(Note(principal=tower.someone()), call="act/0/0")

    async with tower.database.read(tower.org) as session:
        rows = await session.scalar(text("SELECT count(*) FROM bell"))
    assert rows == 0
    assert await kinds(tower, task) == ["action.intent", "action.failed"]


async def test_an_effect_row_carries_the_decision_that_allowed_it(tower: Tower):
    task = await tower.open()

    await task.perform(Note(principal=tower.someone()), call="act/0/0")

    async with tower.database.read(tower.org) as session:
        decision = await session.scalar(text("SELECT decision_id FROM bell"))
        events = await reader.events(session, None, tower.org, task.journal.task)
    assert events[0].attrs["decision_id"] == str(decision)


async def test_a_failure_is_remembered_across_a_resume(tower: Tower):
    first = await tower.open()
    wish = Ring(principal=tower.someone())

    async def fail(_):
        raise Invalid("a cracked bell", advice="mend it")

    tower.handler.before = fail
    with pytest.raises(Invalid):
        await first.perform(wish, call="act/0/0")

    second = await tower.open(first.journal.task, attempt=2)
    with pytest.raises(RecordedFailure, match="a cracked bell"):
        await second.perform(wish, call="act/0/0")
    assert len(tower.handler.rang) == 1


async def test_an_unforeseen_failure_does_not_quote_content(tower: Tower):
    task = await tower.open()

    async def fail(_):
        raise ValueError("the customer's secret")

    tower.handler.before = fail

    with pytest.raises(Unexpected) as failure:
        await task.perform(Note(principal=tower.someone()), call="act/0/0")
    assert "secret" not in str(failure.value)


async def test_another_wish_under_a_recorded_call_is_not_answered_from_the_record(tower: Tower):
    first = await tower.open()
    someone = tower.someone()
    await first.perform(Ring(principal=someone, tone="c"), call="act/0/0")
    await first.journal.settle()

    second = await tower.open(first.journal.task, attempt=2)

    with pytest.raises(RecordingDiffers):
        await second.perform(Ring(principal=someone, tone="d"), call="act/0/0")
    assert tower.handler.rang == ["bells.ring:c"]


@pytest.mark.parametrize("action", EVERY)
async def test_a_stopped_task_starts_nothing_more(tower: Tower, action):
    task = await tower.open()
    task._stop.set()

    with pytest.raises(Stopped):
        await task.perform(action(principal=tower.someone()), call="act/0/0")

    assert tower.handler.rang == []


async def test_a_model_call_is_given_up_as_soon_as_the_task_is_stopped(tower: Tower):
    task = await tower.open()

    async def wait(_):
        task._stop.set()
        await asyncio.sleep(60)

    tower.handler.before = wait

    with pytest.raises(Stopped):
        await asyncio.wait_for(task.perform(Hum(principal=tower.someone()), call="model/0"), 5)


async def test_text_shown_while_working_is_journalled_in_order(tower: Tower):
    task = await tower.open()

    await task.perform(Hum(principal=tower.someone()), call="model/0")

    await task.journal.settle()
    await task.journal.flush()
    async with tower.database.read(tower.org) as session:
        events = await reader.events(session, task.journal.keyring, tower.org, task.journal.task)
    assert [e.content.get("text") for e in events if e.kind == "text.delta"] == ["hm", "mm"]


class TestApprovals:
    """Asking a person ends the run; the answer is found when it is run again."""

    async def ask(self, tower: Tower, wish) -> tuple:
        task = await tower.open()
        with pytest.raises(ApprovalNeeded, match="an admin asks first"):
            await task.perform(wish, call="act/0/0")
        async with tower.database.read(tower.org) as session:
            events = await reader.events(session, None, tower.org, task.journal.task)
        return task.journal.task, new_id().__class__(events[-1].attrs["approval_id"])

    async def answer(self, tower: Tower, approval, approved: bool) -> None:
        async with tower.database.write(tower.org) as session:
            await approvals.answer(
                session, tower.org, approval, by=PersonId(new_id()), approved=approved, at=tower.clock.now()
            )

    @pytest.mark.parametrize("action", EVERY)
    async def test_what_was_approved_happens_once(self, tower: Tower, action):
        wish = action(principal=tower.someone(Role.ADMIN))
        task, approval = await self.ask(tower, wish)
        assert tower.handler.rang == []
        await self.answer(tower, approval, True)

        second = await tower.open(task, attempt=2)
        await second.perform(wish, call="act/0/0")
        await second.journal.settle()
        await second.journal.flush()
        third = await tower.open(task, attempt=3)
        await third.perform(wish, call="act/0/0")

        assert len(tower.handler.rang) == 1

    @pytest.mark.parametrize("action", EVERY)
    async def test_what_was_declined_never_happens(self, tower: Tower, action):
        wish = action(principal=tower.someone(Role.ADMIN))
        task, approval = await self.ask(tower, wish)
        await self.answer(tower, approval, False)

        second = await tower.open(task, attempt=2)
        with pytest.raises(Refused, match="a person declined it"):
            await second.perform(wish, call="act/0/0")

        assert tower.handler.rang == []

    async def test_what_was_said_when_declining_is_told(self, tower: Tower):
        wish = Ring(principal=tower.someone(Role.ADMIN))
        task, approval = await self.ask(tower, wish)
        async with tower.database.write(tower.org) as session:
            keyring = await sealing.ring(session, tower.vault, tower.org, task)
            note = keyring.seal_text("too loud", row=approval, field=approvals.NOTE)
            await approvals.answer(
                session, tower.org, approval, by=PersonId(new_id()), approved=False, at=tower.clock.now(), note=note
            )

        second = await tower.open(task, attempt=2)
        with pytest.raises(Refused) as refusal:
            await second.perform(wish, call="act/0/0")

        assert refusal.value.advice() == "They said: too loud"
        assert "too loud" not in str(refusal.value)

    async def test_an_unanswered_question_is_not_asked_twice(self, tower: Tower):
        wish = Ring(principal=tower.someone(Role.ADMIN))
        task, _ = await self.ask(tower, wish)

        second = await tower.open(task, attempt=2)
        with pytest.raises(ApprovalNeeded):
            await second.perform(wish, call="act/0/0")

        assert await kinds(tower, second) == ["approval.asked"]

    async def test_an_approval_lapses(self, tower: Tower):
        wish = Ring(principal=tower.someone(Role.ADMIN))
        task, approval = await self.ask(tower, wish)
        await self.answer(tower, approval, True)
        tower.clock.advance(approvals.LIFETIME)

        second = await tower.open(task, attempt=2)
        with pytest.raises(Refused, match="nobody agreed in time"):
            await second.perform(wish, call="act/0/0")
        assert tower.handler.rang == []

    async def test_a_spent_approval_allows_nothing_more(self, tower: Tower):
        wish = Ring(principal=tower.someone(Role.ADMIN))
        task, approval = await self.ask(tower, wish)
        await self.answer(tower, approval, True)
        async with tower.database.write(tower.org) as session:
            await session.execute(text("UPDATE approval SET state = 'spent'"))

        second = await tower.open(task, attempt=2)
        with pytest.raises(Refused):
            await second.perform(wish, call="act/0/0")
        assert tower.handler.rang == []

    async def test_a_question_is_answered_once(self, tower: Tower):
        _, approval = await self.ask(tower, Ring(principal=tower.someone(Role.ADMIN)))
        await self.answer(tower, approval, False)

        with pytest.raises(Conflict):
            await self.answer(tower, approval, True)


@pytest.mark.parametrize("action", EVERY)
async def test_without_a_journal_nothing_happens(tower: Tower, action, owner_url: str):
    import psycopg

    task = await tower.open()
    wish = action(principal=tower.someone())
    await task.perform(wish, call="act/0/0")  # the same wish goes through while the journal stands
    await task.journal.settle()
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("REVOKE INSERT ON trace_event FROM joule_app")

    refused: list[BaseException] = []
    for n in range(1, 3):
        try:
            await task.perform(wish, call=f"act/0/{n}")
            await task.journal.settle()
            await task.journal.flush()
        except JournalDown as problem:
            refused.append(problem)

    rides_along = not wish.effect.is_internal and not wish.effect.is_outside
    assert len(tower.handler.rang) <= (2 if rides_along else 1) + (1 if wish.effect.is_internal else 0)
    assert refused
    async with tower.database.read(tower.org) as session:
        assert await session.scalar(text("SELECT count(*) FROM bell")) == (1 if wish.effect.is_internal else 0)
