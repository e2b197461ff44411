"""What every journey does: sign in, begin a project, ask and wait for the answer, stop and look."""

import re

from playwright.async_api import Page, expect

from tests.support.browser import Browser
from tests.support.running import Running


async def fine(window: Browser, stop: str) -> None:
    """Keeps pictures of the page on a desktop, on a phone and in the dark, and finds nothing wrong with any."""
    assert await window.looks(stop) == [], stop


async def signed_in(page: Page, running: Running) -> None:
    """Signs the owner in by a link of its own."""
    await page.goto(await running.link())
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(re.compile("/projects"))


async def new_project(page: Page, running: Running, title: str) -> None:
    """Signs the owner in and begins a project."""
    await signed_in(page, running)
    await page.goto(f"{running.address}/projects")
    await page.get_by_label(re.compile("^(Your first|New) project")).fill(title)
    await page.keyboard.press("Enter")
    await page.locator("message-composer").wait_for()


async def ask(page: Page, words: str, turns: int = 0) -> None:
    """Sends a message; with `turns` waits until so many turns of the page have ended."""
    await page.get_by_label("Message to Joule").fill(words)
    await page.get_by_label("Message to Joule").press("Enter")
    if turns:
        await answered(page, turns)


async def answered(page: Page, count: int) -> None:
    """Waits until so many turns of the page have ended."""
    await page.locator(".ended").nth(count - 1).wait_for(timeout=60_000)
    await expect(page.locator("[data-running]")).to_have_count(0)
