"""The rules about what providers answer: tokens, failures, times. Numbered as in `test_rules_wire.py`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from integrations.catalogue.model import Refresh
from integrations.oauth.answers import token_set
from integrations.oauth.errors import (
    AnswerRefused,
    ProviderBusy,
    RequestRefused,
)
from integrations.oauth.wire import (
    HttpPolicy,
)
from tests.integrations.oauth.conftest import PLAIN, to_odd, tokens_of
from tests.support.clock import StoppedClock
from tests.support.odd_provider import OddProvider
from tests.support.provider_server import CutShort, Json, Raw, Silent

QUICK = HttpPolicy(deadline_seconds=0.3)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Raw(body=b"<html>", headers={"content-type": "text/html"}), "not_json"),
        (Raw(body=b"access_token=x&token_type=bearer"), "not_json"),
        (Raw(body=b"[]"), "not_an_object"),
        (Raw(body=b'"x"'), "not_an_object"),
        (Raw(body=b""), "empty"),
        (Raw(body=b"\xff\xfe{}"), "not_json"),
        (Raw(body=b"[" * 15_000), "not_json"),
        (Raw(body=b'{"access_token": "a", "access_token": "b", "token_type": "bearer"}'), "member_given_twice"),
        (Raw(body=b'{"access_token": "a", "token_type": "bearer", "expires_in": NaN}'), "not_json"),
        (Raw(body=b'{"expires_in": ' + b"9" * 5000 + b"}"), "not_json"),
        (Json(value={}), "no_access_token"),
        (Json(value={"access_token": None, "token_type": "bearer"}), "no_access_token"),
        (Json(value={"access_token": "", "token_type": "bearer"}), "no_access_token"),
        (Json(value={"access_token": 17, "token_type": "bearer"}), "no_access_token"),
        (Json(value={"access_token": ["a"], "token_type": "bearer"}), "no_access_token"),
        (Json(value={"access_token": "a\r\nX-Evil: 1", "token_type": "bearer"}), "access_token_malformed"),
        (Json(value={"access_token": "ä", "token_type": "bearer"}), "access_token_malformed"),
        (Json(value={"access_token": "a" * 9000, "token_type": "bearer"}), "access_token_malformed"),
        (Json(value={"access_token": "a"}), "token_type"),
        (Json(value={"access_token": "a", "token_type": "mac"}), "token_type"),
        (Json(value={"access_token": "a", "token_type": {"bearer": 1}}), "token_type"),
        (Json(value={"access_token": "a", "token_type": "bearer", "refresh_token": 5}), "no_refresh_token"),
        (Json(value={"access_token": "a", "token_type": "bearer", "scope": {"a": 1}}), "scope_not_text"),
        (Json(value={"access_token": "a", "token_type": "bearer", "more": "x" * 17_000}), "too_large"),
        (Json(value={}, status=302, headers={"location": "http://169.254.169.254/"}), "redirect"),
        (Json(value={}, status=304), "redirect"),
    ],
)
async def test_rule_10_an_answer_of_any_wrong_shape_is_never_a_token(
    odd: OddProvider, reply: Json, reason: str
) -> None:
    odd.will(reply)

    with pytest.raises(AnswerRefused) as refused:
        await tokens_of(to_odd(odd))

    assert refused.value.reason == reason
    assert len(odd.seen) == 1  # a redirect is not followed
    assert (await tokens_of(to_odd(odd))).access_token  # and a proper answer is a token


@pytest.mark.parametrize("error", ["invalid_scope", "made_up", {"code": 7}, ["x"], True])
async def test_rule_10_a_body_with_an_error_is_never_a_token(odd: OddProvider, error: object) -> None:
    odd.will(Json(value={"access_token": "a", "token_type": "bearer", "error": error}))

    with pytest.raises(RequestRefused) as refused:
        await tokens_of(to_odd(odd))

    assert refused.value.error == ("invalid_scope" if error == "invalid_scope" else "other")


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_rule_10_a_4xx_is_never_a_token(odd: OddProvider, status: int) -> None:
    odd.will(Json(value={"access_token": "a", "token_type": "bearer"}, status=status))

    with pytest.raises(RequestRefused):
        await tokens_of(to_odd(odd))


@pytest.mark.parametrize(
    ("fault", "reason", "wait"),
    [
        (Json(status=503, headers={"retry-after": "7"}), "status_503", 7.0),
        (Json(status=500), "status_500", None),
        (Raw(body=b"<html>gateway", status=502), "status_502", None),
        (Json(value={"error": "invalid_grant"}, status=503), "status_503", None),
        (Json(status=429, headers={"retry-after": "junk"}), "status_429", None),
        (Json(value={"error": "temporarily_unavailable"}, status=400), "temporarily_unavailable", None),
        (Silent(), "no_answer_in_time", None),
        (Silent(first=b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"), "no_answer_in_time", None),
        (CutShort(), "line_broken", None),
    ],
)
async def test_rule_17_a_provider_that_is_away_says_nothing_about_the_grant(
    odd: OddProvider, fault: Json, reason: str, wait: float | None
) -> None:
    tokens = await tokens_of(to_odd(odd))
    odd.will(fault)

    with pytest.raises(ProviderBusy) as busy:
        await to_odd(odd, http=QUICK if isinstance(fault, Silent) else HttpPolicy()).refresh(tokens)

    assert (busy.value.reason, busy.value.retry_after) == (reason, wait)
    assert (await to_odd(odd).refresh(tokens)).access_token


async def test_rule_17_nobody_listening_is_transient_too(odd: OddProvider) -> None:
    with pytest.raises(ProviderBusy):
        await tokens_of(to_odd(odd, token_url="http://127.0.0.1:1/token"))


@pytest.mark.parametrize(("life", "margin"), [(3600, 300), (7200, 300), (600, 120), (0, 0)])
async def test_rule_18_renewal_is_due_by_our_own_clock(odd: OddProvider, life: int, margin: int) -> None:
    clock = StoppedClock()
    odd.body = {"access_token": "a", "token_type": "bearer", "expires_in": life, "expires_at": 1, "created_at": 99}

    tokens = await tokens_of(to_odd(odd, clock=clock))

    assert tokens.expires_at == clock.now() + timedelta(seconds=life)
    assert tokens.refresh_due_at() == clock.now() + timedelta(seconds=life - margin)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        (3600.5, 3600),
        ("3600.5", 3600),
        (0, 0),
        ("0", 0),
        (None, None),
        ("abc", None),
        ("", None),
        (-1, None),
        ("-1", None),
        (True, None),
        ([1], None),
        (1e300, None),
        (10**30, None),
    ],
)
def test_rule_19_every_kind_of_expires_in_is_read_or_not_known(given: object, seconds: int | None) -> None:
    now = StoppedClock().now()
    body = {"access_token": "a", "token_type": "bearer", "expires_in": given}

    tokens = token_set(PLAIN, body, now=now)

    assert tokens.expires_at == (None if seconds is None else now + timedelta(seconds=seconds))


def test_rule_19_nought_means_never_only_where_the_catalogue_says_so() -> None:
    now = StoppedClock().now()
    body = {"access_token": "a", "token_type": "bearer", "expires_in": 0}
    endless = replace(PLAIN, refresh=Refresh(kind="none", zero_means_never=True))

    assert token_set(endless, body, now=now).expires_at is None
    assert token_set(PLAIN, body, now=now).expires_at == now
