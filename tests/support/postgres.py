"""One embedded server per test run, and one fresh database per test, cloned from a migrated template."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from joule.database import migrate
from joule.database._bootstrap import extend
from joule.database.server import EmbeddedServer, ServerAddress

_PREFIX = "joule-tests-"


def roomy_folder() -> Path:
    """A new folder the server's user can reach, also when the tests run as root; short enough for a socket.

    Its name carries our process id, so that a later run can clear away what a killed run left.
    """
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir="/tmp"))


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
        self._run("CREATE DATABASE {} OWNER joule_owner TEMPLATE {}", name, self.template if migrated else "template0")
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
    home = roomy_folder()
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
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


def clear_leftovers() -> None:
    """Stops the servers of test runs that were killed, and removes their folders."""
    for home in Path("/tmp").glob(f"{_PREFIX}*"):
        parent = home.name.removeprefix(_PREFIX).split("-")[0]
        with suppress(OSError):
            if home.stat().st_uid == os.geteuid() and parent.isdigit() and not Path(f"/proc/{parent}").exists():
                EmbeddedServer(home=home).reap()
                shutil.rmtree(home, ignore_errors=True)
