"""Owners and admins choose how long artifacts stay and which hosts code may reach; nobody sees a key again."""

from datetime import timedelta

from joule.kernel.principal import Role
from sandbox.artifacts.rules import kept_for
from tests.sandbox.conftest import Workshop
from tests.web.conftest import Site

PAGE = "/admin/sandboxes"
KEY = "Bearer key-nobody-sees-5512"


async def test_an_admin_lists_a_host_with_a_key_that_is_never_shown(site: Site) -> None:
    given = {"host": "API.Example.com", "port": "8443", "header": "Authorization", "secret": KEY}
    async with site.signed_in(Role.ADMIN) as admin:
        empty = (await admin.get(PAGE)).text
        added = await admin.post(f"{PAGE}/hosts", data=given, headers={"hx-request": "true"})
        page = (await admin.get(PAGE)).text
        again = await admin.post(f"{PAGE}/hosts", data=given, headers={"hx-request": "true"})
        inside = await admin.post(f"{PAGE}/hosts", data={"host": "10.0.0.1"}, headers={"hx-request": "true"})
        remove = next(part.split('"')[0] for part in page.split('action="') if "/remove" in part.split('"')[0])
        removed = await admin.post(remove)
        after = (await admin.get(PAGE)).text

    assert "None: code reaches nothing" in empty
    assert added.headers["hx-redirect"] == PAGE
    assert "api.example.com:8443" in page
    assert "With a key in Authorization" in page
    assert "key-nobody-sees" not in page + again.text + after
    assert again.status_code == 422
    assert "on the list already" in again.text
    assert "no full name of a host" in inside.text
    assert removed.status_code == 303
    assert "None: code reaches nothing" in after


async def test_artifacts_made_from_now_on_are_kept_as_long_as_was_chosen(site: Site) -> None:
    workshop = Workshop(home=site.home, model=site.model)
    await workshop.runs("open('out/before.txt', 'w').write('x')")
    async with site.signed_in() as owner:
        chosen = await owner.post(f"{PAGE}/artifacts", data={"hours": "6"})
        page = (await owner.get(PAGE)).text
        wrong = [(await owner.post(f"{PAGE}/artifacts", data={"hours": hours})).status_code for hours in ("0", "2161")]
    await workshop.runs("open('out/after.txt', 'w').write('y')")

    after, before = await workshop.artifacts()
    assert chosen.status_code == 303
    assert '<option value="6" selected>6 hours</option>' in page
    assert "1 bytes of 1.1 GB" in page
    assert wrong == [422, 422]
    assert after.expires_at - after.created_at == timedelta(hours=6)
    assert before.expires_at - before.created_at == timedelta(days=7)
    async with site.home.house.database.read(site.home.org) as session:
        assert await kept_for(session, site.home.org, otherwise=timedelta(0)) == timedelta(hours=6)


async def test_members_and_support_choose_nothing(site: Site) -> None:
    for role in (Role.MEMBER, Role.SUPPORT):
        async with site.signed_in(role) as client:
            answers = [
                await client.post(f"{PAGE}/artifacts", data={"hours": "6"}),
                await client.post(f"{PAGE}/hosts", data={"host": "api.example.com"}),
                await client.post(f"{PAGE}/hosts/01900000-0000-7000-8000-000000000000/remove"),
            ]
        assert [each.status_code for each in answers] == [403, 403, 403]
