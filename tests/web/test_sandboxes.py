"""The page where owners and admins choose what code runs in."""

from joule.kernel.principal import Role
from sandbox.choosing import choice_of
from tests.web.conftest import Site

PAGE = "/admin/sandboxes"


async def test_an_admin_chooses_what_code_runs_in(site: Site):
    backends = site.home.house.sandboxes.backends
    kind = "gvisor" if (await backends.probed("gvisor")).ok else "local"
    async with site.signed_in(Role.ADMIN) as admin:
        first = (await admin.get(PAGE)).text
        tried = (await admin.get(f"{PAGE}/kinds/local")).text
        chosen = await admin.post(f"{PAGE}/kind", data={"kind": kind})
        then = (await admin.get(PAGE)).text
        back = await admin.post(f"{PAGE}/kind", data={"kind": ""})

    assert "The operator of this Joule chose this" in first
    assert "Works here" in tried
    assert chosen.headers["HX-Redirect"] == back.headers["HX-Redirect"] == PAGE
    assert "Your organisation chose this" in then


async def test_what_cannot_be_started_is_not_chosen_and_the_page_says_why(site: Site):
    async with site.signed_in() as owner:
        tried = (await owner.get(f"{PAGE}/kinds/e2b")).text
        refused = await owner.post(f"{PAGE}/kind", data={"kind": "e2b"})
        unknown = await owner.post(f"{PAGE}/kind", data={"kind": "none"})

    assert "Cannot be started" in tried
    assert "JOULE_E2B_API_KEY" in tried
    assert refused.status_code == 503
    assert "JOULE_E2B_API_KEY" in refused.text
    assert unknown.status_code == 422
    async with site.home.house.database.read(site.home.org) as session:
        assert await choice_of(session, site.home.org) is None


async def test_members_neither_see_the_page_nor_choose(site: Site):
    async with site.signed_in(Role.MEMBER) as member:
        assert (await member.get(PAGE)).status_code == 403
        assert (await member.post(f"{PAGE}/kind", data={"kind": "local"})).status_code == 403
