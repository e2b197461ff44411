"""Takes what a job left in its out folder: plain files with plain names, within limits; and says what is left behind.

The guest is believed in nothing: names are checked, sizes are counted while they come, kinds are found out by looking.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sandbox import paths
from sandbox.contract import Sandbox
from sandbox.errors import PathRefused, ProtocolBroken, QuotaExceeded, SandboxGone
from sandbox.results import RefusedFile

OUT = "out"
_BROKEN = "the sandbox answered nonsense and was ended"
MOST_TOLD = 20  # files of one run that are refused for what they are, each by name
MOST_LISTED = 1_000  # entries of the out folder that are looked at


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """How much may come out of one run."""

    file_bytes: int = 25 * 2**20
    files: int = 50
    bytes_together: int = 100 * 2**20


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file that came out. `name` is its path under the out folder."""

    name: str
    content: bytes = field(repr=False)


async def collected(sandbox: Sandbox, limits: RunLimits) -> AsyncIterator[Found | RefusedFile]:
    """One file after another, sorted by name. A sandbox that is gone has nothing more to give."""
    try:
        entries = await sandbox.listed(OUT, limit=MOST_LISTED, odd=True)
    except (SandboxGone, PathRefused):
        return
    except ProtocolBroken:
        yield RefusedFile(name=None, reason=_BROKEN)
        return
    files = together = 0
    seen: set[str] = set()
    odd = [each for each in entries if each.refused is not None]
    for entry in odd[:MOST_TOLD]:
        yield RefusedFile(name=paths.shown(entry.path.removeprefix(f"{OUT}/")), reason=entry.refused or paths.NO_NAME)
    if len(odd) > MOST_TOLD:
        yield RefusedFile(name=None, reason=f"{len(odd) - MOST_TOLD} more are no plain files with plain names")
    for entry in entries:
        if entry.refused is not None:
            continue
        name = _plain(entry.path)
        if name is None or name.casefold() in seen:
            yield RefusedFile(name=None, reason="its name cannot be kept")
            continue
        seen.add(name.casefold())
        if files >= limits.files:
            yield RefusedFile(name=name, reason=f"only {limits.files} files may come out of one run")
            continue
        room = min(limits.file_bytes, limits.bytes_together - together)
        if entry.size > room:
            yield RefusedFile(name=name, reason=_too_large(room, limits))
            continue
        try:
            content = await sandbox.read(entry.path, limit=room)
        except PathRefused:
            yield RefusedFile(name=name, reason="it is no plain file any more")
            continue
        except QuotaExceeded:
            yield RefusedFile(name=name, reason=_too_large(room, limits))
            continue
        except SandboxGone:
            yield RefusedFile(name=name, reason="the sandbox ended before it could be read")
            continue
        except ProtocolBroken:
            yield RefusedFile(name=name, reason=_BROKEN)
            continue
        files, together = files + 1, together + len(content)
        yield Found(name=name, content=content)
    if len(entries) >= MOST_LISTED:
        yield RefusedFile(name=None, reason=f"there are {MOST_LISTED} files or more; the rest was not looked at")


def _plain(path: str) -> str | None:
    """The name under the out folder, if it is one that can be kept."""
    folder, _, name = path.partition("/")
    if folder != OUT:
        return None
    try:
        return paths.checked(name)
    except PathRefused:
        return None


def _too_large(room: int, limits: RunLimits) -> str:
    if room == limits.file_bytes:
        return f"it is larger than {limits.file_bytes:,} bytes"
    return f"only {limits.bytes_together:,} bytes may come out of one run"
