"""Keyrings: what they do, and that they do not let go of a key."""

import copy
import json
import os
import pickle
from uuid import UUID, uuid4

import pytest
from pydantic import TypeAdapter

from joule.kernel.errors import Corrupt
from joule.kernel.ids import OrgId, new_id
from joule.vault.errors import UnknownKey
from joule.vault.keys import Keyring

ORG, ROW = OrgId(uuid4()), uuid4()


def ring_of(keys: dict[UUID, bytes], *, org: OrgId = ORG, subject: str = "") -> Keyring:
    """A ring whose first key is the oldest and whose active one is the newest."""
    return Keyring(org=org, subject=subject, keys=keys, active=list(keys)[-1], first=next(iter(keys)))


@pytest.fixture
def key() -> dict[UUID, bytes]:
    return {new_id(): os.urandom(32)}


def test_text_comes_back_as_it_was(key: dict[UUID, bytes]) -> None:
    ring = ring_of(key)

    sealed = ring.seal_text("Frühling ☀", row=ROW, field="title")

    assert ring.open_text(sealed, row=ROW, field="title") == "Frühling ☀"
    assert "Frühling".encode() not in sealed


def test_bytes_that_are_no_text_are_refused_as_text_without_showing_them(key: dict[UUID, bytes]) -> None:
    ring = ring_of(key)
    sealed = ring.seal(b"\xffsecret", row=ROW, field="title")

    assert ring.open(sealed, row=ROW, field="title") == b"\xffsecret"
    with pytest.raises(Corrupt) as refusal:
        ring.open_text(sealed, row=ROW, field="title")
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


def test_a_record_under_a_key_of_another_subject_is_refused(key: dict[UUID, bytes]) -> None:
    theirs = ring_of({new_id(): os.urandom(32)})
    sealed = theirs.seal(b"words", row=ROW, field="body")

    assert theirs.open(sealed, row=ROW, field="body") == b"words"
    with pytest.raises(UnknownKey):
        ring_of(key).open(sealed, row=ROW, field="body")


def test_a_record_of_another_organisation_is_refused_even_under_the_same_key(key: dict[UUID, bytes]) -> None:
    sealed = ring_of(key).seal(b"words", row=ROW, field="body")

    with pytest.raises(Corrupt):
        ring_of(key, org=OrgId(uuid4())).open(sealed, row=ROW, field="body")


def test_commitments_outlive_a_new_data_key_and_tell_subjects_apart(key: dict[UUID, bytes]) -> None:
    before = ring_of(key).commitment("journal", b"a", b"bc")
    after = ring_of({**key, new_id(): os.urandom(32)}).commitment("journal", b"a", b"bc")

    assert before == after
    assert len(before) == 32
    assert before != ring_of(key).commitment("journal", b"ab", b"c")
    assert before != ring_of(key).commitment("sign-in", b"a", b"bc")
    assert before != ring_of({new_id(): os.urandom(32)}).commitment("journal", b"a", b"bc")


def test_resealing_moves_a_record_to_the_new_key_one_generation_on(key: dict[UUID, bytes]) -> None:
    old = ring_of(key)
    sealed = old.seal(b"words", row=ROW, field="body", generation=4)
    new = ring_of({**key, new_id(): os.urandom(32)})
    assert not new.is_current(sealed)

    moved = new.reseal(sealed, row=ROW, field="body", generation=4)

    assert new.is_current(moved)
    assert new.open(moved, row=ROW, field="body", generation=5) == b"words"
    with pytest.raises(UnknownKey):
        old.open(moved, row=ROW, field="body", generation=5)


def test_a_keyring_cannot_be_shown_or_carried_away(key: dict[UUID, bytes]) -> None:
    ring = ring_of(key, subject="task:7")
    secret = next(iter(key.values()))

    for shown in (repr(ring), str(ring), f"{ring}", repr({"ring": ring})):
        assert "task:7" in shown
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
    for carry in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars, TypeAdapter(object).dump_json):
        with pytest.raises((TypeError, ValueError)):
            carry(ring)
