"""What looks like a secret is covered before anybody is shown it; what does not, is not."""

import pytest

from traces.grants.masking import MASK, masked

SECRETS = [
    "sk-proj-4f9aK2mZ8qR1tY7uI0oP3sD6",
    "sk_live_4f9aK2mZ8qR1tY7uI0oP3sD6",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0aBcDeFgHiJkLmNoP",
    "xoxb-2345678901-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA-1234567890abcdefghijklmnopqrstu",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_covered_wherever_it_stands(secret: str) -> None:
    text = masked(f"Use {secret}, please.")
    deep = masked({"rows": [{"note": f"key: {secret}"}]})

    assert secret not in text
    assert secret not in str(deep)
    assert text == f"Use {MASK}, please."


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer 9f8e7d6c5b4a39281706", "9f8e7d6c5b4a39281706"),
        ("postgresql://ada:hunter2@db.example/x", "hunter2"),
        ("https://example.test/sign-in?token=abcdefabcdefabcdef&x=1", "abcdefabcdefabcdef"),
        ("the password: hunter2hunter2", "hunter2hunter2"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    ],
)
def test_a_secret_is_known_by_what_stands_before_it(text: str, secret: str) -> None:
    assert secret not in masked(text)


def test_a_secret_is_known_by_its_name() -> None:
    told = masked(
        {"api_key": "plain", "client_secret": "words", "input_tokens": 12, "tokens": 3, "title": "A key visual"}
    )

    assert told == {"api_key": MASK, "client_secret": MASK, "input_tokens": 12, "tokens": 3, "title": "A key visual"}


@pytest.mark.parametrize(
    "text",
    [
        "Write the plan for spring; the token budget is 400.",
        "0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f",
        "A risk-averse audience, and a desk-based one. The key=value form.",
        "https://example.test/a?page=2&sort=name",
    ],
)
def test_ordinary_words_are_left_as_they_are(text: str) -> None:
    assert masked(text) == text
