"""What is shown to a model when there is not room for everything."""

from datetime import UTC, datetime

from joule.kernel.label import Integrity, Label
from memory.knowledge.budget import ALIKE, Candidate, selected

TRUSTED, UNTRUSTED = Label(integrity=Integrity.TRUSTED), Label()


def candidate(
    name: str, length: int = 10, *, label: Label = UNTRUSTED, year: int = 2030, pinned: bool = False
) -> Candidate[str]:
    return Candidate(value=name, length=length, label=label, at=datetime(year, 1, 1, tzinfo=UTC), pinned=pinned)


def test_with_room_for_all_everything_is_shown_in_the_order_given() -> None:
    found = selected([candidate("a"), candidate("b", label=TRUSTED), candidate("c", pinned=True)], budget=30)

    assert (found.shown, found.left_out, found.length) == (("a", "b", "c"), 0, 30)


def test_what_fits_best_is_shown_first() -> None:
    assert selected([candidate("best"), candidate("next")], budget=10).shown == ("best",)


def test_trusted_words_come_before_untrusted_ones_that_fit_about_as_well() -> None:
    assert selected([candidate("stranger"), candidate("ours", label=TRUSTED)], budget=10).shown == ("ours",)


def test_newer_comes_before_older_that_fits_about_as_well() -> None:
    assert selected([candidate("old", year=2020), candidate("new")], budget=10).shown == ("new",)


def test_what_fits_far_better_comes_before_what_is_trusted_and_new() -> None:
    crowd = [candidate(f"other {n}", year=2020) for n in range(60)]

    shown = selected([candidate("it", year=2020), *crowd, candidate("ours", label=TRUSTED)], budget=10 * ALIKE).shown

    assert "it" in shown
    assert "ours" not in shown


def test_where_there_is_no_order_of_fit_trust_decides() -> None:
    crowd = [candidate(f"other {n}") for n in range(60)]

    assert selected([*crowd, candidate("ours", label=TRUSTED)], budget=10, alike=61).shown == ("ours",)


def test_what_a_person_pinned_is_always_shown() -> None:
    crowd = [candidate(f"other {n}", label=TRUSTED) for n in range(100)]

    assert selected([*crowd, candidate("pinned", year=1990, pinned=True)], budget=10).shown == ("pinned",)


def test_nothing_is_cut_and_a_smaller_one_takes_the_room_that_is_left() -> None:
    found = selected([candidate("first", 60), candidate("too long", 60), candidate("short", 30)], budget=100)

    assert (found.shown, found.left_out, found.length) == (("first", "short"), 1, 90)
    assert selected([candidate("a")], budget=0).shown == ()
    assert selected([], budget=10).shown == ()
