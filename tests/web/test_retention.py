"""Retention, holds and erasure by way of their page: chosen, refused with advice, done, and told by a receipt."""

import io
import re
import zipfile
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from joule.kernel.ids import new_id
from joule.kernel.principal import Role
from joule.tasks import queries as tasks
from tests.support.postgres import TestServer
from tests.web.desk import REQUEST, Desk, desk_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE = "/admin/retention"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(test_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with desk_of(test_server, tmp_path_factory.mktemp("retention")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def owner(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with desk.somebody(Role.OWNER) as client:
        yield client


async def test_the_days_are_chosen_and_a_number_nobody_can_keep_is_refused_with_advice(
    owner: httpx.AsyncClient,
) -> None:
    assert (await owner.post(f"{PAGE}/days", data={"days": "30"})).status_code == 303
    longer = await owner.post(f"{PAGE}/days", data={"days": "400"})
    wrong = [await owner.post(f"{PAGE}/days", data={"days": days}) for days in ("0", "2558", "soon", "")]

    page = (await owner.get(PAGE)).text
    assert longer.status_code == 303
    assert "<strong>30 days</strong>" in page
    assert "<strong>400 days</strong>" in page
    assert [each.status_code for each in wrong] == [422] * 4
    assert all("1 to 2557" in each.text or "1 and 2557" in each.text for each in wrong)


async def test_a_hold_stands_on_every_page_and_nothing_is_erased_until_it_is_lifted(
    desk: Desk, owner: httpx.AsyncClient
) -> None:
    placed = await owner.post(f"{PAGE}/holds", data={"scope": "organisation", "reason": "The marmalade case"})
    refused = await owner.post(f"{PAGE}/erase/task", data={"task": str(desk.task), "sure": "true"})
    page, elsewhere = (await owner.get(PAGE)).text, (await owner.get("/account")).text
    hold = re.search(rf"{PAGE}/holds/([0-9a-f-]{{36}})/lift", page)
    assert hold is not None
    lifted = await owner.post(f"{PAGE}/holds/{hold[1]}/lift")

    assert (placed.status_code, refused.status_code, lifted.status_code) == (303, 409, 303)
    assert "Ask an owner" in refused.text
    assert "The marmalade case" in page
    assert "Legal hold" in elsewhere
    assert "Legal hold" not in (await owner.get("/account")).text
    assert (await owner.post(f"{PAGE}/holds", data={"scope": "task", "reason": "x"})).status_code == 422


async def test_an_admin_sees_holds_and_may_not_place_one(desk: Desk) -> None:
    async with desk.somebody(Role.ADMIN) as admin, desk.somebody(Role.MEMBER) as member:
        page = await admin.get(PAGE)
        assert page.status_code == 200
        assert "Only an owner places" in page.text
        assert "Erase the organisation" not in page.text
        placed = await admin.post(f"{PAGE}/holds", data={"scope": "organisation", "reason": "x"})
        assert placed.status_code == 403
        assert (await member.get(PAGE)).status_code == 403


async def test_an_erased_message_leaves_a_receipt_and_no_word(desk: Desk, owner: httpx.AsyncClient) -> None:
    task = await desk.worked(f"quincunx: {REQUEST}")
    async with desk.home.house.database.read(desk.home.org) as session:
        facts = await tasks.facts(session, desk.home.org, task)
    thread = f"/projects/{facts.project}/threads/{facts.thread}"
    before = (await owner.get(thread)).text

    erased = await owner.post(f"{PAGE}/erase/task", data={"task": f" {task} ", "sure": "true"})
    page = (await owner.get(PAGE)).text
    receipt = re.search(rf"{PAGE}/receipts/[0-9a-f-]{{36}}", page)

    assert before.count("quincunx") > 1  # in the conversation, in its title, in the list of conversations
    assert erased.status_code == 303
    after = await owner.get(thread)
    assert after.status_code == 200
    assert "quincunx" not in after.text
    assert receipt is not None
    note = await owner.get(receipt[0])
    assert "/statement/erasure" in note.text
    assert str(task) in note.text
    assert (await owner.get(f"{PAGE}/receipts/{new_id()}")).status_code == 404


async def test_a_person_is_told_and_then_erased(desk: Desk, owner: httpx.AsyncClient) -> None:
    async with desk.somebody(Role.MEMBER) as member:
        person = re.findall(r'<option value="([0-9a-f-]{36})">[^<]*\(member\)', (await owner.get(PAGE)).text)[-1]
        mine = await member.post("/account/export")
        told = await owner.post(f"{PAGE}/export", data={"who": person})
        unsure = await owner.post(f"{PAGE}/erase/person", data={"who": person})
        erased = await owner.post(f"{PAGE}/erase/person", data={"who": person, "sure": "true"})
        gone = await member.get("/account")

    for each in (told, mine):
        with zipfile.ZipFile(io.BytesIO(each.content)) as archive:
            assert {"manifest.json", "account.json", "messages.json"} <= set(archive.namelist())
            assert b"@people.test" in archive.read("account.json")
            assert person.encode() in archive.read("account.json")
    assert (unsure.status_code, erased.status_code) == (422, 303)
    assert gone.status_code in {303, 401}
    assert person not in (await owner.get(PAGE)).text
    assert (
        "that is not an id"
        in (await owner.post(f"{PAGE}/erase/person", data={"who": "x", "sure": "true"})).text.lower()
    )


async def test_an_organisation_ends_only_for_who_types_its_name(desk: Desk, owner: httpx.AsyncClient) -> None:
    wrong = await owner.post(f"{PAGE}/erase/organisation", data={"name": "Test haus"})
    right = await owner.post(f"{PAGE}/erase/organisation", data={"name": "Test house"})

    assert wrong.status_code == 422
    assert "Type “Test house”" in wrong.text
    assert (right.status_code, right.headers["location"]) == (303, "/sign-in")
    assert (await owner.get(PAGE)).status_code in {303, 401}
