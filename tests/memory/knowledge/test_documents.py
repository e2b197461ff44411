"""Documents are kept once, as they came, and stand untrusted whoever brought them."""

import pytest

from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import PersonId, ProjectId, new_id
from joule.kernel.label import Integrity, Label, Training
from memory.actions import CreateProject
from memory.detecting import FindingKind
from memory.errors import BadName, CardNumber, TooMuch
from memory.knowledge import queries
from memory.knowledge.actions import ListDocuments, ReindexDocument, RenameDocument, SetMasking
from memory.knowledge.errors import CutOff, NotADocument, StillUnread, TitleTaken
from memory.knowledge.reading.errors import WrongType
from memory.knowledge.states import SourceKind
from tests.memory.conftest import MEGABYTE
from tests.memory.knowledge.conftest import Library

BRIEF = b"# Brief\n\nThe spring launch starts on the second of March.\n"


async def test_a_document_is_an_outsiders_words_whoever_brought_it(shelves: Library) -> None:
    added = await shelves.add("brief.md", BRIEF)

    label = added.label
    assert (label.integrity, label.training) == (Integrity.UNTRUSTED, Training.DENIED)
    assert f"document:{added.document}" in label.sources
    assert f"person:{shelves.room.person}" in label.sources
    assert "workspace.knowledge" in label.categories


async def test_a_document_waits_until_a_worker_reads_it(shelves: Library) -> None:
    added = await shelves.add("brief.md", BRIEF)

    assert added.state == "queued"
    assert await shelves.texts("spring launch") == []
    with pytest.raises(StillUnread):
        await shelves.read(added.document)


async def test_the_same_bytes_again_are_the_same_document(shelves: Library) -> None:
    first = await shelves.shelve("brief.md", BRIEF)

    again = await shelves.add("another name.md", BRIEF)

    assert (again.document, again.duplicate_of, again.version, again.state) == (first, first, 1, "ready")
    assert shelves.rows("document", "document_version") == {"document": 1, "document_version": 1}


async def test_the_same_bytes_in_another_project_are_another_document(shelves: Library) -> None:
    first = await shelves.add("brief.md", BRIEF)
    other = await shelves.room.ask(CreateProject, project=None, title="Autumn")

    again = await shelves.add("brief.md", BRIEF, project=other.project)

    assert again.document != first.document
    assert again.duplicate_of is None


async def test_the_same_title_is_a_new_version(shelves: Library) -> None:
    first = await shelves.shelve("brief.md", BRIEF)

    second = await shelves.add("Brief.MD", b"# Brief\n\nThe launch moved to April.\n")

    assert (second.document, second.version, second.title) == (first, 2, "brief.md")


async def test_an_upload_that_broke_off_is_not_kept(shelves: Library) -> None:
    with pytest.raises(CutOff) as refused:
        await shelves.add("brief.md", BRIEF[: len(BRIEF) * 6 // 10], expected_bytes=len(BRIEF))

    assert "Upload the file again" in refused.value.advice()
    assert shelves.rows("document", "document_version") == {"document": 0, "document_version": 0}
    assert (await shelves.add("brief.md", BRIEF, expected_bytes=len(BRIEF))).version == 1


@pytest.mark.parametrize(
    ("title", "content", "problem"),
    [
        ("brief.pdf", b"<!doctype html><html><p>Hello</p>", WrongType),
        ("brief.txt", b"%PDF-1.7 something", WrongType),
        ("logo.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, NotADocument),
        ("tool.bin", bytes(range(256)), NotADocument),
        ("empty.txt", b"", Invalid),
        ("big.txt", b"a" * (MEGABYTE + 1), TooMuch),
        ("  ", BRIEF, BadName),
        ("a\u202eb.txt", BRIEF, BadName),
        ("4111 1111 1111 1111.txt", BRIEF, CardNumber),
    ],
)
async def test_what_cannot_be_a_document_is_refused_before_it_is_kept(
    shelves: Library, title: str, content: bytes, problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        await shelves.add(title, content)

    assert shelves.rows("document") == {"document": 0}


async def test_nothing_a_document_says_stands_in_clear(shelves: Library) -> None:
    await shelves.shelve("zebrafish plan.md", b"# Quokka\n\nThe wombat budget is confidential.\n")

    with shelves.owner() as connection:
        rows = [
            str(row).lower()
            for table in ("document", "document_version", "chunk", "chunk_words", "chunk_vector", "gone")
            for row in connection.execute(f"SELECT t::text FROM {table} AS t")
        ]

    found = {word for word in ("zebrafish", "quokka", "wombat", "confidenti") for row in rows if word in row}
    assert found == set()
    assert len(rows) >= 5  # the same look would have found them


async def test_a_document_is_renamed_and_no_two_have_one_title(shelves: Library) -> None:
    brief = await shelves.add("brief.md", BRIEF)
    await shelves.add("plan.md", b"# Plan\n\nTwo weeks.\n")

    with pytest.raises(TitleTaken):
        await shelves.room.ask(RenameDocument, document=brief.document, title="PLAN.md")
    await shelves.room.ask(RenameDocument, document=brief.document, title="The brief")

    listed = await shelves.room.ask(ListDocuments)
    assert [each.title for each in listed.documents] == ["plan.md", "The brief"]
    assert listed.label.integrity is Integrity.UNTRUSTED


async def test_what_a_label_keeps_from_somebody_they_neither_see_nor_change(shelves: Library) -> None:
    someone = PersonId(new_id())
    hidden = Label(integrity=Integrity.UNTRUSTED, readers=frozenset({someone}))
    kept = await shelves.add("secret.md", BRIEF, label=hidden)

    assert (await shelves.room.ask(ListDocuments)).documents == ()
    assert await shelves.room.query(queries.list_documents, shelves.room.project, reader=shelves.room.person) == ()
    for attempt in (
        shelves.read(kept.document),
        shelves.room.ask(ReindexDocument, document=kept.document),
        shelves.room.ask(RenameDocument, document=kept.document, title="mine"),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert len(await shelves.room.query(queries.list_documents, shelves.room.project, reader=someone)) == 1


async def test_a_project_that_is_not_there_takes_no_document(shelves: Library) -> None:
    with pytest.raises(NotFound):
        await shelves.add("brief.md", BRIEF, project=ProjectId(new_id()))


async def test_two_files_of_an_account_may_be_called_the_same(shelves: Library) -> None:
    from_account = {"source": SourceKind.CONNECTION, "connection": new_id()}

    one = await shelves.add("Report.md", BRIEF, external="a", **from_account)
    other = await shelves.add("Report.md", b"Another report.", external="b", **from_account)
    newer = await shelves.add("Report.md", b"A newer report.", external="a", **from_account)

    assert (one.title, other.title) == ("Report.md", "Report (2).md")
    assert (newer.document, newer.version) == (one.document, 2)
    assert f"connection:{from_account['connection']}" in newer.label.sources


async def test_a_person_does_not_write_over_what_an_account_brought(shelves: Library) -> None:
    await shelves.add("Report.md", BRIEF, source=SourceKind.CONNECTION, connection=new_id(), external="a")

    with pytest.raises(TitleTaken):
        await shelves.add("report.md", b"Mine.")


async def test_cards_are_covered_and_the_original_that_holds_them_is_not_kept(shelves: Library) -> None:
    content = b"Invoice notes.\n\nPaid with card 4111 1111 1111 1111 by Ada.\n"
    document = await shelves.shelve("notes.md", content)

    read = await shelves.read(document)

    assert "4111" not in read.text
    assert "1111 by Ada" in read.text  # its last four digits stay, and nothing moves
    assert "user.financial.credit_card" in read.label.categories
    (view,) = (await shelves.room.query(queries.document_by_id, shelves.room.project, document, reader=None)).versions
    assert "card_numbers_covered" in view.warnings
    with pytest.raises(Invalid, match="card numbers"):
        await shelves.room.query(queries.original, shelves.room.project, document, version=None, reader=None)
    with pytest.raises(Invalid, match="card numbers"):
        await shelves.room.ask(ReindexDocument, document=document)


async def test_an_organisation_chooses_what_is_covered(shelves: Library) -> None:
    content = b"# Contacts\n\nWrite to ada@example.com about the launch.\n"
    marked = await shelves.read(await shelves.shelve("before.md", content))
    chosen = await shelves.room.ask(SetMasking, project=None, masked=(FindingKind.EMAIL,))

    masked = await shelves.read(await shelves.shelve("after.md", content + b"Soon.\n"))

    assert chosen.masked == ("card", "email")
    assert "ada@example.com" in marked.text
    assert "ada@example.com" not in masked.text
    assert "user.contact.email" in marked.label.categories & masked.label.categories


async def test_the_organisations_own_people_are_found_in_what_is_kept(shelves: Library) -> None:
    shelves.room.people.append("Grace Hopper")

    read = await shelves.read(await shelves.shelve("notes.md", b"Ask Grace Hopper about the launch.\n"))

    assert "user.name" in read.label.categories
