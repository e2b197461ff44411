"""Labels only ever get stricter; the one way back is a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joule.kernel.ids import PersonId, new_id
from joule.kernel.label import (
    Integrity,
    Label,
    Purpose,
    Training,
    join,
    reclassify,
    typed_by,
)

PEOPLE = [PersonId(new_id()) for _ in range(4)]

labels = st.builds(
    Label,
    integrity=st.sampled_from(Integrity),
    readers=st.none() | st.frozensets(st.sampled_from(PEOPLE)),
    training=st.sampled_from(Training),
    categories=st.frozensets(st.sampled_from(["user.name", "user.content.private", "user.financial"])),
    purposes=st.frozensets(st.sampled_from(list(Purpose))),
    sources=st.frozensets(st.sampled_from(["file:1", "file:2", "person:1"])),
)


def is_as_strict(one: Label, other: Label) -> bool:
    """Whether whatever `one` allows, `other` allows too, and nothing `other` warns of is forgotten."""
    return (
        (other.integrity is Integrity.TRUSTED or one.integrity is Integrity.UNTRUSTED)
        and (other.training is Training.ALLOWED or one.training is Training.DENIED)
        and (other.readers is None or (one.readers is not None and one.readers <= other.readers))
        and one.purposes <= other.purposes
        and one.categories >= other.categories
        and one.sources >= other.sources
    )


@given(labels, labels)
def test_it_does_not_matter_which_comes_first(one: Label, other: Label):
    assert one.join(other) == other.join(one)


@given(labels, labels, labels)
def test_it_does_not_matter_which_are_joined_first(one: Label, two: Label, three: Label):
    assert one.join(two).join(three) == one.join(two.join(three)) == join([one, two, three])


@given(labels)
def test_a_label_joined_with_itself_is_the_same(label: Label):
    assert label.join(label) == label == join([label])


@given(labels, labels)
def test_what_is_made_from_two_values_is_as_strict_as_each(one: Label, other: Label):
    both = one.join(other)

    assert is_as_strict(both, one)
    assert is_as_strict(both, other)


@given(labels, labels)
def test_nothing_laxer_than_the_join_would_do(one: Label, other: Label):
    both = one.join(other)

    if is_as_strict(one, other):
        assert both == one


def test_a_label_nobody_gave_is_the_strictest():
    assert join([]) == Label()
    assert (Label().integrity, Label().training) == (Integrity.UNTRUSTED, Training.DENIED)
    assert not {Purpose.TRAIN, Purpose.MARKETING, Purpose.IMPROVE} & Label().purposes


def test_a_persons_own_words_are_trusted_and_still_not_for_training():
    label = typed_by(PEOPLE[0])

    assert label.integrity is Integrity.TRUSTED
    assert label.training is Training.DENIED
    assert label.sources == {f"person:{PEOPLE[0]}"}


def test_one_file_among_many_words_makes_all_of_it_untrusted():
    assert typed_by(PEOPLE[0]).join(Label()).integrity is Integrity.UNTRUSTED


@given(labels, labels)
def test_lowering_a_label_leaves_a_record_and_forgets_no_source(before: Label, after: Label):
    if before.sources <= after.sources:
        record = reclassify(before, after, by=PEOPLE[0], reason="checked by hand")

        assert (record.before, record.after, record.by, record.reason) == (before, after, PEOPLE[0], "checked by hand")
    else:
        with pytest.raises(ValueError, match="every source"):
            reclassify(before, after, by=PEOPLE[0], reason="checked by hand")


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_a_label_is_not_lowered_for_no_reason(reason: str):
    with pytest.raises(ValueError, match="stated reason"):
        reclassify(Label(), Label(), by=PEOPLE[0], reason=reason)
