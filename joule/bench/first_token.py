"""How long after Enter the first words of an answer stand in a real browser, and what an idle Joule weighs.

`joule up` as people run it, in a folder of its own, with the offline model; Chromium over loopback. Timed inside the
page, from the key press to the first change of the conversation that shows words of the answer.
"""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from joule.bench.report import Report
from joule.kernel.errors import Misconfigured

SETTLE_SECONDS = 75  # idle means: started, and left alone until what is only there for work has gone
LINK = re.compile(r"http://\S+/sign-in/link\?token=\S+")
TARGETS = {"p50_ms": {"max": 300.0}, "idle_mb": {"max": 350.0}}
FLAGS = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")

# Resolves with the milliseconds from the next Enter until words of an answer are on the page.
WATCH = """() => new Promise((done) => {
  let began = Infinity;
  addEventListener("keydown", () => { began = performance.now(); }, { once: true, capture: true });
  const seen = document.querySelectorAll(".prose").length;
  const watch = new MutationObserver(() => {
    const all = document.querySelectorAll(".prose");
    if (all.length > seen && all[all.length - 1].textContent.trim()) {
      watch.disconnect();
      done(performance.now() - began);
    }
  });
  watch.observe(document.body, { childList: true, subtree: true, characterData: true });
})"""


async def run(*, quick: bool, **_: object) -> Report:
    """Messages one after the other in one conversation, after one that warms everything up."""
    messages = 10 if quick else 50
    async with _joule() as (process, link):
        await asyncio.sleep(SETTLE_SECONDS)
        idle = _weight(process.pid)
        took = await _ask(link, messages)
    percent = quantiles(took, n=20)
    return Report(
        name="first-token",
        figures={
            "p50_ms": round(percent[9], 1),
            "p95_ms": round(percent[18], 1),
            "idle_mb": round(sum(idle) / 2**20, 1),
            "processes": len(idle),
        },
        targets=TARGETS,
        notes=(
            f"{messages} messages to the offline model, Enter to first words, Chromium on the same machine; memory is "
            "resident, summed over supervisor, web, worker and whatever they started, without PostgreSQL, "
            f"{SETTLE_SECONDS} s after the start; pages shared by them count each time"
        ),
    )


@asynccontextmanager
async def _joule() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    home = await asyncio.to_thread(_folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOULE_")}
    environment |= {"JOULE_HOME": str(home / "home"), "JOULE_WEB_PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "joule.cli", "up"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process, await asyncio.wait_for(_link(process), 120)
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


def _folder() -> Path:
    home = Path(tempfile.mkdtemp(prefix="joule-bench-", dir="/tmp"))
    home.chmod(0o711)
    return home


async def _link(process: asyncio.subprocess.Process) -> str:
    said = ""
    while process.stdout is not None and (line := await process.stdout.readline()):
        said += line.decode()
        if found := LINK.search(said):
            return found[0]
    raise Misconfigured("joule up did not start", advice=f"Run `joule up` to see why: {said[-300:]}")


async def _ask(link: str, messages: int) -> list[float]:
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        raise Misconfigured("no browser driver is installed", advice="Run `make setup`, then try again.") from None
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise Misconfigured("no Chromium is installed", advice="Run `apt-get install chromium`.")
    took: list[float] = []
    async with async_playwright() as playwright:
        flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else list(FLAGS)
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        page: Any = await browser.new_page()
        await page.goto(link)
        await page.get_by_role("button", name="Sign in").click()
        await page.locator("message-composer").wait_for()  # the sample project's first page
        message = page.get_by_label("Message to Joule")
        for turn in range(messages + 1):
            await message.fill("What can you do?")
            watching = asyncio.create_task(page.evaluate(WATCH))
            await asyncio.sleep(0.2)  # the page is listening by then
            await message.press("Enter")
            took.append(await asyncio.wait_for(watching, 30))
            await page.locator(".ended").nth(turn).wait_for()
            await page.locator("[data-running]").first.wait_for(state="detached")
        await browser.close()
    return took[1:]


def _weight(parent: int) -> list[int]:
    """Resident bytes of the supervisor and of every process under it, bar PostgreSQL's."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(") ", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    waiting, weights = [parent], []
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() == "postgres":
                continue
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:  # it ended meanwhile
            continue
        weights.append(pages * os.sysconf("SC_PAGE_SIZE"))
    return weights
