"""How long it takes until code runs in a sandbox, what one costs, and whether a file can be swapped under a reader."""

import asyncio
import os
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from joule.bench import _race
from joule.bench.report import Report
from joule.kernel.clock import SystemClock
from joule.kernel.settings import Settings
from sandbox.contract import Exited, Output, SandboxSpec
from sandbox.gvisor.jail import Gvisor
from sandbox.local import bwrap
from sandbox.local.backend import LocalBackend
from sandbox.local.session import LocalSandbox
from sandbox.pack import Packs

_PLAIN, _PANDAS = "print(1)", "import pandas; print(pandas.DataFrame({'a': [1, 2]}).sum().a)"
_SESSIONS = 20
_CONTENT = 16 * 2**20  # bytes of one file, to see how fast files come out


async def run(*, quick: bool, **_: object) -> Report:
    """Fewer of everything when `quick`. Figures of the data pack only where it is installed."""
    turns, opens = (15, 20_000) if quick else (60, 100_000)
    packs = Packs(Settings().packs)
    backend = LocalBackend(clock=SystemClock(), packs=packs)
    try:
        await _cold(backend)  # once, to have read what is read once
        cold, bare = [], []
        for _turn in range(turns):  # in turns, so that both meet the same machine
            cold.append(await _cold(backend))
            bare.append(await _milliseconds(_subprocess))
        figures = {
            "cold_p50_ms": statistics.median(cold),
            "cold_p95_ms": _p95(cold),
            "subprocess_p50_ms": statistics.median(bare),
        }
        async with _made(backend) as sandbox:
            figures["warm_p50_ms"] = await _warm(sandbox, _PLAIN, turns)
            figures["idle_mb"] = _proportional_mb(sandbox)
            figures["read_mb_per_s"] = await _reading(sandbox)
        if await asyncio.to_thread(packs.site) is not None:
            async with _made(backend, with_pack=True) as sandbox:
                figures["warm_pandas_p50_ms"] = await _warm(sandbox, _PANDAS, turns)
                figures["idle_pandas_mb"] = _proportional_mb(sandbox)
        figures["sessions_at_once"] = _SESSIONS
        figures["sessions_at_once_ms"] = await _milliseconds(lambda: _at_once(backend))
    finally:
        await backend.close()
    gvisor = await _behind_gvisor(max(turns // 5, 3))
    figures |= gvisor
    figures |= {"race_opens": opens, "race_leaks": await _race.leaks(opens, way="plain")}
    figures["race_leaks_naive"] = await _race.leaks(opens, way="naive")
    return Report(
        name="sandbox",
        figures=figures,
        targets={
            "cold_p50_ms": {"max": 50},
            "warm_p50_ms": {"max": 10},
            "warm_pandas_p50_ms": {"max": 25},
            "race_leaks": {"max": 0},
        },
        notes=(
            "from asking for a sandbox, or for a job in one that stands, to its first word, beside the same Python as a "
            "plain subprocess; memory as this process's share of what is shared"
            + ("" if "warm_pandas_p50_ms" in figures else "; the data pack is not installed")
            + ("" if gvisor else "; gVisor cannot be started here")
        ),
    )


@asynccontextmanager
async def _made(backend: LocalBackend, *, with_pack: bool = False) -> AsyncIterator[LocalSandbox]:
    sandbox = await backend.create(SandboxSpec(with_pack=with_pack), key=uuid4().hex)
    try:
        yield sandbox
    finally:
        await sandbox.kill()


async def _cold(backend: LocalBackend) -> float:
    """Milliseconds from asking for a sandbox to the first word of its first job."""
    began = time.perf_counter()
    async with _made(backend) as sandbox:
        return await _first_word(sandbox, _PLAIN, began)


async def _first_word(sandbox: LocalSandbox, code: str, began: float) -> float:
    took = None
    async for event in sandbox.run_python(code):
        if isinstance(event, Output):
            took = took or (time.perf_counter() - began) * 1000
        elif isinstance(event, Exited) and event.code == 0 and took is not None:
            return took
    raise RuntimeError("the measured job did not end well")


async def _warm(sandbox: LocalSandbox, code: str, turns: int) -> float:
    await _first_word(sandbox, code, time.perf_counter())
    return statistics.median([await _first_word(sandbox, code, time.perf_counter()) for _ in range(turns)])


async def _at_once(backend: LocalBackend) -> None:
    """So many sandboxes, each with a job, all at once."""
    await asyncio.gather(*(_cold(backend) for _ in range(_SESSIONS)))


async def _reading(sandbox: LocalSandbox) -> float:
    content = secrets.token_bytes(_CONTENT)
    await sandbox.write("large", content)
    began = time.perf_counter()
    same = await sandbox.read("large", limit=_CONTENT) == content
    took = time.perf_counter() - began
    if not same:
        raise RuntimeError("a file came out as another")
    return _CONTENT / 2**20 / took


def _proportional_mb(sandbox: LocalSandbox) -> float:
    """What all processes of a sandbox hold, shared pages by their share."""
    found, total = [sandbox._process.pid], 0
    for each in found:
        with open(f"/proc/{each}/task/{each}/children", encoding="ascii") as told:
            found += [int(child) for child in told.read().split()]
        with open(f"/proc/{each}/smaps_rollup", encoding="ascii") as told:
            total += next(int(line.split()[1]) for line in told if line.startswith("Pss:"))
    return total / 1024


async def _subprocess() -> None:
    await _ran([bwrap.interpreter().program, "-I", "-c", _PLAIN])


async def _behind_gvisor(turns: int) -> dict[str, float]:
    """The same behind gVisor, as the product starts it; nothing where it cannot be started."""
    backend = LocalBackend(clock=SystemClock(), jail=Gvisor())
    try:
        if not (await backend.probe()).ok:
            return {}
        cold = [await _cold(backend) for _ in range(turns)]
        async with _made(backend) as sandbox:
            return {
                "gvisor_cold_p50_ms": statistics.median(cold),
                "gvisor_warm_p50_ms": await _warm(sandbox, _PLAIN, turns),
            }
    finally:
        await backend.close()


async def _ran(command: Sequence[str]) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={"PATH": os.defpath})
    said, _ = await process.communicate()
    if said.strip() != b"1":
        raise RuntimeError(f"{os.path.basename(command[0])} did not run on {sys.platform}")


async def _milliseconds(doing: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await doing()
    return (time.perf_counter() - began) * 1000


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
