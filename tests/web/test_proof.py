"""The page of the proof: what an admin takes along, and where heads go."""

import re

from joule.assembly.upkeep import proof_upkeep_of
from joule.kernel.principal import Role
from tests.web.conftest import Site
from traces import verify


async def test_an_admin_and_nobody_below_takes_head_and_key_along_and_chooses_where_heads_go(site: Site) -> None:
    async with site.signed_in(Role.ADMIN) as admin:
        empty = await admin.get("/admin/proof")
        assert "Nothing was signed yet" in empty.text

        await proof_upkeep_of(site.home.house).seal()
        page = await admin.get("/admin/proof")
        (number,) = re.findall(r"/admin/proof/head\?number=(\d+)", page.text)
        note = (await admin.get(f"/admin/proof/head?number={number}")).text
        (key,) = await site.home.house.proofs.signing.keys()
        assert key.line in page.text.replace("&#43;", "+")
        assert str(site.home.org) in verify.verified(note, key.line.split("+")[0], [key.public], where="")
        assert (await admin.get("/admin/proof/head?number=99")).status_code == 404

        refused = await admin.post("/admin/proof/delivery", data={"url": "https://10.0.0.1/heads"})
        assert refused.status_code == 422
        assert "Give an https address" in refused.text
        assert 'value="https://10.0.0.1/heads"' in refused.text
        secret = "https://heads.example.com/in?key=canary-secret"
        assert (await admin.post("/admin/proof/delivery", data={"url": secret})).status_code == 303
        chosen = await admin.get("/admin/proof")
        assert "heads.example.com" in chosen.text
        assert "canary-secret" not in chosen.text
        assert "Not sent yet" in chosen.text

        assert (await admin.post("/admin/proof/delivery/end")).status_code == 303
        assert "Nowhere." in (await admin.get("/admin/proof")).text

    for role in (Role.MEMBER, Role.SUPPORT):  # who has no part in it
        async with site.signed_in(role) as person:
            assert (await person.get("/admin/proof")).status_code == 403
            asked = await person.post("/admin/proof/delivery", data={"url": "https://heads.example.com/"})
            assert asked.status_code == 403
