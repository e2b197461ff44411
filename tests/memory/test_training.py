"""Nothing that is remembered trains a model, unless an owner's consent stands for every class of data it is made of."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import text

from joule.kernel.errors import NotFound, Refused
from joule.kernel.ids import PersonId, new_id
from joule.kernel.label import Label, Purpose, Training
from joule.kernel.principal import Via
from memory.items import queries
from memory.items.actions import (
    EditItem,
    ExportForTraining,
    ExportItems,
    GiveTrainingConsent,
    Remember,
    WithdrawTrainingConsent,
)
from memory.items.kinds import DataClass, SourceKind, Withheld
from memory.items.results import ExportedForTraining, SourceSpan
from tests.memory.conftest import Room


async def consent(room: Room, *classes: DataClass) -> None:
    for each in classes:
        await room.ask(GiveTrainingConsent, data_class=each)


async def export(room: Room) -> ExportedForTraining:
    async with room.database.read(room.org) as session:
        label = await queries.label_for_training(session, room.org)
    exported: ExportedForTraining = await room.ask(ExportForTraining, label=label)
    return exported


async def by_agent(room: Room, words: str, **fields: Any) -> None:
    fields = {"label": room.typed, **fields}
    action = Remember(text=words, project=room.project, principal=room.principal(Via.AGENT), **fields)
    await room.do(action, approved=True)


async def a_value_of(room: Room, data_class: DataClass) -> None:
    """An item that is made of this class, as it comes about."""
    span = {
        DataClass.FILES: SourceKind.FILE,
        DataClass.KNOWLEDGE: SourceKind.DOCUMENT,
        DataClass.INTEGRATIONS: SourceKind.CONNECTION,
        DataClass.PROMPTS: SourceKind.MESSAGE,
        DataClass.CHAT_HISTORY: SourceKind.MESSAGE,
    }.get(data_class)
    if data_class is DataClass.OUTPUTS:
        await by_agent(room, "an item")
    else:
        spans = (SourceSpan(kind=span, source=new_id()),) if span else ()
        await room.remember("an item", sources=spans)


async def test_by_default_nothing_is_let_out_and_the_asking_itself_is_refused(room: Room):
    kept = await room.remember("We never shout")

    with pytest.raises(Refused):
        await export(room)

    assert kept.label.training is Training.DENIED
    assert await count(room, "training_export") == 0


@pytest.mark.parametrize("data_class", list(DataClass))
async def test_a_value_of_any_class_is_let_out_only_while_consent_stands_for_that_class(
    room: Room, data_class: DataClass
):
    await a_value_of(room, data_class)
    await consent(room, *(each for each in DataClass if each is not data_class))
    if data_class is DataClass.MEMORY:
        with pytest.raises(Refused):
            await export(room)
    else:
        refused = await export(room)
        assert refused.items == ()
        assert [(each.because, each.missing) for each in refused.withheld] == [((Withheld.NO_CONSENT,), (data_class,))]

    await consent(room, data_class)
    given = await export(room)

    assert [each.text for each in given.items] == ["an item"]
    assert given.withheld == ()
    assert given.items[0].label.training is given.label.training is Training.ALLOWED
    assert Purpose.TRAIN in given.items[0].label.purposes
    assert given.consents

    await room.ask(WithdrawTrainingConsent, data_class=data_class)
    if data_class is DataClass.MEMORY:
        with pytest.raises(Refused):
            await export(room)
    else:
        assert (await export(room)).items == ()


async def test_what_an_agent_wrote_stays_its_output_when_a_person_has_edited_it(room: Room):
    await consent(room, *(each for each in DataClass if each is not DataClass.OUTPUTS))
    await by_agent(room, "We never shuot")
    (item,) = (await room.ask(ExportItems)).items
    await room.ask(EditItem, item=item.item, text="We never shout")

    (withheld,) = (await export(room)).withheld
    await consent(room, DataClass.OUTPUTS)

    assert withheld.missing == (DataClass.OUTPUTS,)
    assert [each.text for each in (await export(room)).items] == ["We never shout"]


async def test_what_is_left_out_is_listed_with_every_reason(room: Room):
    room.people = ["Grace Hopper"]
    await consent(room, *DataClass)
    fine = await room.remember("We never shout")
    told = await room.remember("Grace Hopper likes tea")
    mine = await room.remember("for me", label=Label(readers=frozenset({room.person})))
    hidden = await room.remember("for others", label=Label(readers=frozenset({PersonId(new_id())})))
    strange = await room.remember("from afar", label=Label(sources=frozenset({"newsfeed:1"})))
    asked = await room.do(
        Remember(text="a claim", project=room.project, principal=room.principal(Via.AGENT), label=Label())
    )

    exported = await export(room)

    assert [each.item for each in exported.items] == [fine.item]
    assert {each.item: each.because for each in exported.withheld} == {
        told.item: (Withheld.PERSONAL_DATA,),
        mine.item: (Withheld.SOME_READERS,),
        hidden.item: (Withheld.SOME_READERS,),
        strange.item: (Withheld.UNKNOWN_SOURCE,),
        asked.item: (Withheld.PROPOSED,),
    }


async def test_an_export_changes_no_label_of_what_is_kept(room: Room):
    await consent(room, *DataClass)
    await room.remember("We never shout")
    await export(room)

    (item,) = (await room.ask(ExportItems)).items

    assert item.label.training is Training.DENIED
    assert Purpose.TRAIN not in item.label.purposes


async def test_a_consent_that_is_withdrawn_names_the_exports_that_had_gone_out(room: Room):
    await consent(room, DataClass.MEMORY, DataClass.FILES)
    await room.remember("We never shout")
    room.clock.advance(timedelta(hours=1))
    gone = await export(room)
    room.clock.advance(timedelta(hours=1))

    of_memory = await room.ask(WithdrawTrainingConsent, data_class=DataClass.MEMORY)
    of_files = await room.ask(WithdrawTrainingConsent, data_class=DataClass.FILES)

    assert [(each.export, each.by, each.items) for each in of_memory.exports] == [(gone.export, room.person, 1)]
    assert of_files.exports == ()  # no file was in it
    async with room.database.read(room.org) as session:
        (exported,) = await queries.list_exports(session, room.org)
        consents = await queries.list_consents(session, room.org)
    assert exported.data_classes == (DataClass.MEMORY,)
    assert all(each.withdrawn_at == room.clock.now() for each in consents)


async def test_a_consent_is_given_once_and_withdrawn_once(room: Room):
    first = await room.ask(GiveTrainingConsent, data_class=DataClass.MEMORY)
    second = await room.ask(GiveTrainingConsent, data_class=DataClass.MEMORY)

    assert (second.consent, second.existing, first.existing) == (first.consent, True, False)
    await room.ask(WithdrawTrainingConsent, data_class=DataClass.MEMORY)
    with pytest.raises(NotFound):
        await room.ask(WithdrawTrainingConsent, data_class=DataClass.MEMORY)
    again = await room.ask(GiveTrainingConsent, data_class=DataClass.MEMORY)
    assert again.consent != first.consent


TAMPERING = (
    "UPDATE training_consent SET withdrawn_at = NULL, withdrawn_by = NULL, data_class = 'files'",
    "UPDATE training_consent SET given_at = now()",
    "DELETE FROM training_consent",
    "UPDATE training_export SET items = 0",
    "DELETE FROM training_export",
)


async def test_no_record_of_a_consent_or_an_export_can_be_changed_by_the_application(room: Room):
    await consent(room, DataClass.MEMORY)
    await export(room)

    async def tamper(statement: str) -> None:
        async with room.database.write(room.org) as session:
            await session.execute(text(statement))

    for each in TAMPERING:
        with pytest.raises(sqlalchemy.exc.ProgrammingError, match="permission denied"):
            await tamper(each)

    assert (await count(room, "training_consent"), await count(room, "training_export")) == (1, 1)


async def test_people_take_out_everything_that_is_remembered_proposals_included(room: Room):
    await room.remember("We never shout", subject="voice", confidence=80)
    await room.do(Remember(text="a claim", project=room.project, principal=room.principal(Via.AGENT), label=Label()))

    exported = await room.ask(ExportItems)

    assert {(each.text, each.state, each.subject, each.confidence) for each in exported.items} == {
        ("We never shout", "live", "voice", 80),
        ("a claim", "proposed", "", 100),
    }


async def count(room: Room, table: str) -> int:
    async with room.database.read(room.org) as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
