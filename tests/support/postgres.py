"""One embedded server per test run, and one fresh database per test, cloned from a migrated template."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from joule.database import migrate
from joule.database._bootstrap import extend
from joule.database.server import EmbeddedServer, ServerAddress

_PREFIX = "joule-tests-"
_DISK, _MEMORY = Path("/tmp"), Path("/dev/shm")
_ROOM = 4 << 30  # bytes that should be free in memory before a server is put there


def roomy_folder(parent: Path = _DISK) -> Path:
    """A new folder the server's user can reach, also when the tests run as root; short enough for a socket.

    Its name carries our process id, so that a later run can clear away what a killed run left.
    """
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))


def _quick_place() -> Path:
    """Memory where there is plenty: each test's database is some hundred files, made and thrown away."""
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    return _MEMORY if has_room and os.access(_MEMORY, os.W_OK | os.X_OK) else _DISK


@dataclass(frozen=True, kw_only=True)
class TestServer:
    """The run's server and its migrated template."""

    __test__ = False

    server: EmbeddedServer
    template: str

    def address(self, database: str) -> ServerAddress:
        at = self.server.address
        return ServerAddress(
            owner_url=make_conninfo(at.owner_url, dbname=database), app_url=make_conninfo(at.app_url, dbname=database)
        )

    def superuser_url(self, database: str = "postgres") -> str:
        """For tests that stand in for the operator, or for an attack's positive control."""
        return make_conninfo(self.server.address.owner_url, user="postgres", dbname=database)

    @contextmanager
    def clone(self, *, migrated: bool = True) -> Iterator[ServerAddress]:
        """A database of its own, gone afterwards whoever is still connected."""
        name = f"test_{next(_numbers)}"
        self._run(
            "CREATE DATABASE {} OWNER joule_owner TEMPLATE {} STRATEGY FILE_COPY",
            name,
            self.template if migrated else "template0",
        )
        if not migrated:
            extend(self.superuser_url(name))  # as the operator does
        try:
            yield self.address(name)
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.superuser_url(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


_numbers = count(1)


@contextmanager
def running_test_server() -> Iterator[TestServer]:
    clear_leftovers()
    home = roomy_folder(_quick_place())
    home.chmod(0o711)
    server = EmbeddedServer(home=home)
    try:
        server.start()
        migrate.upgrade(server.address.owner_url)
        found = TestServer(server=server, template="joule")
        _unhurried(found)
        yield found
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _unhurried(server: TestServer) -> None:
    """Let the disk lag behind: a test kills processes, which loses nothing by it, and never pulls the plug."""
    with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
        for setting in ("fsync = off", "full_page_writes = off", "max_wal_size = '128MB'"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")


def clear_leftovers() -> None:
    """Stops the servers of test runs that were killed, and removes their folders."""
    for home in chain(_DISK.glob(f"{_PREFIX}*"), _MEMORY.glob(f"{_PREFIX}*")):
        parent = home.name.removeprefix(_PREFIX).split("-")[0]
        with suppress(OSError):
            if home.stat().st_uid == os.geteuid() and parent.isdigit() and not Path(f"/proc/{parent}").exists():
                EmbeddedServer(home=home).reap()
                shutil.rmtree(home, ignore_errors=True)
