"""Files: what comes in, how it is read and changed, how it goes."""

import io
import zipfile
from datetime import timedelta

import pytest

from joule.kernel.errors import Conflict, Invalid, NotFound
from joule.kernel.label import Integrity, Label
from memory import queries
from memory.actions import (
    DeleteFile,
    EditFile,
    EraseFile,
    ListFiles,
    ReadFile,
    RestoreFile,
    SearchFiles,
    Sweep,
)
from memory.errors import BadName, CardNumber, NotText, NoUniqueMatch, TooMuch
from tests.memory.conftest import MEGABYTE, Room

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def _archive(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("picture.csv", PNG, "image/png"),
        ("a.bin", b"%PDF-1.7 ...", "application/pdf"),
        ("a.bin", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("table", b"a,b\n1,2\n3,4\n", "text/csv"),
        ("export.txt", b"a\tb\n1\t2\n", "text/csv"),
        ("guide.md", b"# Voice\n\nBe kind.\n", "text/markdown"),
        ("letter.txt", b"Hello, world\nWe, the people\n", "text/plain"),
        ("x.json", b'{"a": [1]}', "application/json"),
        ("page.txt", b"<!DOCTYPE html><p>x", "text/html"),
        ("empty.md", b"", "text/markdown"),
        ("thing.csv", b"\x00\x01\x02\xff" * 50, "application/octet-stream"),
        ("b.zip", _archive("a.txt"), "application/zip"),
        ("b.csv", _archive("[Content_Types].xml", "xl/workbook.xml"), "spreadsheetml"),
        ("broken.zip", b"PK\x03\x04nothing", "application/octet-stream"),
    ],
)
async def test_what_a_file_is_is_told_by_its_bytes(room: Room, name: str, content: bytes, expected: str) -> None:
    saved = await room.upload(name, content)

    assert expected in saved.media_type
    assert saved.size == len(content)


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/b", "a\\b", "", "  ", ".", "..", "con", "NUL.txt", "a\x00b", "a\nb", "x\u202evsc.exe", "a."]
)
async def test_a_name_that_is_not_safe_everywhere_is_refused(room: Room, name: str) -> None:
    with pytest.raises(BadName) as refused:
        await room.upload(name, b"x")

    assert refused.value.advice()
    assert (await room.ask(ListFiles)).files == ()


async def test_a_name_that_is_too_long_is_refused_and_an_unusual_one_is_kept(room: Room) -> None:
    with pytest.raises(BadName):
        await room.upload("ü" * 101, b"x")

    await room.upload("Été: déjà vu? 🚀 .csv", b"x")

    assert (await room.ask(ListFiles)).files[0].name == "Été: déjà vu? 🚀 .csv"


async def test_the_same_name_in_another_spelling_is_the_same_file(room: Room) -> None:
    await room.write("Résumé.md", "one")

    second = await room.write("re\u0301sume\u0301.MD", "two")

    assert (second.version, second.name) == (2, "Résumé.md")
    assert len((await room.ask(ListFiles)).files) == 1


async def test_a_file_past_the_limit_is_refused_and_one_at_it_is_kept(room: Room) -> None:
    with pytest.raises(TooMuch):
        await room.upload("big.txt", b"a" * (MEGABYTE + 1))

    assert (await room.upload("big.txt", b"a" * MEGABYTE)).size == MEGABYTE


async def test_an_upload_is_untrusted_whoever_brings_it_and_typed_words_are_trusted(room: Room) -> None:
    upload = await room.upload("a.md", b"# x")
    typed = await room.write("b.md", "# y")
    learnt = await room.write("c.md", "# z", label=upload.label)

    assert upload.label.integrity is Integrity.UNTRUSTED
    assert upload.label.sources == {f"file:{upload.file}", f"person:{room.person}"}
    assert typed.label.integrity is Integrity.TRUSTED
    assert learnt.label.integrity is Integrity.UNTRUSTED
    assert f"file:{upload.file}" in learnt.label.sources
    assert (await room.ask(ReadFile, file_name="b.md")).label.integrity is Integrity.TRUSTED
    assert (await room.ask(ListFiles)).label.integrity is Integrity.UNTRUSTED


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("Größe €\n".encode(), "UTF-8"),
        ("Größe €\n".encode("utf-8-sig"), "UTF-8 with byte order mark"),
        ("Größe €\n".encode("utf-16"), "UTF-16"),
        ("\ufeffGröße €\n".encode("utf-16-be"), "UTF-16"),
        ("Größe €\n".encode("cp1252"), "Windows-1252"),
    ],
)
async def test_text_is_read_in_the_encodings_people_have(room: Room, content: bytes, encoding: str) -> None:
    saved = await room.upload("a.txt", content)

    read = await room.ask(ReadFile, file_name="a.txt")

    assert (read.text, read.encoding, read.total_lines) == ("Größe €", encoding, 1)
    kept = await room.query(queries.file_content, room.project, saved.file, reader=room.person)
    assert kept.content == content


async def test_reading_is_by_lines_and_bounded(room: Room) -> None:
    await room.write("long.txt", "\r\n".join(f"line {n}" for n in range(1, 30_001)))

    part = await room.ask(ReadFile, file_name="long.txt", start_line=10, lines=2)
    whole = await room.ask(ReadFile, file_name="long.txt", lines=100_000)

    assert (part.text, part.truncated, part.total_lines) == ("line 10\nline 11", True, 30_000)
    assert part.numbered() == "10\tline 10\n11\tline 11"
    assert len(whole.text) <= 60_000
    assert whole.truncated is True
    with pytest.raises(Invalid):
        await room.ask(ReadFile, file_name="long.txt", start_line=30_001)
    with pytest.raises(Invalid):
        await room.ask(ReadFile, file_name="long.txt", start_line=0)


async def test_a_single_line_past_the_limit_is_cut_and_an_empty_file_reads_as_nothing(room: Room) -> None:
    await room.write("one.txt", "x" * 70_000)
    await room.write("none.txt", "")

    one = await room.ask(ReadFile, file_name="one.txt")
    none = await room.ask(ReadFile, file_name="none.txt")

    assert (len(one.text), one.truncated) == (60_000, True)
    assert (none.text, none.total_lines, none.truncated) == ("", 0, False)


async def test_what_is_no_text_says_what_it_is(room: Room) -> None:
    await room.upload("photo.png", PNG)

    with pytest.raises(NotText, match="an image"):
        await room.ask(ReadFile, file_name="photo.png")

    assert (await room.ask(ListFiles)).files[0].is_text is False


async def test_an_edit_needs_exactly_one_place(room: Room) -> None:
    await room.write("a.md", "one two two")

    for find, matches in (("two", 2), ("three", 0)):
        with pytest.raises(NoUniqueMatch) as refused:
            await room.ask(EditFile, file_name="a.md", find=find, replace="x")
        assert refused.value.matches == matches
    with pytest.raises(Invalid):
        await room.ask(EditFile, file_name="a.md", find="", replace="x")

    edited = await room.ask(EditFile, file_name="a.md", find="one", replace="1")
    assert edited.version == 2
    assert (await room.ask(ReadFile, file_name="a.md")).text == "1 two two"
    assert (await room.ask(ReadFile, file_name="a.md", version=1)).text == "one two two"


async def test_an_edit_of_untrusted_words_stays_untrusted_and_fits_any_line_break(room: Room) -> None:
    await room.upload("a.txt", b"first\r\nsecond\r\nthird")

    edited = await room.ask(EditFile, file_name="a.txt", find="first\nsecond", replace="1\n2")

    assert edited.label.integrity is Integrity.UNTRUSTED
    kept = await room.query(queries.file_content, room.project, edited.file, reader=room.person)
    assert kept.content == b"1\r\n2\r\nthird"


async def test_writing_over_a_version_nobody_saw_is_a_conflict(room: Room) -> None:
    await room.write("a.md", "1", expected_version=0)
    await room.write("a.md", "2", expected_version=1)

    with pytest.raises(Conflict):
        await room.write("a.md", "3", expected_version=1)
    with pytest.raises(Conflict):
        await room.write("a.md", "3", expected_version=0)

    assert (await room.ask(ReadFile, file_name="a.md")).text == "2"


async def test_saving_the_same_again_adds_no_version(room: Room) -> None:
    first = await room.upload("a.csv", b"a,b\n1,2\n")

    again = await room.upload("a.csv", b"a,b\n1,2\n")
    other_label = await room.write("a.csv", "a,b\n1,2\n")

    assert (again.version, again.unchanged, again.file) == (1, True, first.file)
    assert (other_label.version, other_label.unchanged) == (2, False)


async def test_a_deleted_file_can_be_restored_for_thirty_days(room: Room) -> None:
    await room.write("a.md", "1")
    await room.write("a.md", "2")

    gone = await room.ask(DeleteFile, file_name="a.md")

    assert (await room.ask(ListFiles)).files == ()
    with pytest.raises(NotFound):
        await room.ask(ReadFile, file_name="a.md")
    bin_ = await room.query(queries.list_files, room.project, reader=room.person, now=room.clock.now(), deleted=True)
    assert [(one.name, one.restorable_until) for one in bin_] == [("a.md", gone.restorable_until)]

    room.clock.advance(timedelta(days=29))
    back = await room.ask(RestoreFile, file_name="a.md", version=1)
    assert (back.version, (await room.ask(ReadFile, file_name="a.md")).text) == (3, "1")

    await room.ask(DeleteFile, file_name="a.md")
    room.clock.advance(timedelta(days=30))
    with pytest.raises(NotFound):
        await room.ask(RestoreFile, file_name="a.md")


async def test_a_deleted_file_does_not_come_back_by_writing_its_name(room: Room) -> None:
    old = await room.write("a.md", "secret plan")
    await room.ask(DeleteFile, file_name="a.md")

    new = await room.write("a.md", "new plan")

    assert (new.version, new.file == old.file) == (1, False)
    with pytest.raises(NotFound):
        await room.ask(RestoreFile, file_name="a.md", version=2)
    with pytest.raises(Conflict):
        await room.ask(RestoreFile, file_name="a.md", file=old.file)
    await room.ask(DeleteFile, file_name="a.md")
    await room.ask(RestoreFile, file_name="a.md", file=old.file)
    assert (await room.ask(ReadFile, file_name="a.md")).text == "secret plan"


async def test_an_older_version_can_be_made_the_newest(room: Room) -> None:
    await room.write("a.md", "1")
    await room.write("a.md", "2")

    restored = await room.ask(RestoreFile, file_name="a.md", version=1)

    assert restored.version == 3
    (view,) = await room.query(queries.list_files, room.project, reader=room.person, now=room.clock.now())
    assert [one.version for one in view.versions] == [3, 2, 1]
    with pytest.raises(NotFound):
        await room.ask(RestoreFile, file_name="a.md", version=9)


async def test_erasing_removes_every_version_and_the_sweep_what_was_deleted_long_ago(room: Room) -> None:
    await room.write("a.md", "1")
    await room.ask(DeleteFile, file_name="a.md")
    await room.write("a.md", "1")
    await room.write("a.md", "2")

    erased = await room.ask(EraseFile, file_name="A.md")

    assert (erased.files, erased.versions) == (2, 3)
    with pytest.raises(NotFound):
        await room.ask(EraseFile, file_name="a.md")

    await room.write("b.md", "1")
    await room.ask(DeleteFile, file_name="b.md")
    assert (await room.ask(Sweep, project=None)).files == 0
    room.clock.advance(timedelta(days=30))
    swept = await room.ask(Sweep, project=None)
    assert (swept.files, swept.versions, swept.more) == (1, 1, False)


async def test_search_tells_file_line_and_snippet_and_stays_out_of_pictures(room: Room) -> None:
    await room.upload("guide.md", b"# Voice\n\nWe never use exclamation marks.\nBe brief.\n")
    await room.write("notes.md", "Marks and Spencer\n")
    await room.upload("photo.png", PNG + b"exclamation mark")

    found = await room.ask(SearchFiles, query="exclamation mark")

    assert [(hit.name, hit.line) for hit in found.hits] == [("guide.md", 3), ("notes.md", 1)]
    assert found.hits[0].snippet == "We never use exclamation marks."
    assert (found.complete, found.label.integrity) == (True, Integrity.UNTRUSTED)
    assert (await room.ask(SearchFiles, query="zebra")).hits == ()
    assert (await room.ask(SearchFiles, query="")).hits == ()


async def test_card_numbers_are_refused_in_files_and_campaign_numbers_are_not(room: Room) -> None:
    with pytest.raises(CardNumber):
        await room.upload("a.csv", b"name,card\nAnn,4111111111111111\n")
    with pytest.raises(CardNumber):
        await room.write("a.md", "the number is 4111-1111-1111-1111")
    with pytest.raises(CardNumber):
        await room.write("4111111111111111.md", "x")

    rows = b"".join(b"%d,%d\n" % (4_000_000_000_000_000 + n * 7_919, n) for n in range(300))
    assert (await room.upload("ids.csv", b"campaign id,clicks\n" + rows)).version == 1


async def test_keys_in_a_text_file_are_covered_and_its_other_bytes_stay(room: Room) -> None:
    key = "sk-" + "aB3dE6gH" * 4
    click = "EAIaIQobChMI0sLq9Kx7gQMVw4KDBx1mXwZ2EAAYASAAEgJ9"  # advertising is full of long random words
    saved = await room.upload(
        "a.csv", f"name;key;gclid;mail\r\nGrün;{key};{click};ann@example.com\r\n".encode("cp1252")
    )
    await room.write("b.md", "plain")
    await room.ask(EditFile, file_name="b.md", find="plain", replace=f"the password is {key}")

    (line,) = (await room.ask(ReadFile, file_name="a.csv", start_line=2, lines=1)).text.splitlines()
    assert line == f"Grün;{'•' * len(key)};{click};ann@example.com"
    assert key not in (await room.ask(ReadFile, file_name="b.md")).text
    assert saved.label.categories >= {"user.authorization.credentials", "user.contact.email"}


async def test_a_version_meant_for_others_is_not_there(room: Room) -> None:
    await room.write("a.md", "not for you", label=Label(readers=frozenset()))

    assert (await room.ask(ListFiles)).files == ()
    with pytest.raises(NotFound):
        await room.ask(ReadFile, file_name="a.md")
    assert (await room.ask(SearchFiles, query="not for you")).hits == ()
