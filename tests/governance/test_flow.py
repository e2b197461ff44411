"""A value counts as a person's own only when it stands in what they wrote."""

from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from joule.governance.flow import Provenance, plain, provenance
from joule.kernel.ids import new_id

WORDS, MINTED, ELSEWHERE = Provenance.WORDS, Provenance.MINTED, Provenance.ELSEWHERE

letters = st.text(alphabet="abcdefghij", min_size=1, max_size=8)
phrases = st.lists(letters, min_size=1, max_size=5).map(" ".join)


def where(value: str, words: str, *minted: object) -> Provenance:
    return provenance({"value": value}, words=words, minted=minted)  # type: ignore[arg-type]


@given(phrases, phrases, phrases)
def test_what_was_written_is_the_persons_own(before: str, value: str, after: str):
    assert where(value, f"{before} {value} {after}") is WORDS


@given(phrases, st.sampled_from(["\n", "  ", "\t", "\u00a0", " \r\n "]))
def test_spacing_and_case_do_not_matter(value: str, space: str):
    assert where(value.upper(), f"please {value.replace(' ', space)}") is WORDS
    assert where(value.replace(" ", space), f"please {value.title()}.") is WORDS


@given(phrases, st.sampled_from(["“{}”", "‘{}’", '"{}"', "'{}'", "`{}`", "({})", "{}.", "{}!"]))
def test_quotes_and_closing_marks_do_not_matter(value: str, marks: str):
    assert where(value, f"save it as {marks.format(value)}") is WORDS
    if "(" not in marks:
        assert where(marks.format(value), f"save it as {value}") is WORDS


@given(letters, letters, letters)
def test_a_part_of_a_word_is_not_the_word(head: str, value: str, tail: str):
    assume(value not in (head + tail))
    for said in (f"{head}{value}", f"{value}{tail}", f"{head}{value}{tail}", f"{head}_{value}"):
        assume(value != said)
        assert where(value, f"open {said} now" if value not in ("open", "now") else said) is ELSEWHERE


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("ad.md", "delete read.md"),
        ("summary.md", "write a summary"),
        ("mallory@evil.test", "mail ada"),
        ("0", "100"),
        (".*", "anything"),
        ("a|b", "a or b"),
        ("r.ad", "read"),
        ("(", "what"),
        ("[a-z]+", "abc"),
        ("\\w", "w w"),
    ],
)
def test_what_was_not_written_is_from_elsewhere(value: str, words: str):
    assert where(value, words) is ELSEWHERE


@pytest.mark.parametrize("value", ["a+b (final).md", "x.*y", "[draft] 1|2", "c:\\new", "$5^2", "{a}"])
def test_marks_of_a_pattern_are_only_marks(value: str):
    assert where(value, f"save it as {value} please") is WORDS
    assert where(value, "save it as something please") is ELSEWHERE


@given(st.text(max_size=40), st.text(max_size=60))
def test_no_text_breaks_it_and_what_is_found_was_written(value: str, words: str):
    found = where(value, words)

    assert found in (WORDS, ELSEWHERE)
    if found is WORDS:
        assert plain(value) in plain(words)


@pytest.mark.parametrize("value", ["", " ", "...", '""', "\n"])
@pytest.mark.parametrize("words", ["", "anything", "..."])
def test_nothing_is_nobodys(value: str, words: str):
    assert where(value, words) is ELSEWHERE


def test_an_action_that_names_no_relevant_value_does_not_pass_for_the_persons_words():
    assert provenance({}, words="remember all of it", minted=()) is Provenance.NOTHING
    assert where("all of it", "remember all of it") is WORDS


def test_an_id_of_this_tasks_own_making_is_minted_and_no_other_is():
    own = new_id()

    assert where(str(own), "", own) is MINTED
    assert where(str(uuid4()), "", own) is ELSEWHERE
    assert where(str(own).upper(), "", own) is ELSEWHERE
    assert where(f"{own} ", "", own) is ELSEWHERE


@given(st.lists(st.sampled_from(["words", "minted", "elsewhere"]), min_size=1, max_size=6))
def test_many_values_are_as_good_as_the_worst_of_them(kinds: list[str]):
    own = new_id()
    values = {"words": "ada", "minted": str(own), "elsewhere": "mallory"}
    relevant = {str(n): values[kind] for n, kind in enumerate(kinds)}

    found = provenance(relevant, words="send it to ada", minted=[own])

    assert found is max((Provenance(kind) for kind in kinds), key=list(Provenance).index)


@given(st.text(max_size=40))
def test_making_text_plain_twice_is_making_it_plain_once(text: str):
    assert plain(plain(text)) == plain(text)
