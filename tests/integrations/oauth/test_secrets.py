"""Rule 31 on the wire: no token, code or secret in logs, errors, tracebacks, printed values or pickles."""

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from integrations.oauth.wire import ClientIdentity, HttpPolicy, Secret, TokenSet
from joule.kernel.errors import JouleError
from tests.integrations.oauth.conftest import Make, connected, to_odd, tokens_of
from tests.support.clock import StoppedClock
from tests.support.odd_provider import MetaLike, OddProvider
from tests.support.oidc import Peer
from tests.support.provider_server import CutShort, Json, Raw, Silent

CANARY = "canary-a1b2c3"
TOKENS = TokenSet(
    access_token=Secret(CANARY), refresh_token=Secret(CANARY), received_at=StoppedClock().now(), scopes=("a",)
)


@pytest.fixture
def everything_said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All loggers at DEBUG and without filters, as a careless operator would set them."""
    caplog.set_level(logging.DEBUG)
    talkers = [
        logging.getLogger(n) for n in ("httpx2", "httpcore2", "httpcore2.http11", "httpcore2.connection", "authlib")
    ]
    before = [(each, each.level, list(each.filters)) for each in talkers]
    for each in talkers:
        each.setLevel(logging.DEBUG)
        each.filters.clear()
    yield caplog
    for each, level, filters in before:
        each.setLevel(level)
        each.filters[:] = filters


@pytest.mark.parametrize("shown", [str, repr, "{}".format, "{0!r}".format, lambda value: f"{value}"])
def test_rule_31_a_token_is_not_shown_by_printing_it(shown: Any) -> None:
    for value in (TOKENS, TOKENS.access_token, [TOKENS], ClientIdentity(client_id="c", client_secret=Secret(CANARY))):
        assert CANARY not in shown(value)
    assert TOKENS.access_token.reveal() == CANARY


def test_rule_31_a_token_does_not_leave_by_pickle_or_json() -> None:
    for leave in (pickle.dumps, json.dumps, lambda tokens: json.dumps(vars(tokens))):
        with pytest.raises(TypeError):
            leave(TOKENS)
    with pytest.raises(TypeError, match="does not leave"):
        pickle.dumps(TOKENS.access_token)
    assert CANARY not in json.dumps(vars(TOKENS), default=str)
    assert copy.deepcopy(TOKENS.access_token) == TOKENS.access_token
    with pytest.raises(TypeError):
        hash(TOKENS.access_token)


def test_tokens_come_back_from_the_vault_as_they_went_in() -> None:
    assert TokenSet.from_plaintext(TOKENS.plaintext()) == TOKENS
    assert CANARY.encode() in TOKENS.plaintext()


async def test_rule_31_no_secret_is_logged_even_when_everything_is(
    everything_said: pytest.LogCaptureFixture, to_peer: Make, peer: Peer
) -> None:
    endpoint = to_peer()
    tokens = await endpoint.refresh(await connected(endpoint, peer))
    await endpoint.revoke(tokens)
    logged = everything_said.text

    assert tokens.access_token.reveal() not in logged
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.reveal() not in logged
    assert "s3cret" not in logged
    assert "HTTP Request: POST" not in logged


@pytest.mark.logs_tokens
async def test_rule_31_secrets_in_a_query_are_not_logged_either(everything_said: pytest.LogCaptureFixture) -> None:
    async with MetaLike().running() as meta:
        await tokens_of(to_odd(meta, strategy="meta", token_auth="client_secret_post"))
        guarded = everything_said.text
        logging.getLogger("httpx2").setLevel(logging.DEBUG)
        async with httpx2.AsyncClient(trust_env=False) as bare:
            await bare.get(f"{meta.base}/token?client_secret=canary-control")

    assert any("fb_exchange_token=canary-access" in each.target for each in meta.seen)
    assert "canary" not in guarded
    assert "canary-control" in everything_said.text  # left alone, the library logs whole addresses


@pytest.mark.parametrize(
    "fault",
    [
        Json(value={"error": "invalid_grant", "error_description": "canary-words"}, status=400),
        Json(value={"error": "canary-words"}, status=400),
        Json(value={"error": "invalid_client"}, status=401),
        Raw(body=b"canary-words"),
        Json(value={"access_token": "canary-words\n", "token_type": "bearer"}),
        Json(value={}, status=302, headers={"location": "http://canary-words/"}),
        Json(value={}, status=503),
        CutShort(body=b'{"access_token": "canary-words"'),
        Silent(),
    ],
)
async def test_rule_31_no_error_or_traceback_carries_a_secret(odd: OddProvider, fault: Any) -> None:
    tokens = await tokens_of(to_odd(odd))
    odd.will(fault)

    with pytest.raises(JouleError) as raised:
        await to_odd(odd, http=HttpPolicy(deadline_seconds=0.2)).refresh(tokens)

    error = raised.value
    chained = "".join(traceback.format_exception(error))
    assert "canary" not in chained + str(error) + repr(error) + error.advice() + repr(vars(error))
    assert error.__cause__ is None or "canary" not in repr(vars(error.__cause__))
    assert error.advice().endswith(".")
