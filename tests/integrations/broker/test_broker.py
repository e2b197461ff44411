"""A call goes out once where once is meant, comes back projected and labelled, and fails in words that help."""

import json
from typing import Any

import pytest

from integrations.broker._call import idempotency_key
from integrations.broker.broker import PATIENCE
from integrations.catalogue.errors import ArgumentsRefused
from integrations.catalogue.errors import HostRefused as HostNotInCatalogue
from integrations.catalogue.model import ErrorRules, ExtraSecret, Paging, Rate, Risk
from integrations.errors import (
    AnswerRefused,
    ConnectionRevoked,
    NeedsReconnecting,
    OperationUnknown,
    ProviderBusy,
    ProviderRefused,
    ReadOnlyConnection,
    ScopeMissing,
)
from integrations.grants import Usable
from integrations.oauth.secret import Secret
from joule.kernel.errors import JouleError, Misconfigured, OutcomeUnknown
from joule.kernel.ids import PersonId, new_id
from joule.kernel.label import Integrity
from tests.integrations.broker.conftest import FRESH, TOKEN, Bench, operation, sending
from tests.support.clock import StoppedClock
from tests.support.provider_server import Answers, CutShort, Endless, HangsUp, Json, ProviderServer, Raw, Silent

BUSY = [Json(status=status) for status in (429, 500, 502, 503, 504)]


async def test_the_token_goes_to_the_provider_and_the_answer_comes_back_without_it(bench: Bench) -> None:
    bench.answers(Json(value={"ok": True, "secret_note": "not asked for", "items": [{"name": "a", "x": 1}]}))

    reply = await bench.call()

    assert bench.server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert bench.server.requests[0].headers["user-agent"] == "Joule"  # some providers turn the nameless away
    assert bench.server.requests[0].target == "/things/7"
    assert json.loads(reply.data) == {"ok": True, "items": [{"name": "a"}]}
    assert reply.status == 200


async def test_what_a_provider_says_in_a_header_is_part_of_its_answer(bench: Bench) -> None:
    made = sending(answer_headers={"id": "x-made-id"}, projection=("id", "said"))
    bench.answers(
        Raw(status=201, body=b"", headers={"X-Made-Id": f"urn:li:share:7 {TOKEN}"}),
        Json(status=201, value={"id": "b", "said": "c"}),
    )

    without_body, with_one, unnamed = [json.loads((await bench.call(each)).data) for each in (made, made, made)]

    assert without_body["id"].startswith("urn:li:share:7")
    assert TOKEN not in without_body["id"]
    assert with_one == {"id": "b", "said": "c"}
    assert unnamed == with_one


async def test_an_answer_is_an_outsiders_words_from_this_connection(bench: Bench) -> None:
    reader = PersonId(new_id())
    object.__setattr__(bench.account, "readers", frozenset({reader}))

    reply = await bench.call(operation(risk=Risk.R1P))

    assert reply.label.integrity is Integrity.UNTRUSTED
    assert f"connection:{bench.account.connection}" in reply.label.sources
    assert reply.label.readers == {reader}
    assert reply.label.categories == {"user"}


async def test_a_provider_with_its_own_header_gets_the_token_there(bench: Bench) -> None:
    await bench.call(token_header="Access-Token", token_prefix="")

    headers = bench.server.requests[0].headers
    assert headers["access-token"] == TOKEN
    assert "authorization" not in headers


async def test_a_second_secret_is_attached_and_its_lack_is_told_before_anything_is_sent(bench: Bench) -> None:
    second = (ExtraSecret(name="developer", header="X-Developer", words="The developer token."),)

    with pytest.raises(Misconfigured):
        await bench.call(extra_secrets=second)
    assert bench.server.requests == []

    object.__setattr__(bench.account, "extra", {"developer": Secret("dev-token-1234")})
    await bench.call(extra_secrets=second)
    assert bench.server.requests[0].headers["x-developer"] == "dev-token-1234"


async def test_what_the_grant_does_not_cover_is_not_sent(bench: Bench) -> None:
    bench.keeper.granted = ("things.send",)

    with pytest.raises(ScopeMissing) as refused:
        await bench.call()

    assert refused.value.scopes == ("things.read",)
    assert refused.value.connection == str(bench.account.connection)
    assert bench.server.requests == []


async def test_a_connection_for_reading_alone_sends_nothing(bench: Bench) -> None:
    bench.keeper.read_only = True

    with pytest.raises(ReadOnlyConnection):
        await bench.call(sending())

    assert bench.server.requests == []
    await bench.call()


async def test_another_providers_connection_is_not_used(bench: Bench) -> None:
    with pytest.raises(OperationUnknown):
        await bench.call(id="other")
    with pytest.raises(OperationUnknown):
        await bench.call(operations={})

    assert bench.server.requests == []


@pytest.mark.parametrize(
    "tenant", ["evil.com", "127.0.0.1:1", "169.254.169.254", "evil.com/.myshopify.com", "x@127.0.0.1", None]
)
async def test_a_tenant_that_is_not_the_catalogues_is_not_reached(bench: Bench, tenant: str | None) -> None:
    bench.keeper.tenant = tenant

    with pytest.raises(HostNotInCatalogue):
        await bench.call()

    assert bench.server.requests == []


async def test_arguments_that_do_not_fit_are_not_sent(bench: Bench) -> None:
    asked = operation(arguments={**operation().arguments, "required": ["id", "other"]})

    with pytest.raises(ArgumentsRefused):
        await bench.call(asked)

    assert bench.server.requests == []


@pytest.mark.parametrize("answer", [*BUSY, Silent(), CutShort(), HangsUp()])
async def test_reading_is_tried_again_after_a_passing_fault(bench: Bench, answer: Answers) -> None:
    bench.answers(answer, Json(value={"ok": True}))

    reply = await bench.call()

    assert json.loads(reply.data) == {"ok": True}
    assert (len(bench.server.requests), len(bench.waits)) == (2, 1)


async def test_reading_is_given_up_after_three_tries(bench: Bench) -> None:
    bench.answers(Json(status=503))

    with pytest.raises(ProviderBusy):
        await bench.call()

    assert len(bench.server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Json(status=429), ProviderBusy),
        (Json(status=503), ProviderBusy),
        (Json(status=500), OutcomeUnknown),
        (Json(status=502), OutcomeUnknown),
        (Silent(), OutcomeUnknown),
        (CutShort(), OutcomeUnknown),
        (HangsUp(), OutcomeUnknown),
        (Endless(total=3 * 2**20), OutcomeUnknown),
        (Raw(body=b"<html>fine</html>"), OutcomeUnknown),
        (Raw(body=b"", status=302, headers={"location": "http://169.254.169.254/"}), AnswerRefused),
    ],
)
async def test_what_must_not_happen_twice_is_sent_once(bench: Bench, answer: Answers, error: type[JouleError]) -> None:
    bench.answers(answer)

    with pytest.raises(error) as failed:
        await bench.call(sending())

    assert type(failed.value) is error
    assert len(bench.server.requests) == 1


async def test_what_never_left_is_known_not_to_have_happened(clock: StoppedClock) -> None:
    async with ProviderServer(Json()).running() as gone:
        pass
    bench = Bench(gone, clock)

    with pytest.raises(ProviderBusy):
        await bench.call(sending())

    assert len(bench.waits) == 2  # tried again, since nothing was sent


async def test_a_provider_that_takes_a_key_is_asked_again_under_the_same_one(bench: Bench) -> None:
    bench.answers(HangsUp(), Json(value={"ok": True}))

    await bench.call(sending(idempotency="header:Idempotency-Key"))

    keys = [request.headers["idempotency-key"] for request in bench.server.requests]
    assert keys == [idempotency_key(bench.decision)] * 2
    assert str(bench.decision) not in keys
    assert idempotency_key(new_id()) != keys[0]


async def test_a_sending_under_a_key_that_is_never_answered_stays_unknown(bench: Bench) -> None:
    bench.answers(HangsUp(), Json(status=503))

    with pytest.raises(OutcomeUnknown):
        await bench.call(sending(idempotency="header:Idempotency-Key"))


async def test_the_provider_says_how_long_to_wait(bench: Bench) -> None:
    bench.answers(Json(status=429, headers={"retry-after": "3"}), Json(value={"ok": True}))

    await bench.call()

    assert bench.waits == [3.0]


async def test_a_long_wait_is_the_callers_and_holds_back_the_next_call_too(bench: Bench) -> None:
    bench.answers(Json(status=429, headers={"retry-after": "60"}))

    for _again in range(2):
        with pytest.raises(ProviderBusy) as busy:
            await bench.call()
        assert busy.value.retry_after == pytest.approx(60)

    assert (len(bench.server.requests), bench.waits) == (1, [])


async def test_one_connection_is_asked_no_faster_than_its_provider_allows(bench: Bench) -> None:
    slow = operation(rate=Rate(calls=2, seconds=4))

    for _call in range(3):
        await bench.call(slow)
    assert bench.waits == [2.0]

    slower = operation(rate=Rate(calls=1, seconds=int(PATIENCE) + 1), id="slower")
    await bench.call(slower)
    with pytest.raises(ProviderBusy):
        await bench.call(slower)


async def test_rule_18_a_refused_token_is_renewed_once_and_the_call_repeated(bench: Bench) -> None:
    bench.answers(Json(status=401), Json(value={"ok": True}))

    await bench.call(sending())

    sent = [request.headers["authorization"] for request in bench.server.requests]
    assert sent == [f"Bearer {TOKEN}", f"Bearer {FRESH}"]
    assert bench.keeper.refreshes == 1


async def test_a_token_somebody_else_just_renewed_is_used_without_another_refresh(bench: Bench) -> None:
    bench.answers(Json(status=401), Json(value={"ok": True}))
    given = bench.keeper.usable

    async def renewed_meanwhile(*about: Any, **more: Any) -> Usable:
        found = await given(*about, **more)
        if more.get("stale") is None:
            bench.keeper.rotate()
        return found

    bench.keeper.usable = renewed_meanwhile  # type: ignore[method-assign]
    await bench.call()

    assert bench.keeper.refreshes == 0
    assert len(bench.server.requests) == 2


async def test_a_token_refused_again_means_consent_is_over(bench: Bench) -> None:
    bench.answers(Json(status=401))

    with pytest.raises(NeedsReconnecting):
        await bench.call()

    assert (len(bench.server.requests), bench.keeper.refreshes) == (2, 1)


async def test_a_revoke_between_two_tries_ends_the_call(bench: Bench) -> None:
    bench.answers(Json(status=503))
    bench.keeper.refuses = [None, ConnectionRevoked("Acme")]

    with pytest.raises(ConnectionRevoked):
        await bench.call()

    assert len(bench.server.requests) == 1


@pytest.mark.parametrize(
    ("challenge", "scopes"),
    [
        ('Bearer error="insufficient_scope", scope="things.send evil.scope"', ("things.send",)),
        ('Bearer error="insufficient_scope"', ("things.read",)),
    ],
)
async def test_a_403_for_lack_of_scope_names_the_permission(
    bench: Bench, challenge: str, scopes: tuple[str, ...]
) -> None:
    bench.answers(Json(status=403, headers={"www-authenticate": challenge}))

    with pytest.raises(ScopeMissing) as missing:
        await bench.call()

    assert missing.value.scopes == scopes
    assert missing.value.provider == "acme"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Json(status=200, value={"ok": False, "error": "ratelimited"}), ProviderBusy),
        (Json(status=200, value={"ok": False, "error": "missing_scope"}), ScopeMissing),
        (Json(status=200, value={"ok": False, "error": "token_revoked"}), NeedsReconnecting),
        (Json(status=200, value={"ok": False, "error": "who knows"}), ProviderRefused),
        (Json(status=200, value={}), ProviderRefused),
        (Json(status=403), ProviderRefused),
        (Json(status=404), ProviderRefused),
        (Raw(body=b"not json"), ProviderRefused),
    ],
)
async def test_an_odd_provider_is_judged_by_its_own_rules(
    bench: Bench, answer: Answers, error: type[JouleError]
) -> None:
    bench.answers(answer)
    rules = ErrorRules(
        ok="ok", code="error", meanings={"ratelimited": "busy", "missing_scope": "scope", "token_revoked": "reconnect"}
    )

    with pytest.raises(JouleError) as failed:
        await bench.call(operation(errors=rules))

    assert type(failed.value) in {error, AnswerRefused}
    assert "who knows" not in str(failed.value)


async def test_the_next_page_is_handed_on(bench: Bench) -> None:
    bench.answers(Json(value={"ok": True, "next": "cursor-2"}))

    reply = await bench.call(operation(paging=Paging(kind="cursor", argument="cursor", next="next")))

    assert reply.next_page == "cursor-2"
