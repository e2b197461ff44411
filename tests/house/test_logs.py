"""The ear that the whole suite is held to hears a token, whoever logs it, and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.listening import TALKATIVE, listening


@contextmanager
def unhushed(name: str) -> Iterator[logging.Logger]:
    """A logger that speaks, whatever connecting an account earlier in this process has hushed."""
    family = [logging.getLogger(each) for each in (name, name.partition(".")[0])]
    before = [each.level for each in family]
    for each in family:
        each.setLevel(logging.NOTSET)
    yield family[0]
    for each, level in zip(family, before, strict=True):
        each.setLevel(level)


@pytest.mark.logs_tokens
@pytest.mark.parametrize(
    "words",
    [
        "sent canary-access-1",
        "headers: {'authorization': 'Bearer eyJhbGciOi.abc'}",
        'Issue token {"access_token": "0123456789abcdef"}',
        "POST /token grant_type=refresh_token&refresh_token=0123456789abcdef",
    ],
)
@pytest.mark.parametrize("logger", ["authlib.oauth2", "mcp.client.streamable_http", "integrations.broker"])
def test_rule_31_a_token_that_is_logged_is_heard(logger: str, words: str) -> None:
    with unhushed(logger) as speaking, listening() as heard:
        speaking.debug("%s", words)

    assert [each.partition(" ")[0] for each in heard.by] == [logger]
    assert "canary" not in str(heard.by)


def test_other_words_are_not_taken_for_one() -> None:
    with listening() as heard:
        for name in TALKATIVE:
            logging.getLogger(name).debug("the access_token expired; Bearer is the scheme")

    assert heard.by == []
