"""The handler: what the person sees, what is retried, and what the call log keeps."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text

from joule.kernel.errors import PermitMisused
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.permit import Permits
from joule.llm.actions import Message
from joule.llm.errors import ModelRefusedKey, ModelUnavailable, StreamTruncated
from joule.llm.handler import LanguageModelHandler
from joule.llm.prices import Prices
from joule.llm.providers.base import ChatModel
from joule.llm.providers.offline.model import OfflineModel
from joule.llm.queries import recipients, usage_of_organisation, usage_of_task
from tests.llm.conftest import Room
from tests.support.openai_server import BreaksOff, Fails, Hangs, OpenAIServer, Says
from tests.support.scripted_model import Says as Written
from tests.support.scripted_model import ScriptedModel

CANARY = "nightjar-4471"
LOGGED = (
    "SELECT provider, model, recipient, attempts, input_tokens, output_tokens, spend_micros, outcome, first_text_us"
)


async def logged_of(room: Room) -> list[tuple[object, ...]]:
    async with room.database.read(room.org) as session:
        return [tuple(row) for row in await session.execute(text(f"{LOGGED} FROM llm_call ORDER BY id"))]


async def test_the_person_sees_the_first_piece_before_the_second_has_come(
    room: Room, provider: OpenAIServer, model: ChatModel
) -> None:
    provider.replies.append(Says(pieces=("One ", "two ", "three"), pause=0.2))

    asking = asyncio.create_task(room.ask(model))
    while not room.shown:
        assert not asking.done()
        await asyncio.sleep(0.01)
    first = list(room.shown)
    got = await asking

    assert first == ["One "]
    assert "".join(room.shown) == got.text == "One two three"


async def test_many_small_pieces_are_passed_on_in_few(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies.append(Says(pieces=["word "] * 400))

    got = await room.ask(model)

    assert "".join(room.shown) == got.text
    assert len(room.shown) < 60


async def test_a_good_call_is_logged_with_its_price(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies.append(Says(pieces=("Hi",), usage=(1_000, 500)))

    got = await room.ask(model, prices=Prices(input_micros=3_000_000, output_micros=15_000_000))

    assert got.spend_micros == 3_000 + 7_500
    (row,) = await logged_of(room)
    assert row[:8] == ("openai", "test-model", model.recipient, 1, 1_000, 500, 10_500, "done")
    assert isinstance(row[8], int)


async def test_a_provider_that_recovers_is_asked_again(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies += [Fails(status=503), Fails(status=429, headers={"retry-after": "0.05"}), Says(pieces=("Hi",))]

    got = await room.ask(model, pauses=(0.01, 0.01))

    assert got.text == "Hi"
    assert provider.requests[0].raw == provider.requests[2].raw
    assert (await logged_of(room))[0][3] == 3


async def test_patience_ends(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies += [Fails(status=503)] * 5

    with pytest.raises(ModelUnavailable):
        await room.ask(model, pauses=(0.01, 0.01))

    assert len(provider.requests) == 3
    assert (await logged_of(room))[0][7] == "llm.unavailable"


async def test_a_long_wait_is_not_waited_for(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies += [Fails(status=429, headers={"retry-after": "3600"}), Says(pieces=("Hi",))]

    with pytest.raises(ModelUnavailable):
        await asyncio.wait_for(room.ask(model, pauses=(0.01,)), timeout=5)

    assert len(provider.requests) == 1


async def test_a_wrong_key_is_not_tried_twice(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies += [Fails(status=401), Says(pieces=("Hi",))]

    with pytest.raises(ModelRefusedKey):
        await room.ask(model, pauses=(0.01,))

    assert len(provider.requests) == 1
    assert (await logged_of(room))[0][7] == "llm.refused_key"


async def test_half_an_answer_that_was_seen_is_an_error_and_not_asked_for_again(
    room: Room, provider: OpenAIServer, model: ChatModel
) -> None:
    provider.replies += [BreaksOff(pieces=("Half an ",)), Says(pieces=("Whole",))]

    with pytest.raises(StreamTruncated):
        await room.ask(model, pauses=(0.01,))

    assert room.shown == ["Half an "]
    assert len(provider.requests) == 1
    assert (await logged_of(room))[0][7] == "llm.stream_truncated"


async def test_half_an_answer_nobody_saw_is_asked_for_again(
    room: Room, provider: OpenAIServer, model: ChatModel
) -> None:
    provider.replies += [BreaksOff(pieces=()), Says(pieces=("Whole",))]

    assert (await room.ask(model, pauses=(0.01,))).text == "Whole"


@pytest.mark.parametrize("reply", [Hangs(), Hangs(pieces=("One ",))])
async def test_silence_ends_the_call(room: Room, provider: OpenAIServer, model: ChatModel, reply: Hangs) -> None:
    provider.replies.append(reply)

    with pytest.raises(ModelUnavailable) as caught:
        await asyncio.wait_for(room.ask(model, silence=0.3), timeout=5)

    assert "silent" in str(caught.value)


async def test_a_slow_provider_that_keeps_talking_is_heard_out(
    room: Room, provider: OpenAIServer, model: ChatModel
) -> None:
    provider.replies.append(Says(pieces=["word "] * 6, pause=0.15))

    assert (await room.ask(model, silence=0.6)).text == "word " * 6


async def test_a_stopped_call_is_logged_too(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies.append(Hangs(pieces=("One ",)))
    asking = asyncio.create_task(room.ask(model))
    while not room.shown:
        await asyncio.sleep(0.01)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert (await logged_of(room))[0][7] == "stopped"


async def test_a_call_that_failed_in_a_way_nobody_foresaw_is_logged_too(room: Room) -> None:
    def breaks(turn: int) -> None:
        raise ValueError(CANARY)

    with pytest.raises(ValueError, match=CANARY):
        await room.ask(ScriptedModel(script=[Written()], before=breaks), Message(role="user", text="Hello"))

    assert (await logged_of(room))[0][7] == "failed"


async def test_the_log_holds_a_keyed_commitment_and_no_word(
    room: Room, provider: OpenAIServer, model: ChatModel, owner_url: str
) -> None:
    asked = Message(role="user", text=CANARY)
    provider.replies += [Says(pieces=(CANARY,)), Fails(status=400, message=CANARY)]

    await room.ask(model, asked)
    with pytest.raises(Exception, match="refused the request"):
        await room.ask(model, asked)

    async with room.database.read(room.org) as session:
        rows = [dict(row._mapping) for row in await session.execute(text("SELECT * FROM llm_call"))]
        keyring = await room.vault.keyring(session, room.org)
    assert len(rows) == 2
    assert CANARY not in str(rows)
    expected = keyring.commitment("llm.request", room.action(asked).binding())
    assert {bytes(row["request_commitment"]) for row in rows} == {expected}
    other = room.action(Message(role="user", text="else")).binding()
    assert keyring.commitment("llm.request", other) != expected


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("model", "'a sentence of a customer'"),
        ("recipient", "'Somewhere Else'"),
        ("outcome", "'it said: hello'"),
        ("provider", "'mistral'"),
        ("request_commitment", r"'\x00'"),
    ],
)
async def test_the_log_has_no_place_for_text(room: Room, owner_url: str, column: str, value: str) -> None:
    await room.ask(OfflineModel())
    good = {"model": "'gpt-5'", "recipient": "'h:1'", "outcome": "'done'", "provider": "'openai'"}

    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SELECT set_config('joule.org', %s, false)", (str(room.org),))
        if column in good:
            changed = connection.execute(f"UPDATE llm_call SET {column} = {good[column]}").rowcount  # control
            assert changed == 1
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(f"UPDATE llm_call SET {column} = {value}")


async def test_the_log_cannot_be_rewritten_by_the_application(room: Room, app_url: str) -> None:
    await room.ask(OfflineModel())

    with psycopg.connect(app_url, autocommit=True) as connection:
        connection.execute("SELECT set_config('joule.org', %s, false)", (str(room.org),))
        assert connection.execute("SELECT count(*) FROM llm_call").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE llm_call SET outcome = 'done'")


async def test_usage_is_counted_per_task_and_organisation(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies += [Says(pieces=("a",), usage=(10, 5)), Says(pieces=("b",), usage=(20, 5)), Fails(status=401)]
    await room.ask(model)
    await room.ask(model)
    with pytest.raises(ModelRefusedKey):
        await room.ask(model)
    day = timedelta(days=1)
    window = {"since": room.clock.now() - day, "until": room.clock.now() + day}

    async with room.database.read(room.org) as session:
        mine = await usage_of_task(session, room.org, room.task)
        none = await usage_of_task(session, room.org, TaskId(new_id()))
        whole = await usage_of_organisation(session, room.org, **window)
        sent = await recipients(session, room.org, **window)
    stranger = OrgId(new_id())
    async with room.database.read(stranger) as session:
        theirs = await usage_of_organisation(session, room.org, **window)

    assert (mine.calls, mine.failed, mine.input_tokens, mine.output_tokens) == (3, 1, 30, 10)
    assert whole == mine
    assert none.calls == theirs.calls == 0
    assert [(each.recipient, each.usage.calls) for each in sent] == [(model.recipient, 3)]


async def test_no_model_is_asked_without_a_fresh_permit(room: Room, provider: OpenAIServer, model: ChatModel) -> None:
    permits = Permits(clock=room.clock)
    handler = LanguageModelHandler(
        admission=permits, database=room.database, vault=room.vault, clock=room.clock, model=model
    )
    action = room.action()
    permit = permits.issue(action, decision=room.decision, task=room.task)
    provider.replies.append(Says(pieces=("Hi",)))

    assert (await handler.generate(permit, action)).text == "Hi"  # control
    with pytest.raises(PermitMisused):
        await handler.generate(permit, action)

    assert len(provider.requests) == 1


async def test_an_answer_has_the_label_of_what_was_asked(room: Room) -> None:
    got = await room.ask(OfflineModel())

    assert got.label == room.action().label
    assert (got.provider, got.model, got.spend_micros) == ("offline", "offline", 0)
