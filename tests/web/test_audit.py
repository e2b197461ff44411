"""Access to content and the audit log, by way of the pages: asked, granted, read, ended, and all of it on record."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import psycopg
import pytest
import pytest_asyncio

from joule.kernel.ids import TaskId
from joule.kernel.principal import Role
from tests.support.postgres import TestServer
from tests.web.desk import WORDS, Desk, desk_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = {"part": ["request", "answer"], "reason": "the customer says it is wrong", "hours": "24"}
ACCESS = re.compile(r"/(?:admin|support)/access/([0-9a-f-]{36})/")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(test_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with desk_of(test_server, tmp_path_factory.mktemp("audit")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def owner(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with desk.somebody(Role.OWNER) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def support(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with desk.somebody() as client:
        yield client


def words_in(page: httpx.Response) -> list[str]:
    return [word for word in WORDS if word in page.text]


async def asked(client: httpx.AsyncClient, task: TaskId, **more: str) -> httpx.Response:
    """The task's page after asking, with no word of content in it."""
    answer = await client.post(f"/support/tasks/{task}/ask", data={**ASK, **more})
    assert answer.status_code == 303, answer.text
    page = await client.get(f"/support/tasks/{task}")
    assert words_in(page) == []
    return page


async def newest(owner: httpx.AsyncClient) -> str:
    """The id of the first access on the owner's page that something can be done about."""
    found = ACCESS.search((await owner.get("/admin/access")).text)
    assert found is not None
    return found[1]


async def test_what_was_asked_for_is_granted_read_and_revoked(
    desk: Desk, owner: httpx.AsyncClient, support: httpx.AsyncClient
) -> None:
    at = f"/support/tasks/{desk.task}"
    before = await support.post(f"{at}/content")
    waiting = await asked(support, desk.task)
    told = await owner.get("/projects")
    page = await owner.get("/admin/access")
    access = await newest(owner)
    nothing = await owner.post(f"/admin/access/{access}/grant", data={"hours": "24"})
    granted = await owner.post(f"/admin/access/{access}/grant", data={"part": ["request", "answer"], "hours": "4"})
    read = await support.post(f"{at}/content")
    shown = await owner.get("/admin/access")
    log = await owner.get("/admin/audit?group=reads")
    await owner.post(f"/admin/access/{access}/revoke")
    after = await support.post(f"{at}/content")

    assert (before.status_code, words_in(before)) == (403, [])
    assert "You have asked to read this" in waiting.text
    assert "1 request for access" in told.text
    assert "the customer says it is wrong" in page.text
    assert (nothing.status_code, granted.status_code, read.status_code) == (422, 303, 200)
    assert {"heliotrope", "tangerine"} <= set(words_in(read))
    assert "marzipan" not in read.text  # a tool's argument was not granted
    assert "Read 1 time so far" in read.text
    assert "What was asked, what the model wrote" in shown.text.replace("what was asked", "What was asked")
    assert f"Task {desk.task} (request, answer)" in log.text
    assert (after.status_code, words_in(after)) == (403, [])


async def test_a_grant_is_over_at_its_time(desk: Desk, owner: httpx.AsyncClient, support: httpx.AsyncClient) -> None:
    await asked(support, desk.task, hours="1")
    access = await newest(owner)
    await owner.post(f"/admin/access/{access}/grant", data={"part": "request", "hours": "1"})
    read = await support.post(f"/support/tasks/{desk.task}/content")

    desk.clock.advance(timedelta(hours=1))
    after = await support.post(f"/support/tasks/{desk.task}/content")
    page = await support.get("/support")

    assert "heliotrope" in read.text
    assert (after.status_code, words_in(after)) == (403, [])
    assert "Expired" in page.text


async def test_a_request_can_be_declined_and_given_up(
    desk: Desk, owner: httpx.AsyncClient, support: httpx.AsyncClient
) -> None:
    await asked(support, desk.task)
    access = await newest(owner)
    declined = await owner.post(f"/admin/access/{access}/decline")
    again = await owner.post(f"/admin/access/{access}/grant", data={"part": "request", "hours": "1"})
    page = await asked(support, desk.task)
    found = ACCESS.search(page.text)
    assert found is not None
    given_up = await support.post(f"/support/access/{found[1]}/withdraw")

    assert (declined.status_code, again.status_code, given_up.status_code) == (303, 409, 303)
    assert "Look at the request for access as it is now" in again.text
    assert "Withdrawn" in (await support.get(f"/support/tasks/{desk.task}")).text


async def test_a_broken_glass_is_red_on_every_page_until_it_is_noted(
    desk: Desk, owner: httpx.AsyncClient, support: httpx.AsyncClient
) -> None:
    page = await asked(support, desk.task, break_glass="true", hours="1")
    assert "Break-glass by" in page.text
    async with desk.somebody() as colleague:
        found = ACCESS.search((await colleague.get("/support")).text)
        assert found is not None
        own = await support.post(f"/support/access/{found[1]}/second")
        seconded = await colleague.post(f"/support/access/{found[1]}/second")
    read = await support.post(f"/support/tasks/{desk.task}/content")
    told = await owner.get("/projects")
    log = await owner.get("/admin/audit?group=access")
    noted = await owner.post(f"/admin/access/{found[1]}/acknowledge")
    quiet = await owner.get("/projects")

    assert (own.status_code, seconded.status_code, noted.status_code) == (403, 303, 303)
    assert "heliotrope" in read.text
    assert "Content was opened without a grant" in told.text
    assert re.search(r'<tr class="alarm">(?:(?!</tr>).)*traces\.second_break_glass', log.text, re.DOTALL)
    assert "Content was opened without a grant" not in quiet.text


async def test_owners_read_their_own_tasks_and_that_is_on_record_too(desk: Desk, owner: httpx.AsyncClient) -> None:
    read = await owner.post(f"/support/tasks/{desk.task}/content")
    shown = await owner.get("/admin/access")

    assert set(words_in(read)) == set(WORDS)
    assert "stands in the person&#39;s own message" in read.text  # where a value came from
    assert f"Trusted, made from person:{desk.home.owner.person}" in read.text  # labels
    assert "Own organisation" in shown.text


async def test_support_keeps_no_access_of_its_own_and_members_none_at_all(
    desk: Desk, support: httpx.AsyncClient
) -> None:
    async with desk.somebody(Role.MEMBER) as member:
        answers = [
            await support.get("/admin/access"),
            await support.post(f"/admin/access/{desk.task}/grant", data={"part": "request", "hours": "1"}),
            await member.get("/admin/access"),
            await member.post(f"/support/access/{desk.task}/second"),
        ]
    asking = await support.post(f"/support/tasks/{desk.task}/ask", data={"reason": "why", "hours": "24"})
    unknown = await support.post(f"/support/access/{desk.task}/second")

    assert [each.status_code for each in answers] == [403] * 4
    assert (asking.status_code, unknown.status_code) == (422, 404)


async def test_the_log_is_filtered_paged_and_taken_along(desk: Desk, owner: httpx.AsyncClient) -> None:
    for n in range(55):
        await owner.post("/projects", data={"title": f"Project {n}"})
    first = await owner.get("/admin/audit?group=work")
    following = re.search(r'href="(/admin/audit\?[^"]*after=[^"]*)"', first.text)
    assert following is not None
    second = await owner.get(following[1].replace("&amp;", "&"))
    signed_in = await owner.get("/admin/audit?group=sign_ins&outcome=done")
    upkeep = await owner.get("/admin/audit?hand=system")
    nobody = await owner.get(f"/admin/audit?person={desk.task}")
    mine = await owner.get(f"/admin/audit?person={desk.home.owner.person}&group=work")
    refused = await owner.get("/admin/audit?outcome=failed")
    old = await owner.get("/admin/audit?until=2020-01-01")
    bad = [await owner.get(f"/admin/audit?{each}") for each in ("since=x", "person=x", "after=x")]
    as_csv = await owner.post("/admin/audit/export", data={"group": "work", "as": "csv"})
    as_json = await owner.post("/admin/audit/export", data={"group": "work", "as": "json"})

    assert first.text.count("memory.create_project") == 50
    assert 1 <= second.text.count("memory.create_project") < 50
    assert "Ada" in signed_in.text.split("<tbody>")[1]
    assert "Joule itself" in upkeep.text
    assert "Ada" not in upkeep.text.split("<tbody>")[1]
    assert "Nothing like this was done" in nobody.text
    assert mine.text.count("memory.create_project") == 50
    assert "traces.no_access" in refused.text
    assert "Nothing like this was done" in old.text
    assert all(each.status_code == 200 and 'role="alert"' in each.text for each in bad)
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [json.loads(line) for line in as_json.text.splitlines()] == rows
    assert sum(row["action"] == "memory.create_project" for row in rows) == 56  # one was there before
    assert {row["name"] for row in rows if row["person"]} == {"Ada"}
    assert "Project 7" not in as_csv.text


async def test_verifying_says_whole_and_names_what_is_not(
    desk: Desk, owner: httpx.AsyncClient, test_server: TestServer
) -> None:
    page = await owner.get("/admin/audit/verify")
    whole = await owner.get("/admin/audit/verify/stream")
    superuser = test_server.superuser_url(
        desk.home.house.settings.database.url.get_secret_value().split("dbname=")[1].split(" ")[0]
    )  # type: ignore[union-attr]
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE trace_event SET hash = sha256('x') WHERE task_id = %s AND seq = 2", (desk.task,))
    broken = await owner.get("/admin/audit/verify/stream")

    assert 'hx-sse:connect="/admin/audit/verify/stream"' in page.text
    assert "The record is whole" in whole.text
    assert "The record is whole" not in broken.text
    assert str(desk.task) in broken.text
