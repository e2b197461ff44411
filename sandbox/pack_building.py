"""Makes the data pack: fetches wheels by hash, unpacks and compiles them, tries them in a sandbox, then publishes them.

Until its last step, a rename, nothing can see the new pack. What was fetched stays until then, so a start after an
interruption goes on where it was. Nothing of a package runs out here: only wheels are taken, and what has to be run to
prepare them runs in a sandbox.
"""

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from joule.kernel.clock import Clock
from sandbox.contract import Exited, SandboxSpec
from sandbox.errors import PackDamaged, PackNotMade, SandboxUnavailable
from sandbox.local.backend import LocalBackend
from sandbox.pack import HASHES, SITE, Packs, listed

Say = Callable[[str], None]
INSIDE = "/opt/site"
FONTS = "joule-fonts"
_LEFT_OUT = ("bin", "share")  # programs that name our own interpreter, and manuals
_ENVIRONMENT = re.compile(r"PATH|HOME|TMPDIR|LANG|XDG_.*|PIP_.*|SSL_.*|REQUESTS_CA_BUNDLE|.*_proxy|.*_PROXY")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_FONT_LIST, _FONT_LIST_BYTES = re.compile(r"fonts/(fontlist-v[0-9.]{1,20}\.json)"), 16 * 2**20
_AGAIN = "Run `joule sandbox install-pack` again; what was fetched is kept."
# Listing every font takes a second: the list is made once, here, as it looks from inside.
_LIST_FONTS = """
import os, shutil
try:
    import matplotlib.font_manager
except ModuleNotFoundError:
    pass
else:
    shutil.copytree(os.environ["MPLCONFIGDIR"], "fonts")
"""


async def install(packs: Packs, *, clock: Clock, say: Say) -> bool:
    """Install the pack unless it is there and sound; whether that was needed.

    Raises `PackNotMade` when it could not be fetched or made, `SandboxUnavailable` where it would be of no use.
    """
    await asyncio.to_thread(_make, packs.folder.parent)
    async with _alone(packs.folder.parent):
        try:
            if await asyncio.to_thread(packs.site) is not None:
                return False
        except PackDamaged:
            say("The installed data pack is damaged; making it anew")
            await asyncio.to_thread(_remove, packs.folder)
        probe = await LocalBackend(clock=clock).probe()
        if not probe.ok:
            raise SandboxUnavailable(probe.reason, fix=probe.fix)
        wheels = packs.folder.parent / f".fetched-{packs.folder.name}"
        making = packs.folder.parent / f".making-{packs.folder.name}"
        await _fetch(packs.lock, wheels, say)
        await asyncio.to_thread(_remove, making)
        await _unpack(packs.lock, wheels, making / SITE, say)
        say("Compiling")
        await _compile(making / SITE)
        say("Trying it in a sandbox")
        await _keep_fonts(making / SITE, clock)
        await asyncio.to_thread(_publish, making, packs.folder)
        await asyncio.to_thread(_remove, wheels)
        return True


def requirements(locked: str) -> Iterator[str]:
    """The requirements of a lock, one by one, each with its hashes."""
    lines: list[str] = []
    for line in locked.splitlines():
        if line.strip().startswith("#") or not line.strip():
            continue
        if not line[0].isspace() and lines:
            yield "\n".join(lines) + "\n"
            lines = []
        lines.append(line.rstrip())
    if lines:
        yield "\n".join(lines) + "\n"


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Keep a second installation out. The kernel lets go of it for us, however this one ends."""
    with (folder / ".installing").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PackNotMade(
                "it is being installed already", advice="Wait for the other installation; `joule doctor` shows its end."
            ) from None
        yield


async def _fetch(locked: str, wheels: Path, say: Say) -> None:
    await asyncio.to_thread(_make, wheels)
    wanted = list(requirements(locked))
    for number, requirement in enumerate(wanted, start=1):
        title = requirement.partition(" ")[0]
        if await asyncio.to_thread(_is_fetched, requirement, wheels):
            continue
        say(f"Fetching {number} of {len(wanted)}: {title}")
        await _pip(
            ["download", "--no-deps", "--dest", str(wheels)], requirement, wheels / "asked.txt", f"{title} not fetched"
        )


def _is_fetched(requirement: str, wheels: Path) -> bool:
    hashes = set(_HASH.findall(requirement))
    return any(hashlib.sha256(each.read_bytes()).hexdigest() in hashes for each in wheels.glob("*.whl"))


async def _unpack(locked: str, wheels: Path, site: Path, say: Say) -> None:
    say("Unpacking")
    await asyncio.to_thread(_make, site)
    options = ["install", "--no-deps", "--no-index", "-f", str(wheels), "--no-compile", "--target", str(site)]
    await _pip(options, locked, wheels / "asked.txt", "not unpacked")
    for name in _LEFT_OUT:
        await asyncio.to_thread(_remove, site / name)


async def _pip(options: Sequence[str], requirements: str, file: Path, problem: str) -> None:
    await asyncio.to_thread(file.write_text, requirements, "utf-8")
    told = ["--quiet", "--require-hashes", "--only-binary=:all:", "--requirement", str(file), *options[1:]]
    await _python(["pip", "--disable-pip-version-check", "--no-input", options[0], *told], problem)


async def _compile(site: Path) -> None:
    """Byte code that is never compared with its source: neither of them changes any more."""
    options = ["-q", "-s", str(site), "-p", INSIDE, "--invalidation-mode", "unchecked-hash", str(site)]
    await _python(["compileall", *options], "not compiled", may_fail=True)  # templates that are no Python yet


async def _python(arguments: Sequence[str], problem: str, *, may_fail: bool = False) -> None:
    """Run a module. It is given what finds a package index, and nothing else of our environment."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-I", "-m", *arguments],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if _ENVIRONMENT.fullmatch(name)},
        start_new_session=True,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0 and not may_fail:
        raise PackNotMade(problem, advice=_advice(said.decode(errors="replace")))


def _advice(said: str) -> str:
    if "DO NOT MATCH THE HASHES" in said:
        return "The package index gave something else than what was locked: do not use that index."
    if "No module named pip" in said:
        return "Install pip beside Joule, then run `joule sandbox install-pack` again."
    if "No space left" in said:
        return f"Free 1 GiB of disk. {_AGAIN}"
    return f"See that `pip download numpy` works on this machine. {_AGAIN}"


async def _keep_fonts(site: Path, clock: Clock) -> None:
    """Import what needs it in a sandbox, and keep the list of fonts that is made by it."""
    backend = LocalBackend(clock=clock, pack=site)
    sandbox = await backend.create(SandboxSpec(with_pack=True), key="pack")
    try:
        ended = [each async for each in sandbox.run_python(_LIST_FONTS) if isinstance(each, Exited)]
        if ended[-1].code != 0:
            raise PackNotMade("it does not run in a sandbox", advice="Run `joule sandbox probe`.")
        for entry in await sandbox.listed():
            if found := _FONT_LIST.fullmatch(entry.path):
                (site / FONTS).mkdir(exist_ok=True)
                (site / FONTS / found[1]).write_bytes(await sandbox.read(entry.path, limit=_FONT_LIST_BYTES))
    finally:
        await backend.close()


def _publish(making: Path, folder: Path) -> None:
    (making / HASHES).write_text(listed(making / SITE), encoding="utf-8")
    for each in (making, *making.rglob("*")):
        program = each.is_dir() or each.stat().st_mode & stat.S_IXUSR
        each.chmod(0o555 if program else 0o444)
    making.rename(folder)


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)


def _remove(folder: Path) -> None:
    if not folder.exists():
        return
    for each in (folder, *folder.rglob("*")):
        if each.is_dir() and not each.is_symlink():
            each.chmod(0o755)
    shutil.rmtree(folder)
