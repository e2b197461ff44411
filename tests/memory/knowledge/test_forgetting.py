"""What is deleted is gone from every table, index and page, with all that was made from it, and nothing brings it back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, new_id
from joule.kernel.label import Integrity, Label
from memory import gone
from memory.actions import DeleteProject
from memory.errors import SourceGone
from memory.knowledge import erasing
from memory.knowledge.actions import DeleteDocument
from memory.knowledge.states import SourceKind
from memory.knowledge.vacuuming import vacuum
from tests.memory.knowledge.conftest import ROWS, Library

BRIEF = b"# Brief\n\nThe spring launch starts on the second of March.\n"
PLAN = b"# Plan\n\nThe autumn launch is not planned yet.\n"


async def test_a_deleted_document_is_gone_from_every_table_and_the_receipt_counts_it(shelves: Library) -> None:
    document = await shelves.shelve("brief.md", BRIEF)
    await shelves.add("brief.md", BRIEF + b"More.\n")
    await shelves.shelve("plan.md", PLAN)

    erased = await shelves.room.ask(DeleteDocument, document=document)

    assert (erased.versions, erased.chunks, erased.vectors) == (2, 1, 1)
    assert (erased.items, erased.derived) == (2, (("files", 1),))
    assert shelves.rows(*ROWS) == dict.fromkeys(ROWS, 1)  # the other one
    assert not any("March" in text for text in await shelves.texts("spring launch March"))
    assert any("autumn" in text for text in await shelves.texts("autumn launch"))
    with pytest.raises(NotFound):
        await shelves.read(document)


async def test_what_was_made_from_a_document_is_told_to_go_in_the_same_transaction(shelves: Library) -> None:
    document = await shelves.shelve("brief.md", BRIEF)

    await shelves.room.ask(DeleteDocument, document=document)

    assert shelves.followed == [(f"document:{document}",)]


async def test_a_deletion_that_fails_halfway_deletes_nothing(shelves: Library) -> None:
    document = await shelves.shelve("brief.md", BRIEF)

    async def fail(*_: Any) -> dict[str, int]:
        raise RuntimeError("the power went")

    shelves.handler._followers = (fail,)
    with pytest.raises(RuntimeError):
        await shelves.room.ask(DeleteDocument, document=document)

    assert shelves.rows(*ROWS) == dict.fromkeys(ROWS, 1)
    assert shelves.rows("gone") == {"gone": 0}
    assert len(await shelves.texts("spring launch")) == 1


async def test_a_late_write_from_a_deleted_document_is_refused(shelves: Library) -> None:
    document = await shelves.shelve("brief.md", BRIEF)
    derived = Label(integrity=Integrity.UNTRUSTED, sources=frozenset({f"document:{document}"}))
    await shelves.add("summary one.md", b"In short: March.", label=derived)  # while it stands it may be

    await shelves.room.ask(DeleteDocument, document=document)

    with pytest.raises(SourceGone):
        await shelves.add("summary two.md", b"In short: the second of March.", label=derived)


async def test_the_same_bytes_may_be_added_anew_by_a_person_but_are_not_synced_again(shelves: Library) -> None:
    synced: dict[str, Any] = {"source": SourceKind.CONNECTION, "connection": new_id(), "external": "file 7"}
    brought = await shelves.add("brief.md", BRIEF, **synced)
    await shelves.room.ask(DeleteDocument, document=brought.document)

    with pytest.raises(SourceGone):
        await shelves.add("brief.md", BRIEF, **synced)
    with pytest.raises(SourceGone):
        await shelves.add("brief.md", b"What it says by now.", **synced)

    again = await shelves.add("brief.md", BRIEF)
    assert again.duplicate_of is None
    assert (await shelves.add("other.md", BRIEF, **{**synced, "external": "file 8"})).version == 1


async def test_documents_of_a_connection_go_with_its_data(shelves: Library) -> None:
    connection, other = new_id(), new_id()
    for number, where in enumerate((connection, connection, other)):
        added = await shelves.add(
            f"report {number}.md", BRIEF, source=SourceKind.CONNECTION, connection=where, external=str(number)
        )
        await shelves.index(added.document)
    room = shelves.room
    permit = room.permits.issue(
        DeleteDocument(principal=room.principal(), document=new_id()), decision=DecisionId(new_id()), task=room.task
    )

    async with room.database.write(room.org) as session:
        counts = await erasing.follow(session, permit, room.org, [f"connection:{connection}"])

    assert counts == {"documents": 2, "passages": 2}
    assert shelves.rows(*ROWS) == dict.fromkeys(ROWS, 1)
    with pytest.raises(SourceGone):
        await shelves.add("late.md", b"Late.", source=SourceKind.CONNECTION, connection=connection, external="9")


async def test_a_project_takes_its_documents_along(shelves: Library) -> None:
    await shelves.shelve("brief.md", BRIEF)

    gone = await shelves.room.ask(DeleteProject)

    assert gone.documents == 1
    assert shelves.rows(*ROWS) == dict.fromkeys(ROWS, 0)


async def test_nobody_deletes_what_they_may_not_read(shelves: Library) -> None:
    hidden = Label(integrity=Integrity.UNTRUSTED, readers=frozenset())
    kept = await shelves.add("secret.md", BRIEF, label=hidden)

    with pytest.raises(NotFound):
        await shelves.room.ask(DeleteDocument, document=kept.document)

    assert shelves.rows("document") == {"document": 1}


async def test_nobody_takes_a_tombstone_away(shelves: Library) -> None:
    document = await shelves.shelve("brief.md", BRIEF)
    await shelves.room.ask(DeleteDocument, document=document)
    room = shelves.room

    for attack in ("DELETE FROM gone", f"UPDATE gone SET at = '{datetime.now(UTC):%Y-%m-%d}'"):
        with psycopg.connect(room.database.url, autocommit=True) as connection:
            connection.execute("SELECT set_config('joule.org', %s, false)", [str(room.org)])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(attack)


async def test_a_vacuum_gives_the_pages_of_what_was_deleted_back(shelves: Library) -> None:
    document = await shelves.shelve("brief.md", BRIEF)
    with shelves.owner() as connection:
        row = connection.execute("SELECT text FROM chunk").fetchone()
        assert row is not None
        sealed = bytes(row[0])
        folder = str(connection.execute("SELECT current_setting('data_directory')").fetchone()[0])  # type: ignore[index]
        path = Path(folder) / str(connection.execute("SELECT pg_relation_filepath('chunk')").fetchone()[0])  # type: ignore[index]
        await shelves.room.ask(DeleteDocument, document=document)
        connection.execute("CHECKPOINT")
        before = sealed[-40:] in path.read_bytes()

        await vacuum(shelves.room.database)

        connection.execute("CHECKPOINT")
        dead = connection.execute("SELECT count(*) FROM chunk").fetchone()
    assert before, "a deleted row stays on its page until then: else this test would show nothing"
    assert sealed[-40:] not in path.read_bytes()
    assert dead == (0,)


async def test_very_many_sources_are_buried_at_once(shelves: Library) -> None:
    room = shelves.room
    sources = [f"document:{number:08x}" for number in range(20_000)]  # the server has room for far fewer locks

    async with room.database.write(room.org) as session:
        await gone.bury(session, room.org, sources, at=room.clock.now(), decision=new_id())

    assert shelves.rows("gone") == {"gone": 20_000}
    async with room.database.write(room.org) as session:
        with pytest.raises(SourceGone):
            await gone.must_stand(session, room.org, [sources[7]])
