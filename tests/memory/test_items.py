"""What is remembered, recalled, changed and forgotten."""

from datetime import timedelta

import pytest

from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import PersonId, new_id
from joule.kernel.label import Integrity, Label, Training
from joule.kernel.principal import Via
from memory import queries
from memory.actions import EditItem, ForgetItem, ListItems, PinItem, Recall, Remember
from memory.errors import CardNumber, TooMuch
from memory.kinds import ItemKind
from tests.memory.conftest import Room


async def test_what_is_remembered_is_recalled_by_other_forms_of_its_words(room: Room) -> None:
    await room.remember("We never use exclamation marks in headlines")
    await room.remember("The budget year starts in April")

    recalled = await room.ask(Recall, query="may a headline have an exclamation mark?")

    assert [one.text for one in recalled.items] == ["We never use exclamation marks in headlines"]


async def test_recall_finds_words_that_english_stemming_does_not_know(room: Room) -> None:
    await room.remember("Zielgruppe: Werkstattbesitzer in Österreich")
    await room.remember("Send on Tuesdays")

    recalled = await room.ask(Recall, query="werkstatt")

    assert [one.text for one in recalled.items] == ["Zielgruppe: Werkstattbesitzer in Österreich"]


async def test_an_empty_query_recalls_the_newest_and_the_limit_holds(room: Room) -> None:
    for number in range(5):
        room.clock.advance(timedelta(seconds=1))
        await room.remember(f"note {number}")

    recalled = await room.ask(Recall, query="  ", limit=2)

    assert [one.text for one in recalled.items] == ["note 4", "note 3"]


@pytest.mark.parametrize(
    "query", ["'; DROP TABLE project --", "a & | ! ( :*", '"unclosed', "\0\ud800 note", "-", "the"]
)
async def test_no_query_breaks_recall(room: Room, query: str) -> None:
    await room.remember("note")

    await room.ask(Recall, query=query)

    assert len((await room.ask(ListItems)).items) == 1


async def test_the_same_text_is_kept_once_whatever_its_case_and_spacing(room: Room) -> None:
    first = await room.remember("We say hello")

    second = await room.remember("  we  SAY hello ")

    assert (second.item, second.existing, second.text) == (first.item, True, "We say hello")
    assert len((await room.ask(ListItems)).items) == 1


async def test_an_item_carries_who_said_it_by_whose_hand_and_from_what(room: Room) -> None:
    await room.remember("typed by hand", kind=ItemKind.RULE)
    learning = Remember(
        text="learnt by the agent",
        project=room.project,
        principal=room.principal(Via.AGENT),
        label=room.typed.join(Label(sources=frozenset({"file:0199"}))),
    )
    await room.do(learning, approved=True)

    items = {
        one.text: one
        for one in await room.query(queries.list_items, room.project, reader=room.person, now=room.clock.now())
    }

    typed, learnt = items["typed by hand"], items["learnt by the agent"]
    assert (typed.author, typed.via, typed.source_task, typed.kind) == (room.person, "person", room.task, "rule")
    assert typed.label.integrity is Integrity.TRUSTED
    assert typed.label.sources == {f"person:{room.person}"}
    assert (learnt.via, learnt.label.integrity) == ("agent", Integrity.UNTRUSTED)
    assert "file:0199" in learnt.label.sources
    assert learnt.label.training is Training.DENIED


async def test_the_label_of_an_answer_is_the_strictest_of_its_items(room: Room) -> None:
    await room.remember("trusted words")
    trusted = await room.ask(Recall, query="words")
    await room.remember("untrusted words", label=Label())

    mixed = await room.ask(Recall, query="words")

    assert trusted.label.integrity is Integrity.TRUSTED
    assert mixed.label.integrity is Integrity.UNTRUSTED


async def test_an_item_meant_for_one_reader_is_not_there_for_another(room: Room) -> None:
    await room.remember("for me", label=Label(readers=frozenset({room.person})))
    await room.remember("for someone else", label=Label(readers=frozenset({PersonId(new_id())})))

    seen = await room.ask(ListItems)

    assert [one.text for one in seen.items] == ["for me"]


async def test_editing_replaces_the_text_and_keeps_what_it_came_from(room: Room) -> None:
    kept = await room.remember("budgt is 5000", label=Label(sources=frozenset({"file:0199"})))

    edited = await room.ask(EditItem, item=kept.item, text="budget is 5000")

    assert edited.text == "budget is 5000"
    assert edited.label.integrity is Integrity.UNTRUSTED
    assert edited.label.sources == {"file:0199", f"person:{room.person}"}
    assert [one.text for one in (await room.ask(ListItems)).items] == ["budget is 5000"]


async def test_an_item_cannot_be_edited_into_one_that_is_there_already(room: Room) -> None:
    await room.remember("one")
    other = await room.remember("two")

    with pytest.raises(Invalid):
        await room.ask(EditItem, item=other.item, text="ONE")

    assert (await room.ask(EditItem, item=other.item, text="TWO")).text == "TWO"


async def test_a_pinned_item_is_recalled_whatever_is_asked(room: Room) -> None:
    pinned = await room.remember("we are called Voltaire")
    await room.remember("send on Tuesdays")

    await room.ask(PinItem, item=pinned.item)

    recalled = await room.ask(Recall, query="Tuesdays")
    assert [one.text for one in recalled.items] == ["we are called Voltaire", "send on Tuesdays"]


async def test_a_replaced_item_is_out_of_sight_and_goes_with_its_successor(room: Room) -> None:
    old = await room.remember("price is 10")
    new = await room.remember("price is 12", replaces=old.item)
    assert [one.text for one in (await room.ask(ListItems)).items] == ["price is 12"]

    forgotten = await room.ask(ForgetItem, item=new.item)

    assert forgotten.items == 2
    assert (await room.ask(ListItems)).items == ()


async def test_a_forgotten_item_leaves_no_row_and_can_be_remembered_anew(room: Room) -> None:
    kept = await room.remember("forget me")

    await room.ask(ForgetItem, item=kept.item)

    with pytest.raises(NotFound):
        await room.ask(ForgetItem, item=kept.item)
    assert (await room.ask(Recall, query="forget me")).items == ()
    assert (await room.remember("forget me")).existing is False


async def test_an_item_ends_at_its_date(room: Room) -> None:
    await room.remember("sale ends soon", expires_at=room.clock.now() + timedelta(days=1))
    assert len((await room.ask(ListItems)).items) == 1

    room.clock.advance(timedelta(days=1))

    assert (await room.ask(ListItems)).items == ()
    assert (await room.remember("sale ends soon")).existing is False


@pytest.mark.parametrize("text", ["", "   ", "a\x07bell", "half \ud83d"])
async def test_a_text_that_cannot_be_kept_is_refused_with_advice(room: Room, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        await room.remember(text)

    assert refused.value.advice()
    assert (await room.ask(ListItems)).items == ()


async def test_a_text_past_the_limit_is_refused_and_one_at_it_is_kept(room: Room) -> None:
    with pytest.raises(TooMuch):
        await room.remember("a" * 2_001)

    assert (await room.remember("a" * 2_000)).existing is False


async def test_a_full_card_number_is_never_remembered(room: Room) -> None:
    with pytest.raises(CardNumber):
        await room.remember("pay with 4111 1111 1111 1111 please")

    assert (await room.remember("pay with the card ending in 1111 please")).existing is False


async def test_another_project_does_not_see_the_items_of_this_one(room: Room, neighbour: Room) -> None:
    kept = await room.remember("ours")

    assert (await neighbour.ask(ListItems)).items == ()
    with pytest.raises(NotFound):
        await neighbour.ask(ForgetItem, item=kept.item)
    with pytest.raises(NotFound):
        await neighbour.ask(ListItems, project=room.project)
    assert len((await room.ask(ListItems)).items) == 1
