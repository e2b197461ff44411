"""The data pack: packages that code in a sandbox may import, in a folder of their own that nothing changes.

Which packages, in which versions and with which hashes, is in `pack.lock`. The folder is named after that file and the
interpreter it fits, so a change of either asks for a new one. It is used only when every file in it is what it was when
it was installed: that finds damage, not somebody who may write as Joule's own user.
"""

import hashlib
import platform
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path

from sandbox.errors import PackDamaged

HASHES = "pack.sha256"
SITE = "site"
_CHUNK = 2**20  # bytes


@cache
def lock() -> str:
    """What is in the pack: requirements with hashes, as pip reads them."""
    return (files("sandbox") / "pack.lock").read_text(encoding="utf-8")


def name(locked: str) -> str:
    """What the folder of the pack that a lock describes is called, for this interpreter."""
    digest = hashlib.sha256(locked.encode()).hexdigest()[:32]
    return f"{digest}-cp{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}"


class Packs:
    """A folder with packs, as a process uses it: each pack is looked through once."""

    def __init__(self, folder: Path, *, locked: str | None = None) -> None:
        """`locked`: what the pack shall hold, in place of our own lock."""
        self.lock = lock() if locked is None else locked
        self.folder = folder / name(self.lock)
        self._sound = False

    @property
    def is_installed(self) -> bool:
        return self.folder.is_dir()

    def site(self) -> Path | None:
        """The folder a sandbox may import from; None when no pack is installed. Raises `PackDamaged`.

        The first time it reads the whole pack, which takes a second: call it in a thread.
        """
        if not self.is_installed:
            self._sound = False
            return None
        if not self._sound:
            if listed(self.folder / SITE) != _recorded(self.folder):
                raise PackDamaged()
            self._sound = True
        return self.folder / SITE


def listed(folder: Path) -> str:
    """Every file below `folder` with its SHA-256, sorted. Raises `PackDamaged` for what is no plain file or folder."""
    lines = []
    for each in sorted(folder.rglob("*")):
        if each.is_symlink() or not (each.is_file() or each.is_dir()):
            raise PackDamaged()
        if each.is_file():
            lines.append(f"{_sha256(each)}  {each.relative_to(folder)}\n")
    return "".join(lines)


def _recorded(folder: Path) -> str:
    try:
        return (folder / HASHES).read_text(encoding="utf-8")
    except OSError as problem:
        raise PackDamaged() from problem


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as opened:
        while part := opened.read(_CHUNK):
            found.update(part)
    return found.hexdigest()
