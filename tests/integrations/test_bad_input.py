"""What comes from outside is hostile until it is shown to be ours: a clear error with advice, journalled, nothing stored.

The last tests of a kind are the controls: the same way with honest input connects, calls and is kept.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from integrations.actions import BeginConnection, ReadFromProvider, SetProviderClient
from integrations.demo import PROVIDER
from integrations.results import Connected, Secret
from joule.kernel.errors import JouleError
from joule.kernel.ids import PersonId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from tests.support.clock import StoppedClock
from tests.support.provider_server import CutShort, Endless, HangsUp, Json, Raw
from tests.support.wicked import Counter, counter

GOOD = {"access_token": "canary-access-of-theirs", "token_type": "bearer"}
INSIDE = {"location": "http://169.254.169.254/latest/meta-data"}


@pytest.fixture
async def at(settings: Settings, clock: StoppedClock) -> AsyncIterator[Counter]:
    async with counter(settings, clock) as found:
        yield found


async def refused(at: Counter, state: str, **more: Any) -> str:
    """The code a callback is refused with: told with advice, written in the journal, and nothing kept."""
    with pytest.raises(JouleError) as told:
        await at.finish(state, **more)
    assert told.value.advice()
    assert "canary" not in f"{told.value} {told.value.advice()}"
    assert await at.audited("integrations.finish_connection") == ("failed", told.value.code)
    assert await at.kept() == []
    return told.value.code


def other_admin(at: Counter) -> Principal:
    return Principal(org=at.home.org, person=PersonId(new_id()), role=Role.ADMIN, via=Via.PERSON)


@pytest.mark.parametrize("wrong", ["no code", "state", "browser", "person", "provider", "late", "error with a script"])
async def test_a_hostile_callback_is_told_journalled_and_leaves_nothing(
    at: Counter, clock: StoppedClock, wrong: str
) -> None:
    state = (await at.begin())["state"]
    more: dict[str, Any] = {}
    if wrong == "no code":  # all that a server sees of an answer with its token in the fragment
        more = {"code": None}
    elif wrong == "state":
        state = "x" * 43
    elif wrong == "browser":
        more = {"session": new_id()}
    elif wrong == "person":
        more = {"principal": other_admin(at)}
    elif wrong == "provider":
        more = {"provider": "hubspot"}
    elif wrong == "late":
        clock.advance(timedelta(minutes=10, seconds=1))
    else:
        more = {"code": None, "error": "<script>alert('canary')</script>"}

    assert (await refused(at, state, **more)).startswith("integrations.")
    assert at.provider.token_calls == 0  # nothing left us


async def test_a_replayed_callback_keeps_only_what_the_first_one_made(at: Counter) -> None:
    state = (await at.begin())["state"]
    await at.finish(state)

    with pytest.raises(JouleError) as told:
        await at.finish(state)

    assert told.value.code == "integrations.consent_unusable"
    assert await at.audited("integrations.finish_connection") == ("failed", told.value.code)
    assert at.provider.token_calls == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Raw(body=b"<html>canary</html>", headers={"content-type": "text/html"}), "integrations.answer_refused"),
        (Raw(body=b"[]"), "integrations.answer_refused"),
        (Raw(body=b""), "integrations.answer_refused"),
        (Json(value={}), "integrations.answer_refused"),
        (Json(value={**GOOD, "access_token": 17}), "integrations.answer_refused"),
        (Json(value={**GOOD, "access_token": "a\r\nX-Evil: canary"}), "integrations.answer_refused"),
        (Json(value={**GOOD, "token_type": "mac"}), "integrations.answer_refused"),
        (Json(value={**GOOD, "refresh_token": 5}), "integrations.answer_refused"),
        (Json(value={**GOOD, "scope": {"canary": 1}}), "integrations.answer_refused"),
        (Json(value={**GOOD, "error": "invalid_grant"}), "integrations.grant_dead"),
        (Json(value={**GOOD, "more": "canary" * 3_000}), "integrations.answer_refused"),  # past 16 KB
        (Endless(total=1_000_000), "integrations.answer_refused"),
        (Json(value={}, status=302, headers=INSIDE), "integrations.answer_refused"),
        (Json(value={}, status=307, headers=INSIDE), "integrations.answer_refused"),
        (Json(value=GOOD, status=400), "integrations.request_refused"),
        (Json(value={}, status=503), "integrations.provider_busy"),
        (CutShort(), "integrations.provider_busy"),
        (HangsUp(), "integrations.provider_busy"),
    ],
)
async def test_an_answer_that_is_no_token_is_told_journalled_and_leaves_nothing(
    at: Counter, answer: Any, code: str
) -> None:
    state = (await at.begin())["state"]
    at.provider.will(answer)

    assert await refused(at, state) == code
    assert at.provider.token_calls == 1  # a redirect led nobody anywhere


async def test_a_client_secret_the_provider_no_longer_knows_is_told_to_the_admin(at: Counter) -> None:
    state = (await at.begin())["state"]
    at.provider.knows_joule = False

    assert await refused(at, state) == "integrations.client_refused"


@pytest.mark.parametrize(
    "shop",
    [
        "evil.com/.myshopify.com",
        "evil.com#.myshopify.com",
        "169.254.169.254",
        "a@evil.com",
        "blue-bike.myshopify.com.evil.com",
    ],
)
async def test_a_shop_that_is_none_is_told_journalled_and_leaves_nothing(at: Counter, shop: str) -> None:
    await at.home.house.commands.perform(
        SetProviderClient(principal=at.home.owner, provider="shopify", client_id="ours", client_secret=Secret("canary"))
    )
    wish = {
        "principal": at.home.owner,
        "provider": "shopify",
        "scopes": ("read_products",),
        "session": at.session,
        "redirect_uri": "https://joule.test/integrations/callback/shopify",
    }

    with pytest.raises(JouleError) as told:
        await at.home.house.commands.perform(BeginConnection(**wish, tenant_host=shop))  # type: ignore[arg-type]

    assert told.value.code == "integrations.host_refused"
    assert told.value.advice()
    assert await at.audited("integrations.begin_connection") == ("failed", "integrations.host_refused")
    assert await at.kept("pending_authorization") == []
    page = await at.home.house.commands.perform(BeginConnection(**wish, tenant_host="blue-bike.myshopify.com"))  # type: ignore[arg-type]
    assert page.url.get_secret_value().startswith("https://blue-bike.myshopify.com/")


async def read(at: Counter, made: Connected) -> int:
    """The status of a call through the account."""
    action = ReadFromProvider(
        principal=at.home.owner, connection=made.connection, provider=PROVIDER, operation="read_contacts", inputs="{}"
    )
    return (await at.home.house.commands.perform(action)).status


async def test_honest_input_connects_and_is_kept(at: Counter) -> None:
    made = await at.finish((await at.begin())["state"])

    assert made.granted == ("contacts.read", "campaigns.read")
    assert await at.audited("integrations.finish_connection") == ("done", "")
    assert await at.kept() == ["oauth_grant", "connection"]
    assert await read(at, made) == 200
    assert at.provider.refreshes == 1  # the code, and nothing after it


async def test_rule_18_a_provider_whose_clock_is_ahead_costs_one_refresh(at: Counter) -> None:
    made = await at.finish((await at.begin())["state"])
    at.provider.alive.clear()  # it is over there, though by our clock it has most of an hour to live

    assert await read(at, made) == 200

    assert at.provider.refreshes == 2
    assert at.provider.reads == 2


async def test_rule_18_a_provider_whose_clock_is_behind_costs_one_refresh(at: Counter, clock: StoppedClock) -> None:
    made = await at.finish((await at.begin())["state"])
    clock.advance(timedelta(minutes=61))  # it is over by our clock, and would still be taken there

    assert await read(at, made) == 200
    assert await read(at, made) == 200

    assert at.provider.refreshes == 2
    assert at.provider.reads == 2
