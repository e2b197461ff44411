"""Support sees what a task did and not a word of what was said, whatever the role; a member sees none of it."""

from uuid import UUID

import pytest

from joule.kernel.principal import Role
from tests.support.scripted_model import Says
from tests.web.conftest import Site
from tests.web.test_conversation import begin, until, working

WORDS = ("heliotrope", "umbrella-plan", "marzipan", "zeppelin")  # asked, a file's name, remembered, answered


@pytest.fixture
async def task(site: Site) -> UUID:
    """A task that has ended, with words of its own in every place that can hold some."""
    site.model.script = [
        Says(calls=[("write_file", {"file_name": "umbrella-plan.md", "text": "heliotrope"})]),
        Says(calls=[("remember", {"text": "we like marzipan"}), ("read_file", {"file_name": "zeppelin.md"})]),
        Says(text="The zeppelin has landed."),
    ]
    async with site.signed_in() as client, working(site):
        found, _ = await begin(site, client, "Save heliotrope as umbrella-plan.md, remember we like marzipan")
        await until(site, found, "done")
    return found


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.SUPPORT])
async def test_the_timeline_and_the_replay_show_steps_and_decisions_and_no_words(
    site: Site, task: UUID, role: Role
) -> None:
    async with site.signed_in(role) as client:
        found = await client.get("/support", params={"task": str(task)})
        timeline = await client.get(f"/support/tasks/{task}")
        replayed = await client.post(f"/support/tasks/{task}/replay")

    assert found.headers["location"] == f"/support/tasks/{task}"
    assert (timeline.status_code, replayed.status_code) == (200, 200)
    for told in ("Tool write_file", "memory.agent-writes-named-files", "Allowed", "Tool remember"):
        assert told in timeline.text, told
    assert "Identical" in replayed.text
    assert [each for each in WORDS if each in timeline.text + replayed.text] == []
    assert ("Spring" in timeline.text) == (role is not Role.SUPPORT)  # the project, in the list beside it


async def test_a_command_of_a_person_has_a_timeline_without_its_words_too(site: Site) -> None:
    async with site.signed_in() as client:
        await client.post("/projects", data={"title": "Project marzipan"})
        audit = await client.get("/admin/audit")
        commands = {part[:36] for part in audit.text.split("/support/tasks/")[1:]}
        pages = [await client.get(f"/support/tasks/{each}") for each in commands]

    assert any("memory.create_project" in each.text for each in pages)
    # Beside it stands the owner's own list of projects.
    assert [each for each in pages if "marzipan" in each.text.split("<main")[1]] == []


async def test_a_member_opens_none_of_it(site: Site, task: UUID) -> None:
    async with site.signed_in(Role.MEMBER) as client:
        answers = [
            await client.get("/support"),
            await client.get(f"/support/tasks/{task}"),
            await client.post(f"/support/tasks/{task}/replay"),
        ]

    assert [each.status_code for each in answers] == [403, 403, 403]


async def test_support_reads_no_conversation(site: Site, task: UUID) -> None:
    async with site.signed_in(Role.SUPPORT) as client:
        answers = [
            await client.get(f"/api/v1/tasks/{task}"),
            await client.get(f"/api/v1/tasks/{task}/events"),
            await client.get(f"/chat/tasks/{task}/stream"),
            await client.get(f"/projects/{site.home.project}/files"),
        ]

    assert [each.status_code for each in answers] == [403, 403, 403, 403]


@pytest.mark.parametrize("asked", ["0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f", "not an id", "\x00"])
async def test_what_is_not_there_is_said_plainly(site: Site, asked: str) -> None:
    async with site.signed_in(Role.SUPPORT) as client:
        found = await client.get("/support", params={"task": asked})

    assert found.status_code == 200
    assert "no task with this id" in found.text or "not a task id" in found.text
