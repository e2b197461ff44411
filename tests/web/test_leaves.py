"""A document's text in pages: the one a passage stands on is opened, and exactly the passage is marked."""

import pytest

from joule.web.chat.knowledge.leaves import LEAF, leaf_of, span_of
from memory.knowledge.queries import WholeText
from memory.knowledge.reading.model import Block, Mark, assembled

PAGED = (
    Block(text="Brand", page=1, heading=("Brand",)),
    Block(text="We roast on Tuesdays.", page=1, heading=("Brand",)),
    Block(text="Refunds take five days.", page=3, heading=("Refunds",)),
    Block(text="Not to be seen", page=3, heading=("Refunds",), marks=frozenset({Mark.HIDDEN})),
)


def whole(*blocks: Block, pages: int | None) -> WholeText:
    parsed = assembled(blocks, pages=pages, title=None)
    return WholeText(version=1, parts=parsed.parts, pages=pages)


def test_the_page_of_a_passage_is_opened_and_only_its_characters_are_marked() -> None:
    text = whole(*PAGED, pages=3)
    start = text.parts[2].start

    leaf = leaf_of(text, number=1, span=(start + 8, start + 12))

    assert (leaf.number, leaf.total) == (3, 3)
    refunds, hidden = leaf.parts
    assert (refunds.before, refunds.passage, refunds.after) == ("Refunds ", "take", " five days.")
    assert refunds.first
    assert (hidden.mark, hidden.passage) == ("Hidden in the document", "")


def test_a_passage_over_two_parts_begins_once() -> None:
    text = whole(*PAGED, pages=3)

    leaf = leaf_of(text, number=1, span=(0, text.parts[1].end))

    assert [each.passage for each in leaf.parts] == ["Brand", "We roast on Tuesdays."]
    assert [each.first for each in leaf.parts] == [True, False]
    assert [each.is_heading for each in leaf.parts] == [True, False]


def test_a_page_without_text_is_a_page_and_none_lies_past_the_last() -> None:
    text = whole(*PAGED, pages=3)

    assert leaf_of(text, number=2, span=None).parts == ()
    assert leaf_of(text, number=99, span=None).number == 3
    assert leaf_of(whole(pages=None), number=1, span=None).parts == ()


def test_a_document_without_pages_is_cut_between_parts() -> None:
    text = whole(*(Block(text="word " * 300) for _ in range(10)), pages=None)

    leaves = [leaf_of(text, number=at, span=None) for at in (1, 2, 3)]
    last = leaf_of(text, number=1, span=(text.parts[-1].start, text.parts[-1].end))

    assert all(sum(len(each.before) for each in leaf.parts) <= LEAF for leaf in leaves)
    assert sum(len(leaf.parts) for leaf in leaves) == 10
    assert last.number == last.total == 3


@pytest.mark.parametrize("at", ["", "5", "9-3", "3-3", "a-b", "-1-4", "1-2-3", "1-9999999999999"])
def test_an_address_that_names_no_passage_marks_nothing(at: str) -> None:
    assert span_of(at) is None
    assert span_of("3-9") == (3, 9)
