"""Where the embedded server's files lie, whom they belong to, and who may log in.

As root the server runs as a system user of its own, because PostgreSQL refuses to run as root. No folder that already
exists ever changes its mode here: what the server's user cannot reach is refused.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joule.database._binaries import Binaries, traversable
from joule.database.errors import ServerTrouble

SERVER_USER = "joule_postgres"
SUPERUSER = "postgres"
OWNER = "joule_owner"
APPLICATION = "joule_app"
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 107  # bytes; the kernel's field is 108 with the closing zero


@dataclass(frozen=True, kw_only=True)
class ServerUser:
    """The operating-system user the server runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_ourselves(self) -> bool:
        return self.uid == os.geteuid()


def server_user() -> ServerUser:
    """Ourselves, or as root a system user made for the server alone."""
    if os.geteuid() != 0:
        return _user(_our_name())
    try:
        return _user(SERVER_USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    try:
        subprocess.run(  # noqa: S603 - no shell, fixed words
            [*command, "--shell", "/usr/sbin/nologin", SERVER_USER], check=True, capture_output=True, timeout=30
        )
        return _user(SERVER_USER)
    except (OSError, subprocess.SubprocessError, KeyError) as problem:
        raise ServerTrouble(
            f"the system user {SERVER_USER} cannot be made",
            advice=f"Make a system user {SERVER_USER}, or run Joule as an ordinary user.",
        ) from problem


def refuse_unsafe_home(home: Path, *, uid: int) -> None:
    """For root, a home folder inside somebody's home is refused: the server's user could only be let in by opening it."""
    if uid != 0:
        return
    for entry in pwd.getpwall():
        theirs = Path(entry.pw_dir)
        belongs_to_a_person = entry.pw_uid == 0 or 1000 <= entry.pw_uid < 65534
        if belongs_to_a_person and theirs != Path("/") and home.is_relative_to(theirs.resolve()):
            raise ServerTrouble(
                f"as root, the embedded database may not live inside {theirs}",
                advice="Set JOULE_HOME to a folder of its own, such as /var/lib/joule, or run Joule as that user.",
            )


def prepare_home(home: Path, user: ServerUser) -> None:
    """Makes the home folder if it is missing. Raises `ServerTrouble` when the server's user cannot pass through it."""
    if not home.exists():
        home.mkdir(mode=0o711, parents=True)
        home.chmod(0o711)
    if not user.is_ourselves and not traversable(home):
        raise ServerTrouble(
            "the server's user cannot reach the home folder",
            advice=f"Let others pass through {home} and the folders above it (chmod o+x), or choose another JOULE_HOME.",
        )


def make_cluster(binaries: Binaries, user: ServerUser, data: Path) -> None:
    """Makes the data folder if it is missing: whole or not at all, even when the machine stops half way."""
    if data.exists():
        return
    making = data.with_name(f".{data.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if not user.is_ourselves:
        os.chown(making, user.uid, user.gid)
    # The built-in locale sorts alike on every machine, so that no index is broken by an upgrade of the C library.
    command = [binaries.program("initdb"), "--pgdata", str(making), "--username", SUPERUSER, "--encoding", "UTF8"]
    command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
    command += ["--auth-local", "peer", "--auth-host", "reject", "--data-checksums", "--no-instructions"]
    try:
        subprocess.run(  # noqa: S603 - no shell, fixed words
            command, check=True, capture_output=True, text=True, timeout=300, cwd="/", **as_user(user)
        )
    except subprocess.CalledProcessError as problem:
        last = (problem.stderr or "").strip().splitlines()[-1:]
        raise ServerTrouble(
            "the embedded database cannot be made: " + "".join(last), advice="Check the disk and the home folder."
        ) from problem
    making.rename(data)


def write_login_rules(data: Path, user: ServerUser) -> None:
    """Only processes of Joule's own operating-system user may log in, and only through the socket."""
    _put(data / "pg_hba.conf", "local all all peer map=joule\n", user)
    names = {_our_name(), user.name}
    roles = (SUPERUSER, OWNER, APPLICATION)
    _put(data / "pg_ident.conf", "".join(f"joule {name} {role}\n" for name in sorted(names) for role in roles), user)


def socket_folder(data: Path, user: ServerUser) -> Path:
    """The data folder itself; when its path is too long for a socket, a private folder with a short one."""
    if len(os.fsencode(data / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        return data
    short = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"joule-{short}"
    try:
        folder.mkdir(mode=0o700)
        if not user.is_ourselves:
            os.chown(folder, user.uid, user.gid)
    except FileExistsError:
        pass
    found = folder.lstat()
    if found.st_uid != user.uid or found.st_mode != 0o040700:  # a folder, not a link, and private
        raise ServerTrouble(
            "the folder for the server's socket belongs to somebody else",
            advice=f"Remove {folder}, or choose a JOULE_HOME with a shorter path.",
        )
    return folder


def as_user(user: ServerUser) -> dict[str, Any]:
    """What `subprocess` needs to run a program as `user`, with none of our environment."""
    bare: dict[str, Any] = {"env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}}
    if not user.is_ourselves:
        bare |= {"user": user.uid, "group": user.gid, "extra_groups": []}
    return bare


def _put(path: Path, text: str, user: ServerUser) -> None:
    path.write_text(text)
    path.chmod(0o600)
    if not user.is_ourselves:
        os.chown(path, user.uid, user.gid)


def _our_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as problem:
        raise ServerTrouble(
            "the embedded database needs a user with a name, and this one has only a number",
            advice="Run Joule as a user in /etc/passwd, or name a server with JOULE_DATABASE_URL.",
        ) from problem


def _user(name: str) -> ServerUser:
    entry = pwd.getpwnam(name)
    return ServerUser(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
