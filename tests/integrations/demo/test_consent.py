"""The demonstration speaks OAuth as strictly as a good provider, and says what it is."""

import base64
import re
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

import pytest

from integrations.demo import CALLBACK, CLIENT_ID, CLIENT_SECRET
from integrations.errors import ClientRefused, GrantDead
from integrations.oauth.callback import new_verifier
from integrations.oauth.secret import Secret
from tests.integrations.demo.conftest import EVERYTHING, REDIRECT, Demo

CHALLENGE = "a" * 43


def asked(**changes: str | None) -> str:
    given = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "state": "s" * 22,
        "scope": "contacts.read",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    return f"/oauth/authorize?{urlencode({name: value for name, value in given.items() if value is not None})}"


async def test_the_page_says_that_it_is_no_real_service_and_asks_scope_by_scope(demo: Demo) -> None:
    async with demo.browser() as browser:
        page = await browser.get(demo.request().url)

    assert "Demo provider – not a real service" in page.text
    assert re.findall(r'name="scope" value="([^"]+)"', page.text) == list(EVERYTHING)
    assert "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8100" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"


async def test_what_was_ticked_is_granted_and_nothing_else(demo: Demo) -> None:
    tokens = await demo.connected(ticked=["contacts.read", "campaigns.read"])

    assert tokens.scopes == ("contacts.read", "campaigns.read")
    assert tokens.expires_at == demo.clock.now() + timedelta(seconds=900)


async def test_a_scope_that_was_not_asked_for_cannot_be_ticked_on(demo: Demo) -> None:
    tokens = await demo.connected(["contacts.read"], ticked=["contacts.read", "ads.spend"])

    assert tokens.scopes == ("contacts.read",)


@pytest.mark.parametrize(("ticked", "answer"), [(["contacts.read"], "decline"), ([], "allow")])
async def test_declining_brings_back_that_it_was_declined(demo: Demo, ticked: list[str], answer: str) -> None:
    request = demo.request()

    brought = await demo.consented(request, ticked, answer=answer)

    assert brought == {"error": "access_denied", "state": request.state.reveal()}


@pytest.mark.parametrize(
    "redirect",
    [
        *("http://evil.example/integrations/callback/demo_crm", "http://127.0.0.1:8100/other", "javascript:alert(1)"),
        *(
            f"http://127.0.0.1:8100{CALLBACK}?a=b",
            f"http://127.0.0.1:8100{CALLBACK}#x",
            f"https://127.0.0.1:8100{CALLBACK}",
        ),
        *(f"http://me@127.0.0.1:8100{CALLBACK}", f"http://127.0.0.1:8100/../{CALLBACK}", "http://127.0.0.1:x/", ""),
        f"http://127.0.0.1.evil.example:8100{CALLBACK}",
    ],
)
async def test_a_redirect_that_is_not_joules_is_never_followed(demo: Demo, redirect: str) -> None:
    async with demo.browser() as browser:
        page = await browser.get(asked(redirect_uri=redirect))

    assert page.status_code == 400
    assert "location" not in page.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "contacts.read admin"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
async def test_a_wrong_request_goes_back_with_its_error(demo: Demo, changes: dict[str, str], error: str) -> None:
    async with demo.browser() as browser:
        page = await browser.get(asked(**changes))

    assert page.status_code == 303
    assert f"error={error}&" in page.headers["location"]


@pytest.mark.parametrize("changes", [{"client_id": "other<script>"}, {"state": None}, {"state": "short"}])
async def test_a_request_of_nobody_known_gets_a_page_without_its_words(demo: Demo, changes: dict[str, str]) -> None:
    async with demo.browser() as browser:
        page = await browser.get(asked(**changes))

    assert page.status_code == 400
    assert "<script" not in page.text


async def test_markup_in_a_state_stays_out_of_the_page(demo: Demo) -> None:
    async with demo.browser() as browser:
        page = await browser.get(asked(state="<script>alert(1)</script>"))

    assert page.status_code == 200
    assert "<script" not in page.text


async def test_a_consent_is_answered_once(demo: Demo) -> None:
    async with demo.browser() as browser:
        page = await browser.get(demo.request().url)
        form = {"ticket": re.findall(r'name="ticket" value="([^"]+)"', page.text)[0], "answer": "allow"}
        first = await browser.post("/oauth/authorize", data={**form, "scope": "contacts.read"})
        second = await browser.post("/oauth/authorize", data={**form, "scope": "contacts.read"})

    assert (first.status_code, second.status_code) == (303, 400)


async def test_an_answer_from_another_page_is_refused(demo: Demo) -> None:
    async with demo.browser() as browser:
        answer = await browser.post("/oauth/authorize", data={"a": "b"}, headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403


async def test_another_host_name_for_this_computer_is_refused(demo: Demo) -> None:
    async with demo.browser() as browser:
        answer = await browser.get("/", headers={"host": "rebound.example"})

    assert answer.status_code == 400


async def test_a_code_needs_its_verifier_works_once_and_is_dead_after_a_minute(demo: Demo) -> None:
    request = demo.request()
    code = Secret((await demo.consented(request, EVERYTHING))["code"])
    tokens = await demo.endpoint().exchange(code, request.verifier, REDIRECT)

    with pytest.raises(GrantDead):
        await demo.endpoint().exchange(code, request.verifier, REDIRECT)
    with pytest.raises(GrantDead):  # whoever used it twice ended what it gave
        await demo.endpoint().refresh(tokens)

    other = demo.request()
    code = Secret((await demo.consented(other, EVERYTHING))["code"])
    with pytest.raises(GrantDead):
        await demo.endpoint().exchange(code, new_verifier(), REDIRECT)

    late = demo.request()
    code = Secret((await demo.consented(late, EVERYTHING))["code"])
    demo.clock.advance(timedelta(seconds=61))
    with pytest.raises(GrantDead):
        await demo.endpoint().exchange(code, late.verifier, REDIRECT)


async def test_refresh_tokens_rotate_and_one_used_twice_ends_the_consent(demo: Demo) -> None:
    first = await demo.connected()
    second = await demo.endpoint().refresh(first)
    assert first.refresh_token != second.refresh_token

    with pytest.raises(GrantDead):
        await demo.endpoint().refresh(first)
    with pytest.raises(GrantDead):
        await demo.endpoint().refresh(second)


async def test_a_wrong_client_secret_is_told_as_such(demo: Demo) -> None:
    tokens = await demo.connected()

    with pytest.raises(ClientRefused):
        await demo.endpoint(secret="wrong").refresh(tokens)
    assert (await demo.endpoint().refresh(tokens)).scopes == tokens.scopes


async def test_revoking_ends_both_tokens_and_can_be_said_twice(demo: Demo) -> None:
    tokens = await demo.connected()
    before = await demo.endpoint().introspect(tokens.access_token, hint="access_token")

    await demo.endpoint().revoke(tokens)
    again = await demo.endpoint().revoke(tokens)

    after = await demo.endpoint().introspect(tokens.access_token, hint="access_token")
    assert (before.active, after.active) == (True, False)
    assert "failed" not in {each.outcome for each in again}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("grant_type=password&username=a&password=b", "application/x-www-form-urlencoded"),
        ("grant_type=refresh_token", "application/x-www-form-urlencoded"),
        ("grant_type=refresh_token&refresh_token=a&refresh_token=b", "application/x-www-form-urlencoded"),
        ("x" * 20_000, "application/x-www-form-urlencoded"),
        ('{"grant_type": "refresh_token"}', "application/json"),
        ("&".join(f"a{n}=b" for n in range(80)), "application/x-www-form-urlencoded"),
    ],
)
async def test_a_token_request_of_a_wrong_shape_gets_an_error_and_no_token(demo: Demo, body: str, kind: str) -> None:
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    headers = {"content-type": kind, "authorization": f"Basic {basic}"}

    async with demo.browser() as browser:
        answer = await browser.post("/oauth/token", content=body, headers=headers)

    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


async def test_the_consent_page_comes_back_to_joule_at_any_port_of_this_computer(demo: Demo) -> None:
    for redirect in (f"http://localhost:9999{CALLBACK}", f"http://127.0.0.1:1{CALLBACK}"):
        async with demo.browser() as browser:
            page = await browser.get(asked(redirect_uri=redirect))

        assert page.status_code == 200
        assert urlsplit(redirect).netloc in page.text
