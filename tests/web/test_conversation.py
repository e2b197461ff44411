"""A conversation by way of the pages and the streams: the same from both, whole after a cut, and safe to show."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest

from joule.kernel.ids import TaskId
from joule.tasks.queries import facts
from joule.web.chat.watching import followed
from tests.support.scripted_model import Says
from tests.web.conftest import Site

HTMX = {"HX-Request": "true"}
TASK = re.compile(r'id="turn-([0-9a-f-]{36})"')


@asynccontextmanager
async def working(site: Site) -> AsyncIterator[None]:
    """A worker at work."""
    stop = asyncio.Event()
    serving = asyncio.create_task(site.home.serve(stop))
    try:
        yield
    finally:
        stop.set()
        await serving


async def begin(site: Site, client: httpx.AsyncClient, text: str) -> tuple[UUID, str]:
    """Sends a first message; the task and the page that came back."""
    answer = await client.post(f"/projects/{site.home.project}/messages", data={"text": text}, headers=HTMX)
    assert answer.status_code == 200, answer.text
    found = TASK.search(answer.text)
    assert found is not None
    return UUID(found[1]), answer.text


async def until(site: Site, task: UUID, *states: str) -> None:
    """Waits until the task is in one of these states."""
    async with asyncio.timeout(20):
        while True:
            async with site.home.house.database.read(site.home.org) as session:
                state = (await facts(session, site.home.org, TaskId(task))).state.value
            if state in states:
                return
            await asyncio.sleep(0.05)


def messages(stream: str) -> list[dict[str, str]]:
    """The messages of an event stream, less the comments."""
    found = []
    for block in stream.split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            if name in {"id", "event", "data"}:
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        if fields:
            found.append(fields)
    return found


@pytest.fixture(autouse=True)
def script(site: Site) -> None:
    site.model.script = [
        Says(text="I look first. <img src=x onerror=alert(1)>", calls=[("list_files", {})]),
        Says(text="There is **nothing** yet."),
    ]


async def test_the_stream_opens_with_the_answer_to_the_message(site: Site) -> None:
    async with site.signed_in() as client:
        task, page = await begin(site, client, "What is there?")

    assert f'hx-sse:connect="/chat/tasks/{task}/stream?after="' in page
    assert "What is there?" in page


async def test_a_streamed_turn_is_the_page_one_sees_later(site: Site) -> None:
    async with site.signed_in() as client, working(site):
        task, page = await begin(site, client, "What is there?")
        stream = messages((await client.get(f"/chat/tasks/{task}/stream")).text)
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        later = (await client.get(thread[0])).text

    sent = "\n".join(each["data"] for each in stream)
    for told in (
        "I look first.",
        "<strong>nothing</strong>",
        "List the files",
        "memory.agent-reads",
        "There are 0 files.",
    ):
        assert told in sent, told
        assert told in later, told
    assert "<img src=x" not in sent + later
    assert "&lt;img src=x onerror=alert(1)&gt;" in later
    assert "hx-sse:connect" not in later.split("<main")[1]


async def test_a_message_of_the_stream_names_only_what_is_on_the_page(site: Site) -> None:
    async with site.signed_in() as client, working(site):
        task, page = await begin(site, client, "What is there?")
        stream = messages((await client.get(f"/chat/tasks/{task}/stream")).text)

    known = set(re.findall(r'id="([^"]+)"', page))
    for each in stream:
        targets = re.findall(r'hx-target="#([^"]+)"', each["data"])
        assert set(targets) <= known, each
        known |= set(re.findall(r'id="([^"]+)"', each["data"]))
    assert stream[-1]["data"].strip() == f'<hx-partial hx-target="#live-{task}" hx-swap="delete"></hx-partial>'


async def test_after_a_cut_the_stream_goes_on_where_it_was(site: Site) -> None:
    async with site.signed_in() as client, working(site):
        task, _ = await begin(site, client, "What is there?")
        whole = messages((await client.get(f"/chat/tasks/{task}/stream")).text)
        seen = next(each["id"] for each in whole[3:] if "id" in each)
        rest = messages((await client.get(f"/chat/tasks/{task}/stream", headers={"Last-Event-ID": seen})).text)

    ids = [each.get("id") for each in whole]
    assert rest == whole[ids.index(seen) + 1 :]


async def test_a_stream_ends_with_the_session_that_opened_it(site: Site) -> None:
    web = site.app.state.web
    async with site.signed_in() as client:
        task, _ = await begin(site, client, "What is there?")  # waits for a worker
        person = await web.visitors.who(client.cookies["joule"])
        stream = followed(web, person, TaskId(task), asked_again=0)
        async with working(site):
            assert await anext(stream) is not None

            await client.post("/sign-out")

            async with asyncio.timeout(10):
                assert [each async for each in stream] == []


async def test_programs_get_the_same_events_as_ag_ui(site: Site) -> None:
    async with site.signed_in() as client, working(site):
        started = await client.post("/api/v1/tasks", json={"project": str(site.home.project), "text": "What is there?"})
        task = started.json()["task"]
        stream = messages((await client.get(f"/api/v1/tasks/{task}/events")).text)
        again = messages(
            (await client.get(f"/api/v1/tasks/{task}/events", headers={"Last-Event-ID": stream[4]["id"]})).text
        )
        looked = (await client.get(f"/api/v1/tasks/{task}")).json()

    kinds = [json.loads(each["data"])["type"] for each in stream]
    assert kinds[0] == "RUN_STARTED"
    assert kinds[-1] == "RUN_FINISHED"
    assert "TOOL_CALL_RESULT" in kinds
    assert again == stream[5:]
    assert looked["state"] == "done"
    assert looked["answer"].strip() == "There is **nothing** yet."


async def test_what_the_agent_may_not_choose_is_asked_and_done_once_approved(site: Site) -> None:
    site.model.script = [
        Says(text="", calls=[("write_file", {"file_name": "plan.md", "text": "# Plan"})]),
        Says(text="It is written."),
    ]
    async with site.signed_in() as client, working(site):
        task, page = await begin(site, client, "Write something down")
        await until(site, task, "waiting")
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        asking = (await client.get(thread[0])).text
        approval = re.search(r"/chat/approvals/([0-9a-f-]{36})", asking)
        assert approval is not None
        assert 'role="alert"' in asking
        assert "plan.md" in asking
        answered = await client.post(approval[0], data={"answer": "approve"}, headers=HTMX)
        await until(site, task, "done")
        done = (await client.get(thread[0])).text
        twice = await client.post(approval[0], data={"answer": "approve"}, headers=HTMX)

    assert answered.status_code == 204
    assert "Approved by you" in done
    assert "plan.md, version 1" in done
    assert "/chat/approvals/" not in done
    assert twice.status_code >= 400


async def test_a_declined_step_is_not_done(site: Site) -> None:
    site.model.script = [
        Says(text="", calls=[("write_file", {"file_name": "plan.md", "text": "# Plan"})]),
        Says(text="Then not."),
    ]
    async with site.signed_in() as client, working(site):
        task, page = await begin(site, client, "Write something down")
        await until(site, task, "waiting")
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        approval = re.search(r"/chat/approvals/([0-9a-f-]{36})", (await client.get(thread[0])).text)
        assert approval is not None
        await client.post(approval[0], data={"answer": "decline", "note": "not now"}, headers=HTMX)
        await until(site, task, "done")
        done = (await client.get(thread[0])).text
        files = (await client.get(f"/api/v1/projects/{site.home.project}/files")).json()

    assert "Declined" in done
    assert files == []


async def test_another_attempt_leaves_the_earlier_one_to_look_at(site: Site) -> None:
    async with site.signed_in() as client, working(site):
        task, page = await begin(site, client, "What is there?")
        await until(site, task, "done")
        answer = await client.post(f"/chat/tasks/{task}/edit", data={"text": "What else is there?"}, headers=HTMX)
        second = UUID(str(TASK.search(answer.text)[1]))  # type: ignore[index]
        await until(site, second, "done")
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        newest = (await client.get(thread[0])).text
        earlier = (await client.get(f"{thread[0]}?task={task}")).text

    assert answer.headers["hx-push-url"].endswith(f"?task={second}")
    assert "What else is there?" in newest.split("<main")[1]
    assert "2 of 2" in newest
    assert '<div class="words">What is there?</div>' in earlier
    assert "1 of 2" in earlier


async def test_a_stopped_task_says_so(site: Site) -> None:
    async with site.signed_in() as client:
        task, page = await begin(site, client, "What is there?")
        thread = re.search(r"/projects/[0-9a-f-]+/threads/[0-9a-f-]+", page)
        assert thread is not None
        assert (await client.post(f"{thread[0]}/stop", headers=HTMX)).status_code == 204
        stream = (await client.get(f"/chat/tasks/{task}/stream")).text
        later = (await client.get(thread[0])).text

    assert "This answer was stopped." in stream
    assert "This answer was stopped." in later
    assert "Try again" in later


async def test_no_task_of_another_organisation_is_ever_shown(site: Site) -> None:
    stranger: Any = "01980000-0000-7000-8000-000000000000"
    async with site.signed_in() as client:
        for path in (
            f"/chat/tasks/{stranger}/stream",
            f"/support/tasks/{stranger}",
            f"/api/v1/tasks/{stranger}/events",
        ):
            assert (await client.get(path)).status_code == 404, path


async def test_a_message_can_be_deleted_with_its_answer(site: Site) -> None:
    async with site.signed_in() as client, working(site):
        task, page = await begin(site, client, "Our secret budget")
        await until(site, task, "done")
        thread = re.search(r"/threads/([0-9a-f-]{36})", page)
        assert thread is not None
        there = f"/projects/{site.home.project}/threads/{thread[1]}"
        assert f"/chat/tasks/{task}/delete" in (await client.get(there)).text
        gone = await client.post(f"/chat/tasks/{task}/delete", headers=HTMX)
        again = await client.post(f"/chat/tasks/{task}/delete", headers=HTMX)

        assert gone.headers["HX-Redirect"] == f"/projects/{site.home.project}"  # it was the only one
        assert again.status_code == 404
        assert (await client.get(there)).status_code == 404
