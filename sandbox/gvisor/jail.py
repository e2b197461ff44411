"""Starts gVisor: the guest's system calls are answered by a kernel in user space, which is shut in itself.

Bubblewrap runs `runsc` as a user nobody else is, with nothing of the host but programs. So whoever gets out of gVisor's
kernel stands where the code of the backend `local` stands, but for the filter on system calls: gVisor brings its own.
The guest has no privileges inside either, and its folders are memory of gVisor's kernel, not the host's.
"""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.contract import Boundary, SandboxSpec
from sandbox.errors import SandboxUnavailable
from sandbox.gvisor.watch import look
from sandbox.local import bwrap
from sandbox.local.bwrap import INSIDE_UID, SCRATCH, Interpreter
from sandbox.local.watchdog import Look

_INSTALL = "Install gVisor (apt-get install runsc, or a newer one from gvisor.dev), then run `joule sandbox probe`."
_PROGRAM = "/opt/joule/runsc"
_TREE = "/tree"  # what the guest sees as /
_NOT_KNOWN = frozenset({"MSGQUEUE"})  # limits that gVisor's kernel does not let anybody set
# The first process inside collects the processes that others leave behind, and ends when the guest does.
_FIRST = ("/bin/sh", "-c", 'exec 3<&0; "$@" <&3 3<&- & exec <&- 3<&-; wait', "first")


class Gvisor:
    """Implements `Jail`."""

    name = "gvisor"
    boundary = Boundary.GVISOR
    leads_out = False  # gVisor lets no socket of the host in

    def start(
        self, spec: SandboxSpec, *, connection: int, pack: Path | None, group: int | None
    ) -> "subprocess.Popen[bytes]":
        if spec.way_out is not None:
            raise SandboxUnavailable("gVisor has no way out", fix="Use the backend `local` for code that needs a host.")
        program, python = runsc(), bwrap.interpreter()
        contents = {
            "/bundle/config.json": json.dumps(bundle(spec, python, pack)).encode(),
            f"{_TREE}/etc/passwd": b"sandbox:x:1000:1000::/workspace:/bin/sh\n",
            f"{_TREE}/etc/group": b"sandbox:x:1000:\n",
            f"{_TREE}/opt/joule/agent.py": bwrap.guest(),
        }
        command = [_PROGRAM, "--root=/run/runsc", "--rootless", "--ignore-cgroups", "--network=none"]
        command += ["run", "--bundle=/bundle", "guest"]
        options = walls(program, python, pack)
        return bwrap.spawn(options, contents, None, command, connection=connection, as_input=True, group=group)

    def look(self, leader: int) -> Look:
        return look(leader)

    def why_not(self, said: str) -> SandboxUnavailable:
        if "bwrap:" in said:
            return bwrap.why_not(said)
        return SandboxUnavailable("gVisor ended at once", fix=f"See docs/sandbox.md for where it runs. {_INSTALL}")


@cache
def runsc() -> str:
    """The path of gVisor's program. Raises `SandboxUnavailable`."""
    found = shutil.which("runsc") or shutil.which("runsc", path="/usr/local/bin:/usr/bin:/bin")
    if found is None:
        raise SandboxUnavailable("gVisor is not installed", fix=_INSTALL)
    return str(Path(found).resolve())


def walls(program: str, python: Interpreter, pack: Path | None) -> list[str]:
    """Bubblewrap's options around gVisor, and the tree that the guest will see."""
    options = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    # Root of a namespace without anything in it: gVisor divides that further.
    options += ["--unshare-net", "--uid", "0", "--gid", "0", "--cap-add", "ALL", "--hostname", "sandbox"]
    options += ["--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr", "--ro-bind", program, _PROGRAM]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/run", "/tmp"):  # noqa: S108
        options += ["--size", str(2**22), "--tmpfs", folder]
    options += ["--perms", "0755", "--dir", _TREE, "--ro-bind", "/usr", f"{_TREE}/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        options += ["--symlink", f"usr/{name}", f"/{name}", "--symlink", f"usr/{name}", f"{_TREE}/{name}"]
    for folder in ("etc", "opt", "opt/joule", "proc", "dev", "tmp", "workspace"):
        options += ["--perms", "0755", "--dir", f"{_TREE}/{folder}"]
    for name in ("ld.so.cache", "localtime", "fonts", "alternatives"):
        options += ["--ro-bind-try", f"/etc/{name}", f"{_TREE}/etc/{name}"]
    if python.prefix is not None:
        for parent in reversed(Path(python.prefix).parents[:-1]):
            options += ["--perms", "0755", "--dir", f"{_TREE}{parent}"]
        options += ["--ro-bind", python.prefix, f"{_TREE}{python.prefix}"]
    if pack is not None:
        options += ["--ro-bind", str(pack), f"{_TREE}/opt/site"]
    return [*options, "--clearenv", "--setenv", "PATH", "/usr/bin:/bin"]


def bundle(spec: SandboxSpec, python: Interpreter, pack: Path | None) -> dict[str, Any]:
    """What gVisor is told to run, in the words of the Open Container Initiative."""
    limits = {name: value for name, value in bwrap.limits(spec).items() if name not in _NOT_KNOWN}
    folders = {**SCRATCH, "/workspace": spec.limits.disk_bytes}
    return {
        "ociVersion": "1.0.0",
        "root": {"path": _TREE, "readonly": True},
        "hostname": "sandbox",
        "process": {
            "user": {"uid": INSIDE_UID, "gid": INSIDE_UID},
            "args": [*_FIRST, *bwrap.serving(python, limits, connection=0, imports=bwrap.IMPORTS if pack else ())],
            "env": [f"{name}={value}" for name, value in bwrap.ENVIRONMENT.items()],
            "cwd": "/workspace",
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            *(
                {
                    "destination": folder,
                    "type": "tmpfs",
                    "source": "tmpfs",
                    "options": ["nosuid", "nodev", "mode=0777", f"size={size}"],
                }
                for folder, size in folders.items()
            ),
        ],
        "linux": {"namespaces": [{"type": each} for each in ("pid", "network", "ipc", "uts", "mount")]},
    }
