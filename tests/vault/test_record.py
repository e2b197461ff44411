"""Sealed records: what opens, and everything that must not."""

import os
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from joule.kernel.errors import Corrupt
from joule.vault import record
from joule.vault.record import place
from tests.vault.support import ciphertext_for_two_keys

KEY = bytes(range(32))
KEY_ID = UUID("01890000-0000-7000-8000-000000000001")
ORG = UUID("01890000-0000-7000-8000-00000000000a")
ROW = UUID("01890000-0000-7000-8000-00000000000b")
HERE = place(ORG, ROW, "body", 3)

# Made from the written format with nothing but hmac, hashlib and AES-GCM: (field, generation, salt, plaintext, record).
VECTORS = [
    (
        "body",
        0,
        "00" * 32,
        "",
        "4a5445010101890000000070008000000000000001000000000000000000000000000000000000000000000000000000000000"
        "0000c018e9d50f1daf595964371fde3ab17db1ce646102dd1144d665f70c40574c60229b77d554abc66db68898f2808fe8e1",
    ),
    (
        "title",
        7,
        bytes(range(100, 132)).hex(),
        "4772c3bcc39f65",
        "4a54450101018900000000700080000000000000016465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081"
        "8283d1d7e25bd0a80e8b2ccda211cdf0ba412395ee333f36f42adff5c40a7d95f46b037e750a217fb06b60c7dd7647280d6566"
        "a29bc556658e",
    ),
    (
        "",
        2**64 - 1,
        "ff" * 32,
        bytes(range(48)).hex(),
        "4a5445010101890000000070008000000000000001ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffa440e2b0048a322e7d7ba0ed22863be38cd1919bd9b8da2c45d3bb1084f7121f70db7a25b8a4114dcf28b01b98c89530ad"
        "feb26f58b49f674f3fd36fad7c14474aa90911742e2bfc5f2a5f52f1753e45055d03b48a8a1f603f403be21e9f0001",
    ),
]


@pytest.mark.parametrize(("field", "generation", "salt", "plaintext", "sealed"), VECTORS)
def test_the_format_never_changes_under_stored_records(
    field: str, generation: int, salt: str, plaintext: str, sealed: str
) -> None:
    where = place(ORG, ROW, field, generation)

    assert record.seal(KEY, KEY_ID, bytes.fromhex(plaintext), where, salt=bytes.fromhex(salt)).hex() == sealed
    assert record.open_sealed(KEY, bytes.fromhex(sealed), where).hex() == plaintext


@given(
    plaintext=st.binary(max_size=5_000),
    key=st.binary(min_size=32, max_size=32),
    field=st.text(max_size=40),
    generation=st.integers(0, 2**64 - 1),
    org=st.uuids(),
    row=st.uuids(),
)
@settings(deadline=None)
def test_whatever_is_sealed_opens_again_in_its_place(
    plaintext: bytes, key: bytes, field: str, generation: int, org: UUID, row: UUID
) -> None:
    where = place(org, row, field, generation)

    sealed = record.seal(key, KEY_ID, plaintext, where)

    assert record.open_sealed(key, sealed, where) == plaintext
    assert len(sealed) == len(plaintext) + record.OVERHEAD_BYTES == len(plaintext) + 101
    assert record.key_id_of(sealed) == KEY_ID


def test_the_same_words_never_look_the_same_twice() -> None:
    seals = {record.seal(KEY, KEY_ID, b"the same words", HERE) for _ in range(100)}

    assert len(seals) == 100


def test_no_bit_can_be_flipped() -> None:
    sealed = record.seal(KEY, KEY_ID, b"sold 3 of 14", HERE)
    accepted = []

    for at in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[at // 8] ^= 1 << at % 8
        try:
            record.open_sealed(KEY, bytes(flipped), HERE)
        except Corrupt:
            continue
        accepted.append(at)

    assert accepted == []
    assert record.open_sealed(KEY, sealed, HERE) == b"sold 3 of 14"


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(place(ROW, ROW, "body", 3), id="another organisation"),
        pytest.param(place(ORG, ORG, "body", 3), id="another row"),
        pytest.param(place(ROW, ORG, "body", 3), id="organisation and row exchanged"),
        pytest.param(place(ORG, ROW, "bodY", 3), id="another field"),
        pytest.param(place(ORG, ROW, "", 3), id="no field"),
        pytest.param(place(ORG, ROW, "body", 2), id="an older generation"),
        pytest.param(place(ORG, ROW, "body", 4), id="a newer generation"),
    ],
)
def test_a_record_opens_only_where_it_belongs(elsewhere: bytes) -> None:
    sealed = record.seal(KEY, KEY_ID, b"words", HERE)

    assert record.open_sealed(KEY, sealed, HERE) == b"words"
    with pytest.raises(Corrupt):
        record.open_sealed(KEY, sealed, elsewhere)


def test_no_two_places_share_their_bytes() -> None:
    # "ab" + "c" must differ from "a" + "bc", wherever the border between two parts is.
    assert record.length_prefixed(b"ab", b"c") != record.length_prefixed(b"a", b"bc")
    assert place(ORG, ROW, "body", 0)[:-12] + place(ORG, ROW, "x", 1)[-12:] == place(ORG, ROW, "body", 1)


def test_a_cut_or_grown_record_is_refused() -> None:
    sealed = record.seal(KEY, KEY_ID, b"words", HERE)

    for length in range(len(sealed)):
        with pytest.raises(Corrupt):
            record.open_sealed(KEY, sealed[:length], HERE)
    with pytest.raises(Corrupt):
        record.open_sealed(KEY, sealed + b"\0", HERE)


@pytest.mark.parametrize(("at", "value"), [(3, 0), (3, 2), (4, 0), (4, 2), (0, 0x4B)])
def test_an_unknown_version_or_algorithm_is_refused(at: int, value: int) -> None:
    sealed = bytearray(record.seal(KEY, KEY_ID, b"words", HERE))
    assert record.open_sealed(KEY, bytes(sealed), HERE) == b"words"

    sealed[at] = value

    with pytest.raises(Corrupt):
        record.open_sealed(KEY, bytes(sealed), HERE)
    with pytest.raises(Corrupt):
        record.key_id_of(bytes(sealed))


def test_a_record_made_for_one_use_does_not_serve_another() -> None:
    wrapped = record.seal(KEY, KEY_ID, os.urandom(32), HERE, use=record.DATA_KEY)

    assert record.open_sealed(KEY, wrapped, HERE, use=record.DATA_KEY)
    with pytest.raises(Corrupt):
        record.open_sealed(KEY, wrapped, HERE, use=record.CONTENT)


def test_a_ciphertext_made_for_two_keys_opens_under_one_alone() -> None:
    # Given a record whose ciphertext and tag are right under the keys derived from two data keys
    other, salt = os.urandom(32), os.urandom(32)
    ours, commitment = record._derive(KEY, KEY_ID.bytes, salt, record.CONTENT)
    theirs, _ = record._derive(other, KEY_ID.bytes, salt, record.CONTENT)
    header = b"JTE\x01\x01" + KEY_ID.bytes + salt + commitment
    associated = record.length_prefixed(header) + HERE
    forged = ciphertext_for_two_keys(ours, theirs, associated)

    # Then plain GCM takes it under both
    assert len(AESGCM(ours).decrypt(bytes(12), forged, associated)) == 16
    assert len(AESGCM(theirs).decrypt(bytes(12), forged, associated)) == 16
    # And a record is committed to the one it names
    assert len(record.open_sealed(KEY, header + forged, HERE)) == 16
    with pytest.raises(Corrupt):
        record.open_sealed(other, header + forged, HERE)


def test_every_refusal_says_the_same() -> None:
    sealed = record.seal(KEY, KEY_ID, b"words", HERE)
    attempts = [
        (KEY, sealed[:-1], HERE),
        (KEY, b"", HERE),
        (KEY, sealed, place(ORG, ROW, "other", 3)),
        (os.urandom(32), sealed, HERE),
        (KEY, sealed[:60] + b"\0\0\0\0" + sealed[64:], HERE),
    ]
    said = set()

    for key, bytes_, where in attempts:
        with pytest.raises(Corrupt) as refusal:
            record.open_sealed(key, bytes_, where)
        said.add((type(refusal.value), str(refusal.value), refusal.value.__cause__))

    assert len(said) == 1
