"""Documents are cut along their own structure, every piece can be found again in the text, and nothing is lost."""

import hashlib
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from memory.knowledge.reading.chunking import LONGEST, OVERLAP, TARGET, Piece, pieces
from memory.knowledge.reading.model import Block, Mark, Parsed, assembled

SENTENCE = "The campaign speaks to gardeners between thirty and fifty years of age. "
MARKS = st.sampled_from([frozenset(), frozenset({Mark.HIDDEN}), frozenset({Mark.TABLE})])
BLOCKS = st.builds(
    Block,
    text=st.text(st.sampled_from("ab .\n\u00e4\U0001f600"), max_size=4_000).map(str.strip),
    page=st.sampled_from([None, 1, 2]),
    heading=st.sampled_from([(), ("One",), ("One", "Two"), ("Three",)]),
    marks=MARKS,
)


def document(*blocks: Block) -> Parsed:
    return assembled(blocks, pages=None, title=None)


def place(piece: Piece) -> tuple[object, ...]:
    return piece.page, piece.heading, piece.marks


def test_short_paragraphs_of_one_section_make_one_piece_with_their_heading() -> None:
    parsed = document(
        Block(text="Plan", heading=("Plan",)), *(Block(text=f"{n}.", heading=("Plan",)) for n in range(9))
    )

    (piece,) = pieces(parsed)

    assert piece.text.startswith("Plan\n\n0.")
    assert piece.text.endswith("8.")


def test_a_piece_never_crosses_a_heading_a_page_or_a_change_of_marks() -> None:
    parsed = document(
        Block(text="A.", page=1, heading=("One",)),
        Block(text="B.", page=2, heading=("One",)),
        Block(text="C.", page=2, heading=("Two",)),
        Block(text="D.", page=2, heading=("Two",), marks=frozenset({Mark.HIDDEN})),
    )

    assert [piece.text for piece in pieces(parsed)] == ["A.", "B.", "C.", "D."]


def test_a_long_section_is_cut_after_sentences_and_says_the_last_one_again() -> None:
    parsed = document(Block(text=(SENTENCE * 60).strip(), heading=("One",)))

    found = pieces(parsed)

    assert len(found) > 3
    assert all(len(piece.text) <= LONGEST for piece in found)
    assert all(piece.text.startswith("The campaign") and piece.text.endswith(".") for piece in found)
    assert all(0 < before.end - after.start <= OVERLAP for before, after in pairwise(found))


def test_rows_of_a_table_are_in_one_piece_only() -> None:
    row = Block(text="Campaign: Spring; Spend: 12", marks=frozenset({Mark.TABLE}))

    found = pieces(document(*[row] * 200))

    assert all(before.end < after.start for before, after in pairwise(found))
    assert sum(piece.text.count("Campaign") for piece in found) == 200


def test_a_heading_over_other_headings_only_stands_in_their_paths() -> None:
    parsed = document(
        Block(text="Plan", heading=("Plan",)),
        Block(text="Audience", heading=("Plan", "Audience")),
        Block(text="Gardeners.", heading=("Plan", "Audience")),
        Block(text="End", heading=("End",)),
    )

    assert [(piece.heading, piece.text) for piece in pieces(parsed)] == [
        (("Plan", "Audience"), "Audience\n\nGardeners."),
        (("End",), "End"),
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS, max_size=12))
def test_every_letter_is_in_a_piece_and_every_piece_in_its_place(blocks: list[Block]) -> None:
    parsed = document(*blocks)

    found = pieces(parsed)

    covered = set()
    for ordinal, piece in enumerate(found):
        assert piece.ordinal == ordinal
        assert piece.text == parsed.text[piece.start : piece.end]
        assert piece.text.strip() == piece.text != ""
        assert len(piece.text) <= LONGEST
        assert piece.sha256 == hashlib.sha256(piece.text.encode()).hexdigest()
        covered |= set(range(piece.start, piece.end))
    missing = "".join(sign for at, sign in enumerate(parsed.text) if at not in covered)
    assert missing.strip() == ""
    assert [piece.start for piece in found] == sorted(piece.start for piece in found)


def test_the_same_document_gives_the_same_pieces() -> None:
    parsed = document(Block(text=SENTENCE * 100, heading=("One",)))

    assert pieces(parsed) == pieces(parsed)
    assert max(len(piece.text) for piece in pieces(parsed)) > TARGET // 2
