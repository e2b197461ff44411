"""Support sees what a task did and not a word of what was said, whatever the role; a member sees none of it."""

import io
import zipfile
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from joule.kernel.ids import TaskId
from joule.kernel.principal import Role
from tests.support.postgres import TestServer
from tests.web.desk import WORDS, Desk, desk_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(test_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with desk_of(test_server, tmp_path_factory.mktemp("support")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def waiting(desk: Desk) -> TaskId:
    """A task that waits for a person, since the file is not named in it."""
    return await desk.worked("Only say something", until_it="waiting")


def main_of(page: str) -> str:
    """A page without the rail beside it, in which owners see their own projects."""
    return page.split("<main")[1]


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.SUPPORT])
async def test_the_pages_show_steps_and_decisions_and_no_words(desk: Desk, waiting: TaskId, role: Role) -> None:
    at = f"/support/tasks/{desk.task}"
    async with desk.somebody(role) as client:
        found = await client.get("/support", params={"task": str(desk.task)})
        timeline = await client.get(at)
        replayed = await client.post(f"{at}/replay")
        listed = await client.post(f"{at}/replay", data={"lenient": "true"})
        judged = await client.post(f"{at}/what-if")
        compared = await client.get("/support/compare", params={"a": str(desk.task), "b": str(waiting)})
        exported = await client.post(f"{at}/export")
        bundle = await client.post(f"{at}/bundle")

    assert found.headers["location"] == at
    pages = [timeline, replayed, listed, judged, compared, exported]
    assert [each.status_code for each in pages] == [200] * 6
    for told in ("Tool write_file", "memory.agent-writes-named-files", "Allowed", "Tool read_file", "10 in, 5 out"):
        assert told in timeline.text, told
    assert "Identical" in replayed.text
    assert "Nothing would change" in judged.text
    assert "They part at act/0/0" in compared.text
    assert {"action.intent", "task.ended"} <= {each["kind"] for each in exported.json()["events"]}
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as packed:
        inside = "".join(packed.read(name).decode(errors="replace") for name in packed.namelist())
        assert "verify.py" in packed.namelist()
    shown = "".join(each.text for each in pages) + inside
    assert [each for each in WORDS if each in shown] == []


async def test_a_command_of_a_person_has_a_timeline_without_its_words_too(desk: Desk) -> None:
    async with desk.somebody(Role.OWNER) as client:
        await client.post("/projects", data={"title": "Project marzipan"})
        audit = await client.get("/admin/audit")
        commands = {part[:36] for part in audit.text.split("/support/tasks/")[1:]}
        pages = [await client.get(f"/support/tasks/{each}") for each in sorted(commands)]

    assert any("memory.create_project" in each.text for each in pages)
    assert [each for each in pages if "marzipan" in main_of(each.text)] == []


async def test_a_member_opens_none_of_it(desk: Desk) -> None:
    at = f"/support/tasks/{desk.task}"
    async with desk.somebody(Role.MEMBER) as client:
        answers = [
            await client.get("/support"),
            await client.get("/support/compare"),
            await client.get(at),
            *[await client.post(f"{at}/{each}") for each in ("replay", "what-if", "export", "bundle", "content")],
            await client.post(f"{at}/ask", data={"part": "request", "reason": "x", "hours": 1}),
        ]

    assert {each.status_code for each in answers} == {403}


async def test_support_reads_no_conversation(desk: Desk) -> None:
    async with desk.somebody() as client:
        answers = [
            await client.get(f"/api/v1/tasks/{desk.task}"),
            await client.get(f"/api/v1/tasks/{desk.task}/events"),
            await client.get(f"/chat/tasks/{desk.task}/stream"),
            await client.get(f"/projects/{desk.home.project}/files"),
        ]

    assert [each.status_code for each in answers] == [403, 403, 403, 403]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"task": "0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f"}, "no task with this id"),
        ({"task": "not an id"}, "not a task id"),
        ({"task": "\x00"}, "not a task id"),
        ({"person": "somebody"}, "not a person&#39;s id"),
        ({"since": "yesterday"}, "A day looks like"),
        ({"until": "9999-12-31"}, "A day looks like"),
        ({"tool": "nonesuch"}, "No task is like this"),
        ({"before": "nonsense"}, "Newest tasks"),
    ],
)
async def test_what_cannot_be_found_is_said_plainly(desk: Desk, asked: dict[str, str], told: str) -> None:
    async with desk.somebody() as client:
        found = await client.get("/support", params=asked)
        nowhere = await client.get("/support/tasks/0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f")
        nothing = await client.get("/support/compare", params={"a": "0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f", "b": "x"})

    assert (found.status_code, nowhere.status_code, nothing.status_code) == (200, 404, 200)
    assert told in found.text
    assert "is no task of this organisation" in nothing.text


async def test_tasks_are_found_by_what_a_step_did_who_asked_and_when(desk: Desk, waiting: TaskId) -> None:
    today = desk.clock.now().date().isoformat()
    searches = {
        "tool=write_file&decision=allow": {desk.task},
        "tool=write_file&decision=ask": {waiting},
        "action=memory.read_file": {desk.task, waiting},
        "code=joule.not_found": {desk.task, waiting},  # zeppelin.md is not there
        "tool=write_file&code=llm.none": set(),
        "state=waiting": {waiting},
        f"person={desk.home.owner.person}": {desk.task, waiting},
        f"person={waiting}": set(),
        f"since={today}&until={today}": {desk.task, waiting},
        "until=2020-01-01": set(),
        f"before={waiting}": {desk.task},
    }
    async with desk.somebody() as client:
        found = {each: main_of((await client.get(f"/support?{each}")).text) for each in searches}

    both = (desk.task, waiting)
    assert {
        each: {task for task in both if f"/support/tasks/{task}" in page} for each, page in found.items()
    } == searches


async def test_a_support_person_sees_ids_where_an_owner_sees_names(desk: Desk) -> None:
    async with desk.somebody() as client:
        seen = await client.get(f"/support/tasks/{desk.task}")
    async with desk.somebody(Role.OWNER) as client:
        known = await client.get(f"/support/tasks/{desk.task}")

    assert "Ada" not in main_of(seen.text)
    assert "Ada" in main_of(known.text)


async def test_an_export_is_on_record(desk: Desk) -> None:
    async with desk.somebody(Role.OWNER) as client:
        await client.post(f"/support/tasks/{desk.task}/export")
        log = await client.get("/admin/audit", params={"group": "reads"})

    assert f"Task {desk.task}" in log.text
    assert "traces.export_timeline" in log.text


async def test_values_of_a_replay_are_shown_only_to_who_may_read_the_task(desk: Desk) -> None:
    at = f"/support/tasks/{desk.task}/replay"
    async with desk.somebody() as client:
        refused = await client.post(at, data={"values": "true"})
    async with desk.somebody(Role.OWNER) as client:
        shown = await client.post(at, data={"values": "true"})
        page = await client.get(f"/support/tasks/{desk.task}")

    assert (refused.status_code, shown.status_code) == (403, 200)
    assert "Read 1 time so far" in page.text
