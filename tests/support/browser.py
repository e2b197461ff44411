"""A real Chromium, driven over the real pages: every violation of the content policy and every console error is kept.

The browser comes from apt (`chromium`), talks to loopback only, and starts with a profile of its own each time.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page, async_playwright

Look = tuple[str, int, int, Literal["dark", "light"]]

SHOTS = Path(__file__).resolve().parents[2] / "shots"

DESKTOP: Look = ("desktop", 1280, 860, "light")
LOOKS: tuple[Look, ...] = (("phone", 360, 740, "light"), ("dark", 1280, 860, "dark"), DESKTOP)

_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
    "--no-pings",
    "--metrics-recording-only",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


def chromium() -> str:
    """Where Chromium is. Raises when there is none: a browser test is never quietly left out."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise RuntimeError("no chromium: run `apt-get install chromium`")
    return found


@dataclass(kw_only=True)
class Browser:
    """One window, and all that it complained about."""

    page: Page
    name: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)  # what may stand in a complaint: errors a test causes on purpose

    async def shot(self, what: str, *, full: bool = False) -> Path:
        """Keeps a picture of the page under `shots/`."""
        path = self._path(what)
        await self.page.screenshot(path=path, full_page=full)
        return path

    async def looks(self, what: str) -> list[str]:
        """Looks at the page as it is on a desktop, on a phone and in the dark, keeps the pictures, and tells what is wrong.

        The window is left as a desktop's.
        """
        found = []
        for look, width, height, scheme in LOOKS:
            await self.page.set_viewport_size({"width": width, "height": height})
            await self.page.emulate_media(color_scheme=scheme)
            await self.page.screenshot(path=self._path(f"{what}-{look}"), animations="disabled")
            sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            if await self.page.evaluate(sideways) > 0:
                found.append(f"{look}: the page scrolls sideways")
            if (width, scheme) != (DESKTOP[1], DESKTOP[3]):  # on a phone other things show, in the dark other colours
                found += [f"{look}: {each}" for each in await self.axe()]
        return [*found, *await self.wrong()]

    def _path(self, what: str) -> Path:
        SHOTS.mkdir(exist_ok=True)
        return SHOTS / f"{what}-{self.name}.png"

    async def axe(self) -> list[str]:
        """What the accessibility checker finds wrong with the page as it is now."""
        await self.page.evaluate(
            "Promise.all(document.getAnimations().filter((each) => each.effect.getTiming().iterations !== Infinity).map((each) => each.finished.catch(() => 0)))"
        )
        results: Any = await Axe().run(self.page)
        return [
            f"{each['id']} ({each['impact']}): {', '.join(str(node['target']) for node in each['nodes'][:4])}"
            for each in results.response["violations"]
        ]

    async def wrong(self) -> list[str]:
        """Violations of the content policy on this page, and every console error so far."""
        violations: list[str] = await self.page.evaluate("window.violations ?? []")
        return [each for each in [*self.complaints, *violations] if not any(known in each for known in self.expected)]


@asynccontextmanager
async def browser(*, name: str) -> AsyncIterator[Browser]:
    """A fresh browser, as large as a desktop's."""
    flags = [*_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else list(_FLAGS)
    async with async_playwright() as playwright:
        with TemporaryDirectory(prefix="joule-browser-") as profile:
            context = await playwright.chromium.launch_persistent_context(
                profile,
                executable_path=chromium(),
                headless=True,
                args=flags,
                viewport={"width": DESKTOP[1], "height": DESKTOP[2]},
                color_scheme=DESKTOP[3],
                device_scale_factor=1,
                service_workers="block",
            )
            await context.add_init_script(_WATCH)
            page = context.pages[0] if context.pages else await context.new_page()
            page.set_default_timeout(15_000)
            window = Browser(page=page, name=name)

            def heard(message: ConsoleMessage) -> None:
                if message.type in {"error", "warning"}:
                    window.complaints.append(f"console {message.type}: {message.text}")

            page.on("console", heard)
            page.on("pageerror", lambda error: window.complaints.append(f"page error: {error}"))
            try:
                yield window
            finally:
                await context.close()
