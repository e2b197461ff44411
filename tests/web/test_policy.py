"""The Policy page: from a draft to what is in force, and back."""

import re

import httpx
from fastapi import status

from joule.kernel.principal import Role
from memory.actions import CreateProject
from tests.web.conftest import Site

NO_PROJECTS = (
    '@id("quiet week") @reason("no new projects this week") forbid (principal, '
    'action == Joule::Action::"memory.create_project", resource);'
)


def form_of(page: str, end: str) -> str:
    """Where the form leads whose address ends so."""
    found = re.search(rf'action="(/admin/policy/[0-9a-f-]+/{end})"', page)
    assert found is not None, page
    return found[1]


def words(page: httpx.Response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


async def test_a_draft_is_asked_what_if_tried_enforced_and_rolled_back(site: Site):
    async with site.signed_in() as owner:
        assert "Only the policies Joule comes with" in (await owner.get("/admin/policy")).text
        await owner.post("/admin/policy/draft", data={"text": NO_PROJECTS})
        page = (await owner.get("/admin/policy")).text
        assert "Draft of version 1" in page

        begun = await owner.post(
            "/admin/policy/what-if", data={"days": "30", "version": form_of(page, "publish").split("/")[3]}
        )
        here = begun.headers["location"]
        assert "% of the days judged" in (await owner.get(here)).text
        fragment = await owner.post(f"{here}/go-on", headers={"HX-Request": "true"})
        assert fragment.headers["hx-redirect"] == here
        report = await owner.get(here)
        assert "memory.create_project" in report.text
        assert "Would be refused" in report.text
        assert "quiet week" in report.text
        assert re.search(r'href="/support/tasks/[0-9a-f-]{36}#seq-1"', report.text)

        await owner.post(form_of(page, "publish"))
        await site.home.house.commands.perform(CreateProject(principal=site.home.owner, title="Summer"))
        tried = await owner.get("/admin/policy")
        assert "memory.create_project allow deny 1 1" in words(tried)

        await owner.post(form_of(tried.text, "enforce"))
        refused = await owner.post("/projects", data={"title": "Autumn"})
        assert refused.status_code == status.HTTP_403_FORBIDDEN
        assert "no new projects this week" in refused.text
        assert "Version 1" in words(await owner.get("/admin/policy"))

        await owner.post("/admin/policy/rollback")
        assert (await owner.post("/projects", data={"title": "Autumn"})).status_code == status.HTTP_303_SEE_OTHER
        assert "Earlier versions" in (await owner.get("/admin/policy")).text


async def test_what_is_wrong_with_a_draft_is_told_beside_what_was_typed(site: Site):
    text = NO_PROJECTS.replace("forbid", "permit")
    async with site.signed_in(Role.ADMIN) as admin:
        wrong = await admin.post("/admin/policy/draft", data={"text": text})
        assert wrong.status_code == status.HTTP_422_UNPROCESSABLE_CONTENT
        assert "can only restrict" in wrong.text
        assert "quiet week" in wrong.text

        right = await admin.post("/admin/policy/draft", data={"text": NO_PROJECTS, "keep": "no"})
        assert "These 1 can be used" in words(right)
        assert "New draft" in right.text

        await admin.post("/admin/policy/draft", data={"text": NO_PROJECTS})
        page = (await admin.get("/admin/policy")).text
        await admin.post(form_of(page, "publish"))
        page = (await admin.get("/admin/policy")).text
        assert "/enforce" not in page
        refused = await admin.post(form_of(page, "withdraw").replace("withdraw", "enforce"))
        assert refused.status_code == status.HTTP_403_FORBIDDEN
        assert "no policy allows this" in refused.text
