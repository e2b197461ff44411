"""Every request passes the guards; every answer carries the headers."""

import pytest

from joule.kernel.errors import Misconfigured
from joule.kernel.settings import WebSettings
from joule.web.guards import Address
from tests.web.conftest import Site

PROJECT = {"title": "Mine"}


async def test_every_answer_forbids_what_the_pages_do_not_need(site: Site) -> None:
    async with site.signed_in() as client:
        answers = [
            await client.get(path) for path in ("/projects", "/nothing", "/static/css/tokens.css", "/api/v1/projects")
        ]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answers[0].headers["cache-control"] == "no-store"


async def test_another_name_for_this_machine_is_refused(site: Site) -> None:
    async with site.signed_in() as client:
        assert (await client.get("/projects")).status_code == 200

        answer = await client.get("/projects", headers={"Host": "rebound.example"})

    assert answer.status_code == 421
    assert "JOULE_WEB_BASE_URL" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Origin": "http://elsewhere.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
    ],
)
async def test_another_site_changes_nothing(site: Site, headers: dict[str, str]) -> None:
    async with site.signed_in() as client:
        sent = {name: value for name, value in headers.items() if value}
        if not headers["Sec-Fetch-Site"]:
            del client.headers["Sec-Fetch-Site"]
        answer = await client.post("/projects", data=PROJECT, headers=sent)
        projects = (await client.get("/api/v1/projects")).json()

    assert answer.status_code == 403
    assert [each["title"] for each in projects] == ["Spring"]


async def test_our_own_pages_may_change_things(site: Site) -> None:
    async with site.signed_in() as client:
        answer = await client.post("/projects", data=PROJECT)
        del client.headers["Sec-Fetch-Site"]
        by_origin = await client.post("/projects", data=PROJECT, headers={"Origin": "http://127.0.0.1"})

    assert answer.status_code == 303
    assert by_origin.status_code == 303


async def test_a_cookie_without_any_word_on_its_origin_changes_nothing(site: Site) -> None:
    async with site.signed_in() as client:
        del client.headers["Sec-Fetch-Site"]

        answer = await client.post("/projects", data=PROJECT)

    assert answer.status_code == 403


async def test_a_body_that_lies_about_its_size_is_cut_off(site: Site) -> None:
    async def endless():
        for _ in range(40):
            yield b"x" * 100_000

    async with site.signed_in() as client:
        answer = await client.post(
            "/projects", content=endless(), headers={"Content-Type": "application/x-www-form-urlencoded"}
        )

    assert answer.status_code == 413


async def test_the_only_cookie_is_the_session(site: Site) -> None:
    token = await site.link()
    async with site.stranger() as client:
        assert "set-cookie" not in (await client.get("/sign-in")).headers
        answer = await client.post("/sign-in/link", data={"token": token})

    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("joule=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


def test_over_https_the_cookie_belongs_to_this_host_alone() -> None:
    address = Address(WebSettings(base_url="https://joule.example.com"))

    assert address.cookie == "__Host-joule"
    assert address.is_ours("joule.example.com")
    assert not address.is_ours("127.0.0.1")


def test_a_session_in_clear_over_a_network_is_refused() -> None:
    with pytest.raises(Misconfigured):
        Address(WebSettings(base_url="http://joule.example.com"))

    assert Address(WebSettings(base_url="http://127.0.0.1:9000")).is_ours("127.0.0.1:9000")
