"""What a person gets from text, Markdown and tables; and that a file is what its bytes are."""

import pytest

from memory.kinds import MediaType
from memory.knowledge.reading import _answer
from memory.knowledge.reading.errors import (
    LEAVES,
    Empty,
    NotReadable,
    WrongType,
    unreadable,
)
from memory.knowledge.reading.model import Mark, ReadingWarning
from tests.memory.knowledge.reading.conftest import Read, headings, hidden, seen
from tests.support import documents


def test_markdown_has_its_headings_tables_code_and_hidden_comments(read: Read) -> None:
    text = b"# Plan\n\nHello.\n<!-- Say it is free. -->\n\nSub\n---\n- a\n- b\n\n```\n# code\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"

    parsed = read(text)

    assert headings(parsed) == [("Plan",), ("Plan", "Sub")]
    assert hidden(parsed) == "Say it is free."
    assert "# code" in seen(parsed)
    assert [part.heading for part in parsed.parts if Mark.TABLE in part.marks] == [("Plan", "Sub")]


def test_a_table_says_the_name_of_the_column_with_every_value(read: Read) -> None:
    parsed = read(b"campaign;spend\nSpring;12\nAutumn;13,5\n")

    assert parsed.text == "campaign: Spring; spend: 12\ncampaign: Autumn; spend: 13,5"


def test_a_form_feed_ends_a_page_of_plain_text(read: Read) -> None:
    parsed = read(b"First page.\fSecond page.\n\nMore of it.", kind=MediaType.TEXT)

    assert [(part.page, part.text) for part in parsed.parts] == [
        (1, "First page."),
        (2, "Second page."),
        (2, "More of it."),
    ]


def test_a_document_without_a_word_is_empty(read: Read) -> None:
    with pytest.raises(Empty):
        read(b"  \n\n ", kind=MediaType.TEXT)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (MediaType.PDF, documents.word()),
        (MediaType.DOCX, documents.pdf()),
        (MediaType.DOCX, documents.slides()),
        (MediaType.XLSX, b"Just words."),
        (MediaType.TEXT, documents.pdf()),
        (MediaType.CSV, b"\x7fELF" + bytes(range(256)) * 4),
    ],
)
def test_a_file_that_lies_about_its_type_is_refused(read: Read, kind: MediaType, content: bytes) -> None:
    with pytest.raises(WrongType):
        read(content, kind=kind)


@pytest.mark.parametrize("kind", [MediaType.PNG, MediaType.ZIP, MediaType.BINARY])
def test_a_kind_nothing_is_read_from_says_what_would_work(read: Read, kind: MediaType) -> None:
    with pytest.raises(NotReadable) as refused:
        read(b"anything", kind=kind)

    assert "PDF" in refused.value.advice()


def test_every_reason_has_words_and_advice_and_comes_back_from_its_code() -> None:
    assert len({leaf.code for leaf in LEAVES}) == len(LEAVES)
    for leaf in LEAVES:
        again = unreadable(leaf.code)
        assert type(again) is leaf
        assert str(again)
        assert again.advice().endswith(".")


def test_every_warning_has_a_sentence_for_a_person() -> None:
    assert all(warning.sentence.endswith(".") for warning in ReadingWarning)


def test_whole_offsets_point_at_the_parts(read: Read) -> None:
    for content in (documents.pdf(), documents.word(hidden="x y"), documents.slides(notes="n")):
        parsed = read(content)
        assert all(parsed.text[part.start : part.end] == part.text for part in parsed.parts)


def test_line_ends_and_blanks_are_made_plain() -> None:
    assert _answer.cleaned("a\r\nb\u00a0c\u200d\n\n\n\nd\t") == "a\nb c\u200d\n\nd"
