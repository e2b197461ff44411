"""Starts bubblewrap: which program, as which user, with which walls.

Three things here are the boundary. Started by root, the kernel's user is dropped before bubblewrap runs: user namespaces
alone leave /proc/sys of the host writable for root. Nothing of our environment, arguments or files goes in: options
travel by file descriptor, and every other descriptor is closed. And what is not bound is not there.
"""

import json
import os
import platform
import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from sandbox.contract import SandboxSpec
from sandbox.errors import SandboxUnavailable
from sandbox.local import reach
from sandbox.local.seccomp import program

OLDEST = (0, 8)  # the first that can close the door to further user namespaces behind itself
INSIDE_UID = 1000
OUTSIDE = "/opt/outside"  # what code finds the way out with, if there is one
_LINE = "/run/outside"
_FIRST_UID, _UIDS = 61_184, 4_000  # systemd's range for users that exist only while something runs
_PASSWD = b"sandbox:x:1000:1000::/workspace:/bin/sh\n"
_GROUP = b"sandbox:x:1000:\n"
SCRATCH = {"/dev/shm": 32 * 2**20, "/tmp": 64 * 2**20}  # bytes  # noqa: S108
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/workspace",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": "/opt/site",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp/mpl",  # noqa: S108
    "OPENBLAS_NUM_THREADS": "1",
}
_ADDRESS_SPACE = 3  # times the memory a sandbox may use: programs reserve more than they touch
_INSTALL = "Install bubblewrap 0.8 or newer (apt-get install bubblewrap), then run `joule sandbox probe`."
IMPORTS: tuple[str, ...] = (
    "numpy",
    "pandas",
    "matplotlib",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "openpyxl",
    "PIL.Image",
)


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The guest's Python: a program below /usr, or a folder that is bound at its own path."""

    program: str
    prefix: str | None  # None: /usr is there anyway


def start(spec: SandboxSpec, *, connection: int, pack: Path | None, group: int | None) -> "subprocess.Popen[bytes]":
    """Start a sandbox whose guest serves on the socket `connection`. Raises `SandboxUnavailable`.

    The process is the first of its own group, and everything in the sandbox dies with it.
    """
    python = interpreter()
    contents = {
        "/etc/passwd": _PASSWD,
        "/etc/group": _GROUP,
        "/opt/joule/agent.py": guest(),
    }
    imports = [] if pack is None else [*IMPORTS]
    if spec.way_out is not None:
        contents[f"{OUTSIDE}/outside.py"] = (files("sandbox.egress.guest") / "outside.py").read_bytes()
        imports.append("outside")
    command = serving(python, limits(spec), connection=connection, imports=imports)
    seccomp, options = program(platform.machine()), walls(spec, python, pack)
    return spawn(options, contents, seccomp, command, connection=connection, group=group)


def spawn(
    options: Sequence[str],
    contents: Mapping[str, bytes],
    seccomp: bytes | None,
    command: Sequence[str],
    *,
    connection: int,
    as_input: bool = False,
    group: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Run `command` within `options`, with files of these `contents` and that filter. Raises `SandboxUnavailable`.

    `connection` is handed down under its own number, or `as_input` as the standard input. Without `seccomp` nothing is
    filtered here: for what brings a filter of its own. All of it is born into the control group `group`, if any.
    """
    given: list[int] = []

    def handed(content: bytes) -> str:
        handle = os.memfd_create("joule")
        given.append(handle)
        os.write(handle, content)
        os.lseek(handle, 0, os.SEEK_SET)
        return str(handle)

    identity = unused_user()
    hidden = [] if identity is None else _hidden(options)
    options = _through(options, hidden)
    last = [part for path, content in contents.items() for part in ("--file", handed(content), path)]
    last += ["--remount-ro", "/", *(() if seccomp is None else ("--seccomp", handed(seccomp)))]
    arguments = handed(b"".join(each.encode() + b"\0" for each in (*options, *last)))
    command = ["--args", arguments, "--", *command]
    executable, first, drops = bubblewrap(), ["bwrap"], identity
    if hidden:  # then it is the one in between who drops the user
        executable, drops = sys.executable, None
        first = [sys.executable, "-I", "-S", reach.__file__, str(identity), bubblewrap(), str(len(hidden)), *hidden]
    try:
        return subprocess.Popen(
            [*first, *command],
            executable=executable,
            stdin=connection if as_input else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={},
            pass_fds=given if as_input else [connection, *given],
            start_new_session=True,
            user=drops,
            group=drops,
            extra_groups=None if drops is None else [],
            preexec_fn=None if group is None else lambda: os.write(group, b"0"),
        )
    except OSError as problem:
        raise SandboxUnavailable(f"bubblewrap did not start: {problem.strerror}", fix=_INSTALL) from problem
    finally:
        for handle in given:
            os.close(handle)


def _hidden(options: Sequence[str]) -> list[str]:
    """The folders to bind that only root can reach, such as those in its home."""
    sources = [each for before, each in pairwise(options) if before == "--ro-bind"]
    return [each for each in sources if not _is_open(Path(each).resolve())]


def _is_open(path: Path) -> bool:
    try:
        return path.stat().st_mode & 0o005 == 0o005 and all(each.stat().st_mode & 0o001 for each in path.parents)
    except OSError:
        return True  # bubblewrap will say what is wrong with it


def _through(options: Sequence[str], hidden: Sequence[str]) -> list[str]:
    """The options with hidden folders taken from where they can be reached."""
    places = {each: f"{reach.PLACE}/{number}" for number, each in enumerate(hidden)}
    return [places.get(each, each) if before == "--ro-bind" else each for before, each in pairwise(["", *options])]


def why_not(said: str) -> SandboxUnavailable:
    """What bubblewrap's last words mean, and what to do about them."""
    if "Creating new namespace failed" in said or "No permissions to create" in said or "uid map" in said:
        return SandboxUnavailable(
            "this system lets no program make user namespaces",
            fix=(
                "On Ubuntu install bubblewrap from the distribution and allow it with an AppArmor profile; in Docker start "
                "the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined. The words for "
                "both are in docs/sandbox.md. Then run `joule sandbox probe`."
            ),
        )
    if "RTM_NEWADDR" in said or "loopback" in said:
        return SandboxUnavailable(
            "this system lets no program make a network of its own",
            fix="Allow network namespaces for ordinary users, then run `joule sandbox probe`.",
        )
    return SandboxUnavailable("bubblewrap ended at once", fix=_INSTALL)


@cache
def bubblewrap() -> str:
    """The path of a bubblewrap that is new enough: the system's, whose permissions a distribution has set up."""
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if found is None:
        raise SandboxUnavailable("bubblewrap is not installed", fix=_INSTALL)
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, env={}).stdout
    numbers = tuple(int(part) for part in said.rpartition(" ")[2].split(".") if part.strip().isdecimal())
    if numbers < OLDEST:
        raise SandboxUnavailable("this bubblewrap is too old", fix=_INSTALL)
    return found


@cache
def interpreter() -> Interpreter:
    """A Python of our own version, so that the pack fits: the system's, else ours."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if os.access(system := f"/usr/bin/{version}", os.X_OK):
        return Interpreter(program=system, prefix=None)
    prefix = Path(sys.base_prefix).resolve()
    ours = prefix / "bin" / version
    if prefix.is_relative_to("/usr"):
        return Interpreter(program=str(ours), prefix=None)
    if os.access(ours, os.X_OK):
        return Interpreter(program=str(ours), prefix=str(prefix))
    raise SandboxUnavailable(
        f"there is no {version} to run code with",
        fix=f"Install {version} for everybody (apt-get install {version}).",
    )


@cache
def guest() -> bytes:
    """The program that serves inside."""
    return (files("sandbox.local.guest") / "agent.py").read_bytes()


def walls(spec: SandboxSpec, python: Interpreter, pack: Path | None) -> list[str]:
    """Bubblewrap's options: new namespaces of every kind, and nothing of the host but programs, read only."""
    options = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    options += [
        "--unshare-net",
        *("--disable-userns", "--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID), "--hostname", "sandbox"),
    ]
    options += ["--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        options += ["--symlink", f"usr/{name}", f"/{name}"]
    for name in ("ld.so.cache", "localtime", "fonts", "alternatives"):
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for folder, size in (*SCRATCH.items(), ("/workspace", spec.limits.disk_bytes)):
        options += ["--size", str(size), "--tmpfs", folder]
    if python.prefix is not None:
        options += ["--ro-bind", python.prefix, python.prefix]
    if pack is not None:
        options += ["--ro-bind", str(pack), "/opt/site"]
    if spec.way_out is not None:
        options += ["--ro-bind", str(spec.way_out), _LINE]
    options += ["--clearenv"]
    for name, value in ENVIRONMENT.items():
        options += ["--setenv", name, value]
    if spec.way_out is not None:
        options += ["--setenv", "PYTHONPATH", f"{ENVIRONMENT['PYTHONPATH']}:{OUTSIDE}"]
    return [*options, "--chdir", "/workspace"]


def serving(python: Interpreter, most: Mapping[str, int], *, connection: int, imports: Sequence[str]) -> list[str]:
    """What runs the guest, for a connection of this number. It loads `imports`, if any, before the first job."""
    settings = json.dumps({"limits": most, "pack": bool(imports), "imports": imports})
    return [python.program, "-I", "-X", "utf8", "/opt/joule/agent.py", str(connection), settings]


def limits(spec: SandboxSpec) -> dict[str, int]:
    """What the guest sets for itself before it runs anything. Set out here they would count our own processes too."""
    return {
        "AS": spec.limits.memory_bytes * _ADDRESS_SPACE,
        "NPROC": spec.limits.processes,
        "FSIZE": spec.limits.file_bytes,
        "NOFILE": 256,
        "CORE": 1,  # 0 would still hand a dump to a handler of the host; 1 is the kernel's word for none at all
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
    }


def unused_user() -> int | None:
    """A user nobody else is, for a sandbox started by root; None when we are no root, and have nothing to drop."""
    if os.geteuid() != 0:
        return None
    taken = _running_users()
    for _ in range(64):
        chosen = _FIRST_UID + secrets.randbelow(_UIDS)
        if chosen not in taken and not _is_known(chosen):
            return chosen
    raise SandboxUnavailable("no unused user id was found", fix="End some of the running sandboxes.")


def _is_known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _running_users() -> set[int]:
    found = set()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                found.add(os.stat(f"/proc/{name}").st_uid)
            except OSError:
                continue
    return found
