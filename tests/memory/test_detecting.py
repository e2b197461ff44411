"""What should not stand about in clear is found in any text, and ordinary marketing text is left alone.

All names, numbers and keys here are made up, from ranges reserved for that or from the standards' own examples.
"""

import base64
import hashlib
import random
import string
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.detecting import MASKED_BY_DEFAULT, Detector, FindingKind, categories, masked

PEOPLE = ("Ada Lovelace", "Jürgen Groß", "María-José de la Cruz", "Madonna")


def found(text: str, people: tuple[str, ...] = PEOPLE) -> list[tuple[str, str]]:
    return [(one.kind.value, text[one.start : one.end]) for one in Detector(people).find(text)]


def secret(alphabet: str, length: int, seed: int = 7) -> str:
    """A made-up key, put together here so that no scanner takes this file for a leak."""
    return "".join(random.Random(seed).choice(alphabet) for _ in range(length))


LETTERS = string.ascii_letters + string.digits


@pytest.mark.parametrize(
    "card",
    ["4111 1111 1111 1111", "5555-5555-5555-4444", "3782 822463 10005", "4111111111111111", "６０１１ 1111 1111 1117"],
)
def test_a_card_number_is_found_and_covered_but_for_its_last_four_digits(card: str) -> None:
    text = f"Please charge the card {card} for the fair."

    covered = masked(text, Detector().find(text))

    assert len(covered) == len(text)
    assert card[-4:] in covered
    assert card[:-4] not in covered
    assert sum(sign == "•" for sign in covered) >= 11


@pytest.mark.parametrize(
    "text",
    [
        "Campaign 23851234567890123 had 120,000 impressions.",  # fails the checksum
        "Order 4111 1111 1111 1112 was shipped.",
        "The ad set ids are 120211234567890124, 120211234567890125 and 120211234567890126.",
    ],
)
def test_a_long_number_that_is_no_card_is_left_alone(text: str) -> None:
    assert [kind for kind, _ in found(text)] == []


KEYS = [
    "AKIA" + secret(string.ascii_uppercase + string.digits, 16),
    "sk-" + secret(LETTERS, 40),
    "sk_live_" + secret(LETTERS, 24),
    "ghp_" + secret(LETTERS, 36),
    "xoxb-" + secret(string.digits, 12) + "-" + secret(LETTERS, 24),
    "AIza" + secret(LETTERS + "_-", 35),
    "SG." + secret(LETTERS, 22) + "." + secret(LETTERS, 43),
    "eyJ" + secret(LETTERS, 30) + ".eyJ" + secret(LETTERS, 60) + "." + secret(LETTERS, 43),
    base64.b64encode(hashlib.sha512(b"made up").digest()).decode(),
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_found_wherever_it_stands_and_covered_whole(key: str) -> None:
    for text in (f"Use {key} for it.", f'{{"x": "{key}"}}', f"{key}", f"a\n{key}\nb", f"({key})"):
        covered = masked(text, Detector().find(text))
        assert key[4:] not in covered, text
        assert key[-8:] not in covered, text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("password: Sommer2024!x", "Sommer2024!x"),
        ("The api key is 9f86d081884c7d65.", "9f86d081884c7d65."),
        ("client_secret = 'a8Kd92ms0Qpq'", "a8Kd92ms0Qpq"),
        ("Authorization: Bearer 7c4a8d09ca3762af61e59520", "7c4a8d09ca3762af61e59520"),
        ("postgres://joule:geheim!@db.example.com/x", "geheim!"),
        ("Das Passwort ist Gartenzaun77", "Gartenzaun77"),
        ("Übergabe: PASSWORD=Gartenzaun77", "Gartenzaun77"),
    ],
)
def test_a_password_is_found_by_what_stands_before_it(text: str, word: str) -> None:
    assert ("secret_key", word) in found(text)


def test_a_private_key_is_covered_from_beginning_to_end() -> None:
    body = "\n".join(secret(LETTERS, 64, seed) for seed in range(4))
    text = f"Here:\n-----BEGIN RSA {'PRIVATE'} KEY-----\n{body}\n-----END RSA {'PRIVATE'} KEY-----\nThanks."

    covered = masked(text, Detector().find(text))

    assert covered.startswith("Here:\n•")
    assert covered.endswith("\nThanks.")
    assert not any(line[:10] in covered for line in body.split("\n"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ada.l+news@mail.example.co.uk.", ("email", "ada.l+news@mail.example.co.uk")),
        ("<jürgen@beispiel.example>", ("email", "jürgen@beispiel.example")),
        ("Call +49 (0)30 1234-5678 today", ("phone", "+49 (0)30 1234-5678")),
        ("Call +1 415 555 0132.", ("phone", "+1 415 555 0132")),
        ("(415) 555-0132", ("phone", "(415) 555-0132")),
        ("Tel. 030 / 12345678", ("phone", "030 / 12345678")),
        ("In 2024 0171 1234567 was ours", ("phone", "0171 1234567")),
        ("IBAN DE89 3704 0044 0532 0130 00 please", ("iban", "DE89 3704 0044 0532 0130 00")),
        ("GB82WEST12345698765432", ("iban", "GB82WEST12345698765432")),
        ("from 203.0.113.7 at noon", ("ip", "203.0.113.7")),
        ("from 2001:db8::8a2e:370:7334", ("ip", "2001:db8::8a2e:370:7334")),
        ("It is at 12 Old Mill Road, Bristol", ("street", "12 Old Mill Road")),
        ("Lange Straße 14a, Berlin", ("street", "Lange Straße 14a")),
        ("Wir sind in der Gartenstraße 7.", ("street", "Gartenstraße 7")),
        ("au 12 bis, rue de la Paix à Paris", ("street", "12 bis, rue de la Paix")),
        ("We met Ada Lovelace there", ("person", "Ada Lovelace")),
        ("ADA LOVELACE", ("person", "ADA LOVELACE")),
        ("Lovelace, Ada: absent", ("person", "Lovelace, Ada")),
        ("Jürgen Groß's plan", ("person", "Jürgen Groß")),
        ("ask maría-josé de la cruz", ("person", "maría-josé de la cruz")),
        ("with Madonna on stage", ("person", "Madonna")),
        ("Ada\nLovelace", ("person", "Ada\nLovelace")),
    ],
)
def test_personal_data_is_found_as_people_write_it(text: str, expected: tuple[str, str]) -> None:
    assert found(text) == [expected]


CLEAN = (
    "The spring launch ran from 2024-03-02 to 2024-04-30 and reached 1,204,511 people at 3.2% CTR.",
    "Budget: 40,000 EUR (2023: 38.500,75). Forecast 2025-2026: +12.5 %, -3 points, 10/12 weeks.",
    "Use version 1.2.3.4 of the tracker, ratio 16:9, at 12:30:45, between 9:00 and 17:00.",
    "See https://example.com/a/b?gclid=EAIaIQobChMI8f2Qx7bX9gIVh4ODBx1lXwNcEAAYASAAEgKqnfD_BwE&utm_source=news for it.",
    "Campaign id 23851234567890123, ad set 6123456789012, order 2024/0001234, ISBN 978-3-16-148410-0.",
    "The keyword list and the key message are ready; tokens of appreciation; password policy has 12 rules.",
    "A page of 600 x 400 px; sizes 12, 14, 16; chapters 1.1, 1.2.1 and 2.3.4; call 1800 people.",
    "The cruise along the road was on the way; will mark hope for rose. St Patrick and Dr Seuss met in 1990.",
    "UUID 0190b3a4-7f6e-7c3a-9b1d-2f4a6c8e0d1f and sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.",
    "Q1: 10 St. Patrick's ads, 20 Easter ads, 5 Labour Day ads. Page 3 of 12. Room 101. 24/7.",
    "C++ std::vector, CSS ::before, a::b, 10::1 odds. Email us @ the booth; follow @example on social.",
    "#1 in 2024, the 7 Ps of marketing, 4x4 matrix, 80/20 rule, B2B2C, 3-4-5 method, 1-2-3.",
)


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_text_of_marketing_people_has_no_findings(text: str) -> None:
    assert found(text) == []


def test_only_people_the_organisation_knows_are_found() -> None:
    assert found("Ada Lovelace", people=()) == []
    assert found("Ada Byron and Grace Lovelace, adalovelace") == []
    assert found("a madonna by Raphael") == []


def test_masking_follows_the_organisations_choice_and_moves_nothing() -> None:
    text = "Ada Lovelace, ada@example.com, card 4111 1111 1111 1111, password: Sommer2024!x"
    findings = Detector(PEOPLE).find(text)

    by_default = masked(text, findings)
    all_covered = masked(text, findings, frozenset(FindingKind))

    assert {FindingKind.CARD, FindingKind.SECRET_KEY} == MASKED_BY_DEFAULT
    assert by_default == f"Ada Lovelace, ada@example.com, card {'•' * 4} {'•' * 4} {'•' * 4} 1111, password: {'•' * 12}"
    assert all_covered.startswith("••• ••••••••, •••••••••••••••, card")
    assert len(all_covered) == len(text)
    assert masked(text, findings, frozenset()) == text


def test_a_label_names_what_was_found_in_words_of_the_taxonomy() -> None:
    findings = Detector(PEOPLE).find("Ada Lovelace, ada@example.com")

    assert categories(findings) == {"user.name", "user.contact.email"}
    assert categories(()) == frozenset()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.sampled_from(KEYS), st.text(max_size=300))
def test_findings_are_in_order_apart_and_within_any_text_whatever(before: str, key: str, after: str) -> None:
    text = f"{before} {key} 4111 1111 1111 1111 ada@example.com {after}"

    findings = Detector(PEOPLE).find(text)
    covered = masked(text, findings, frozenset(FindingKind))

    assert all(0 <= one.start < one.end <= len(text) for one in findings)
    assert all(one.end <= other.start for one, other in pairwise(findings))
    assert len(covered) == len(text)
    assert Detector(PEOPLE).find(text) == findings


def test_a_mask_once_made_is_not_found_again() -> None:
    text = f"card 4111 1111 1111 1111, {KEYS[1]}, ada@example.com"
    covered = masked(text, Detector().find(text), frozenset(FindingKind))

    assert Detector().find(covered) == ()


@pytest.mark.parametrize(
    "tease", ["-----BEGIN PRIVATE KEY-----", "a@a.", "1 St", "A-A-straße ", "password: a1", "1.1.1.1.", "+1 ", "aA1_"]
)
def test_a_text_made_to_keep_the_detector_busy_does_not(tease: str) -> None:
    text = tease * (300_000 // len(tease))  # whatever looked at each place for each other would not end in our time

    assert len(masked(text, Detector(PEOPLE).find(text))) == len(text)
