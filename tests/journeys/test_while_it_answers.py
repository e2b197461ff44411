"""What a person can do while the agent works: read on, answer, stop, lose the line and come back."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.async_api import Page, expect

from joule.kernel.clock import Clock
from joule.kernel.settings import Settings
from joule.llm.actions import canonical_json
from joule.llm.providers.base import CallPiece, ChatModel, ModelRequest, Piece
from joule.web.app import build_app
from tests.support.browser import Browser, browser
from tests.support.house import home
from tests.support.walking import answered, fine
from tests.web.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@dataclass(kw_only=True)
class SlowModel:
    """Asks for one tool, then says numbered lines, one at a time."""

    tool: tuple[str, dict[str, str]] | None = ("list_files", {})
    lines: int = 40
    pause: float = 0.04
    provider: str = "offline"
    model: str = "slow"
    recipient: str = "none"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        if self.tool is not None and request.messages[-1].role == "user":
            name, arguments = self.tool
            call = CallPiece(key="0", id="call-0", name=name, arguments=canonical_json(arguments))
            yield Piece(calls=(call,), finish="tool_calls")
            return
        for line in range(self.lines):
            await asyncio.sleep(self.pause)
            yield Piece(text=f"Line {line}\n\n")
        yield Piece(finish="stop")


@dataclass(kw_only=True)
class Open:
    """A site on a real socket, and a browser on the first page of its project."""

    site: Site
    window: Browser
    server: uvicorn.Server

    @property
    def page(self) -> Page:
        return self.window.page

    async def send(self, text: str) -> None:
        await self.page.get_by_label("Message to Joule").fill(text)
        await self.page.keyboard.press("Enter")


@asynccontextmanager
async def opened(settings: Settings, model: ChatModel, name: str, *, clock: Clock | None = None) -> AsyncIterator[Open]:
    async with home(settings, model=model, clock=clock) as found:
        server = uvicorn.Server(uvicorn.Config(build_app(found.house), port=0, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        stop = asyncio.Event()
        working = asyncio.create_task(found.serve(stop))
        try:
            while not server.started:
                await asyncio.sleep(0.02)
            port = server.servers[0].sockets[0].getsockname()[1]
            site = Site(app=build_app(found.house), home=found, model=model)  # type: ignore[arg-type]
            async with browser(name=name) as window:
                await window.page.goto(f"http://127.0.0.1:{port}/sign-in/link?token={await site.link()}")
                await window.page.get_by_role("button", name="Sign in").click()
                await window.page.locator("message-composer").wait_for()
                yield Open(site=site, window=window, server=server)
        finally:
            stop.set()
            await working
            server.should_exit = server.force_exit = True
            await serving


async def test_an_open_card_stays_open_and_a_reader_above_is_left_alone(settings: Settings) -> None:
    async with opened(settings, SlowModel(lines=90), "reading") as it:
        await it.send("count")
        await it.page.locator(".step summary").first.click()
        await it.page.evaluate("() => { const log = document.querySelector('#log'); log.scrollTop = log.scrollHeight }")
        await expect(it.page.locator(".prose")).to_contain_text("Line 45")
        at_end = "() => { const log = document.querySelector('#log'); return log.scrollHeight - log.scrollTop - log.clientHeight }"
        await it.page.wait_for_function(f"({at_end})() < 60")

        await it.page.locator("#log").hover()
        await it.page.mouse.wheel(0, -2000)
        await expect(it.page.get_by_role("button", name="Jump to latest")).to_be_visible()
        before = await it.page.evaluate("document.querySelector('#log').scrollTop")
        await expect(it.page.locator(".prose")).to_contain_text("Line 80")
        assert await it.page.evaluate("document.querySelector('#log').scrollTop") == before
        assert await it.page.locator(".step").first.get_attribute("open") is not None
        await fine(it.window, "reading")

        await it.page.get_by_role("button", name="Jump to latest").click()
        await answered(it.page, 1)
        await expect(it.page.locator("#announce")).to_have_text("The answer is finished.")
        assert await it.page.locator(".prose .block").count() == 90
        assert await it.window.wrong() == []


async def test_a_question_is_answered_where_it_is_asked(settings: Settings) -> None:
    model = SlowModel(tool=("write_file", {"file_name": "plan.md", "text": "# Plan\n\nFirst."}), lines=2)
    async with opened(settings, model, "approval") as it:
        await it.send("write something down")
        card = it.page.get_by_role("alert").filter(has_text="May Joule do this?")
        await card.wait_for()
        await expect(card).to_contain_text("plan.md")
        await expect(card).to_contain_text("neither your words nor this task's results")
        await expect(it.page.locator("#announce")).to_have_text("Joule waits for your answer.")
        await fine(it.window, "approval")

        await card.get_by_role("button", name="Approve once").click()
        await answered(it.page, 1)
        await expect(card).to_have_count(0)
        await expect(it.page.locator(".step")).to_contain_text("Approved by you")
        await expect(it.page.locator(".saved")).to_contain_text("plan.md, version 1")
        await fine(it.window, "approved")


async def test_escape_stops_the_answer_and_keeps_what_was_said(settings: Settings) -> None:
    async with opened(settings, SlowModel(tool=None, lines=400), "stopping") as it:
        await it.send("count")
        await expect(it.page.locator(".prose")).to_contain_text("Line 5")
        await expect(it.page.get_by_role("button", name="Stop the answer")).to_be_visible()
        await it.window.shot("running")

        await it.page.keyboard.press("Escape")

        await answered(it.page, 1)
        await expect(it.page.locator(".ended")).to_contain_text("This answer was stopped.")
        await expect(it.page.locator(".prose")).to_contain_text("Line 5")
        await expect(it.page.get_by_role("button", name="Send", exact=True)).to_be_visible()
        await fine(it.window, "stopped")


async def test_a_broken_line_costs_nothing(settings: Settings) -> None:
    async with opened(settings, SlowModel(tool=None, lines=60), "broken-line") as it:
        it.window.expected += ["ERR_INTERNET_DISCONNECTED", "ERR_NETWORK", "Failed to load resource", "sse", "fetch"]
        await it.send("count")
        await expect(it.page.locator(".prose")).to_contain_text("Line 10")

        for connection in list(it.server.server_state.connections):
            connection.transport.abort()

        await answered(it.page, 1)
        lines = await it.page.locator(".prose .block").all_inner_texts()
        assert lines == [f"Line {each}" for each in range(60)]
