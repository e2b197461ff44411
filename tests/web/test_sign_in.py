"""Signing in: a link is used by a person's click alone, a password by its owner, and neither tells too much."""

import pytest

from joule.identity.actions import Secret, SetPassword
from tests.web.conftest import Site

PASSWORD = "correct horse battery staple"


async def test_looking_at_a_link_does_not_use_it_up(site: Site) -> None:
    token = await site.link()
    async with site.stranger() as client:
        for _ in range(3):
            assert (await client.get(f"/sign-in/link?token={token}")).status_code == 200

        answer = await client.post("/sign-in/link", data={"token": token})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


async def test_a_link_works_once(site: Site) -> None:
    token = await site.link()
    async with site.stranger() as first, site.stranger() as second:
        assert (await first.post("/sign-in/link", data={"token": token})).status_code == 303

        answer = await second.post("/sign-in/link", data={"token": token})

    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


async def test_a_wrong_password_keeps_the_address_and_says_no_more(site: Site) -> None:
    async with site.stranger() as client:
        answer = await client.post("/sign-in", data={"email": "ada@example.test", "password": PASSWORD})

    assert answer.status_code == 422
    assert 'value="ada@example.test"' in answer.text
    assert PASSWORD not in answer.text
    assert "The address or the password is wrong." in answer.text


async def test_a_password_signs_in_and_goes_on_inside(site: Site) -> None:
    owner = site.home.owner
    await site.home.house.commands.perform(SetPassword(principal=owner, password=Secret(PASSWORD)))
    email = f"ada-{site.home.org.hex[-8:]}@example.test"
    async with site.stranger() as client:
        answer = await client.post("/sign-in", data={"email": email, "password": PASSWORD, "next": "/support"})

        assert answer.status_code == 303
        assert answer.headers["location"] == "/support"
        assert (await client.get("/support")).status_code == 200


@pytest.mark.parametrize("path", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"])
async def test_signing_in_never_leads_to_another_site(site: Site, path: str) -> None:
    async with site.signed_in() as client:
        answer = await client.get("/sign-in", params={"next": path})

    assert answer.headers["location"] == "/"


async def test_signing_out_ends_the_session_itself(site: Site) -> None:
    async with site.signed_in() as client:
        cookie = client.cookies["joule"]
        await client.post("/sign-out")
        client.cookies.set("joule", cookie, domain="127.0.0.1")

        answer = await client.get("/projects")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


async def test_every_page_names_the_offline_model(site: Site) -> None:
    project = f"/projects/{site.home.project}"
    async with site.stranger() as stranger:
        assert "Offline model" in (await stranger.get("/sign-in")).text
    async with site.signed_in() as client:
        for path in (
            project,
            f"{project}/files",
            f"{project}/memory",
            "/projects",
            "/account",
            "/admin/members",
            "/support",
        ):
            assert "Offline model" in (await client.get(path)).text, path
