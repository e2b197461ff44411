"""What was made from a source goes when the source goes, in the same transaction, and nothing brings it back."""

import asyncio
from importlib import import_module
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from joule.kernel.ids import DecisionId, ThreadId, new_id
from joule.kernel.label import Integrity, Label
from joule.kernel.principal import Via
from memory import sourced
from memory.actions import EraseFile, ListFiles, ReadFile, WriteFile
from memory.entries.actions import PutEntry, SearchEntries
from memory.errors import SourceGone
from memory.following import follow
from memory.items.actions import AcceptItem, ForgetItem, ListItems, Remember, SwitchMemory
from memory.items.kinds import SourceKind
from memory.items.results import Remembered, SourceSpan
from tests.memory.conftest import Room, opened


def read_in(*sources: str) -> Label:
    return Label(sources=frozenset(sources))


async def learnt(room: Room, words: str, *sources: str, **permitted: Any) -> Remembered:
    """What the agent remembers of what it has read, with a person's agreement."""
    action = Remember(
        text=words,
        project=room.project,
        principal=room.principal(Via.AGENT),
        label=read_in(*sources),
        replaces=permitted.pop("replaces", None),
    )
    kept: Remembered = await room.do(action, **{"approved": True, **permitted})
    return kept


async def texts(room: Room) -> set[str]:
    return {each.text for each in (await room.ask(ListItems)).items}


async def test_an_item_shows_what_it_was_made_from(room: Room):
    document = new_id()
    span = SourceSpan(kind=SourceKind.FILE, source=document, start=3, end=40)
    action = Remember(
        text="from the report",
        sources=(span,),
        project=room.project,
        principal=room.principal(Via.AGENT),
        label=read_in(f"file:{document}", f"connection:{room.org}"),
    )

    await room.do(action, approved=True)
    await room.remember("typed by hand")

    items = {each.text: each for each in (await room.ask(ListItems)).items}
    assert set(items["from the report"].sources) == {
        span,
        SourceSpan(kind=SourceKind.MESSAGE, source=room.task),
        SourceSpan(kind=SourceKind.CONNECTION, source=room.org),
    }
    assert items["typed by hand"].sources == (SourceSpan(kind=SourceKind.PERSON, source=room.person),)


@pytest.mark.parametrize("kind", ["document", "connection", "message", "file"])
async def test_what_was_made_from_a_source_goes_with_it_and_nothing_else_does(room: Room, kind: str):
    gone, other = (f"{kind}:{room.task if kind == 'message' else new_id()}", f"document:{new_id()}")
    if kind != "message":
        await learnt(room, "made from it", gone)
    else:
        await learnt(room, "made from it")
    await room.remember("typed by hand")
    before = await texts(room)

    erased = await room.erase(gone)
    untouched = await room.erase(other)

    assert before == {"made from it", "typed by hand"}
    assert await texts(room) == {"typed by hand"}
    assert (erased["items"], untouched["items"]) == (1, 0)


async def test_a_proposal_goes_with_its_source_too(room: Room):
    gone = f"document:{new_id()}"
    proposed = await learnt(room, "a claim", gone, approved=False)
    assert proposed.state == "proposed"

    assert (await room.erase(gone))["items"] == 1

    assert await rows(room, "memory_item") == await rows(room, "item_source") == 0


async def test_what_the_person_said_in_their_own_words_outlives_what_the_agent_had_read(room: Room):
    read = f"document:{new_id()}"
    await learnt(room, "in my words", read, own_words=True, approved=False)

    await room.erase(read)
    assert await texts(room) == {"in my words"}

    await room.erase(f"message:{room.task}")
    assert await texts(room) == set()


async def test_an_item_that_was_said_twice_stands_until_both_sources_are_gone(room: Room):
    first, second = f"document:{new_id()}", f"document:{new_id()}"
    await learnt(room, "said twice", first)
    again = await learnt(room, "said twice", second)
    assert again.existing

    await room.erase(first)
    assert await texts(room) == {"said twice"}
    (item,) = (await room.ask(ListItems)).items
    assert {f"{each.kind}:{each.source}" for each in item.sources} == {second, f"message:{room.task}"}

    await room.erase(second)
    assert await texts(room) == set()


async def test_an_item_that_needed_two_sources_goes_with_either(room: Room):
    first, second = f"document:{new_id()}", f"connection:{new_id()}"
    await learnt(room, "put together", first, second)

    await room.erase(second)

    assert await texts(room) == set()


async def test_what_was_replaced_is_told_again_when_what_replaced_it_goes(room: Room):
    old = await room.remember("price is 10")
    first, second = f"document:{new_id()}", f"document:{new_id()}"
    newer = await learnt(room, "price is 12", first, replaces=old.item)
    await learnt(room, "price is 14", second, replaces=newer.item)
    assert await texts(room) == {"price is 14"}

    await room.erase(first)
    assert await texts(room) == {"price is 14"}

    await room.erase(second)
    assert await texts(room) == {"price is 10"}


async def test_versions_of_files_go_and_the_newest_that_is_left_is_the_newest_again(room: Room):
    gone = f"document:{new_id()}"
    await room.write("plan.md", "by hand")
    await room.write("plan.md", "by hand, and from the report", label=read_in(gone))
    await room.write("report.md", "all from the report", label=read_in(gone))

    erased = await room.erase(gone)

    assert erased["versions"] == 2
    assert [each.name for each in (await room.ask(ListFiles)).files] == ["plan.md"]
    assert (await room.ask(ReadFile, file_name="plan.md")).text == "by hand"
    assert (await room.write("plan.md", "going on")).version == 2
    with pytest.raises(SourceGone):
        await room.ask(WriteFile, file_name="late.md", text="late", label=read_in(gone))


async def test_entries_of_other_agents_go_too(room: Room):
    gone = f"connection:{new_id()}"
    for key, label in (("a", read_in(gone)), ("b", room.typed)):
        await room.ask(PutEntry, namespace=("n",), key=key, value='{"x": 1}', label=label)

    assert (await room.erase(gone))["entries"] == 1

    assert [each.key for each in (await room.ask(SearchEntries)).entries] == ["b"]
    with pytest.raises(SourceGone):
        await room.ask(PutEntry, namespace=("n",), key="late", value="{}", label=read_in(gone))


async def test_a_file_that_is_erased_takes_along_what_was_remembered_from_it(room: Room):
    made = await room.upload("notes.txt", b"The fair is in May")
    await learnt(room, "The fair is in May", f"file:{made.file}")

    await room.ask(EraseFile, file_name="notes.txt")

    assert await texts(room) == set()


async def test_a_conversation_that_is_deleted_leaves_no_switch_behind(room: Room):
    thread = ThreadId(new_id())
    room.threads = {room.task: thread}
    await room.ask(SwitchMemory, on=False, thread=thread)
    assert await rows(room, "memory_switch") == 1

    await room.erase(f"thread:{thread}")

    assert await rows(room, "memory_switch") == 0


async def test_another_organisations_erasing_takes_nothing_here(room: Room, neighbour: Room):
    shared = f"document:{new_id()}"
    await learnt(room, "ours", shared)

    await neighbour.erase(shared)

    assert await texts(room) == {"ours"}
    assert (await learnt(room, "still ours", shared)).state == "live"


async def test_a_write_under_way_is_waited_for_and_erased(room: Room):
    """Whichever of the two comes first: nothing made from the source is left."""
    source = f"document:{new_id()}"

    async def write(number: int) -> None:
        try:
            await learnt(room, f"claim {number}", source)
        except SourceGone:
            return

    await learnt(room, "claim before", source)
    await asyncio.gather(*(write(number) for number in range(3)), room.erase(source), write(3))

    assert await texts(room) == set()
    assert await rows(room, "memory_item") == 0


async def test_an_erasing_that_fails_leaves_everything_as_it_was(room: Room):
    source = f"document:{new_id()}"
    await learnt(room, "made from it", source)
    permit = room.permits.issue(
        ForgetItem(principal=room.principal(), project=room.project, item=new_id()),  # type: ignore[arg-type]
        decision=DecisionId(new_id()),
        task=room.task,
    )

    async def cut_off() -> None:
        async with room.database.write(room.org) as session:
            await follow(session, permit, room.org, [source])
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        await cut_off()

    assert await texts(room) == {"made from it"}
    assert (await learnt(room, "and more", source)).state == "live"


async def test_what_came_through_a_source_is_counted_before_it_goes(room: Room):
    source = f"connection:{new_id()}"
    await learnt(room, "one", source)
    await room.write("a.md", "a", label=read_in(source))
    await room.write("a.md", "b", label=read_in(source))

    async with room.database.read(room.org) as session:
        there = await sourced.count(session, room.org, source)

    assert (there.files, there.items) == (1, 1)


async def test_an_accepted_proposal_still_goes_with_what_it_quotes(room: Room):
    source = f"document:{new_id()}"
    proposed = await learnt(room, "a claim", source, approved=False)
    accepted = await room.ask(AcceptItem, item=proposed.item)
    assert accepted.label.integrity is Integrity.UNTRUSTED

    await room.erase(source)

    assert await texts(room) == set()


async def test_what_was_made_from_a_source_goes_in_every_project(room: Room, database, vault, clock):
    other = await opened(database, vault, clock, room.org, "Second project")
    await learnt(room, "first project", f"document:{room.org}")
    await learnt(other, "second project", f"document:{room.org}")

    await room.erase(f"document:{room.org}")

    assert await texts(room) == await texts(other) == set()


async def test_items_of_before_learn_their_sources_from_their_labels(room: Room, owner_url: str):
    document, connection = new_id(), new_id()
    await learnt(room, "read", f"document:{document}", f"connection:{connection}", "newsfeed:7")
    await learnt(room, "in my words", f"document:{document}", own_words=True)
    await room.remember("typed by hand")
    known = await sources(room)
    migration = import_module("joule.database.migrations.versions.0012_items")
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("SELECT set_config('joule.org', %s, false)", [str(room.org)])
        owner.execute("DELETE FROM item_source")
        owner.execute("SELECT set_config('joule.org', '', false)")
        owner.execute("ALTER TABLE item_source NO FORCE ROW LEVEL SECURITY")  # it is not walled yet at that moment
        owner.execute(migration._SOURCES_OF_BEFORE)
        shut = owner.execute("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'memory_item'").fetchone()

    assert await sources(room) == known
    assert shut == (True,)


async def sources(room: Room) -> dict[str, set[SourceSpan]]:
    return {each.text: set(each.sources) for each in (await room.ask(ListItems)).items}


async def rows(room: Room, table: str) -> int:
    async with room.database.read(room.org) as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
