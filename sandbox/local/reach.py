"""Run by root before bubblewrap: makes folders of a private home reachable for the sandbox's own user, then becomes it.

`reach.py UID PROGRAM COUNT FOLDER… ARGUMENT…`: binds the folders, read only, to /run/joule/0, /run/joule/1 and so on,
in a mount namespace of its own that the host does not see. Standard library only; imports nothing of ours.
"""

import ctypes
import os
import sys

PLACE = "/run/joule"
_CLONE_NEWNS = 0x20000
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Never returns: it ends as bubblewrap, or with an error and nothing started."""
    uid, program, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    folders, arguments = sys.argv[4 : 4 + count], sys.argv[4 + count :]
    if _libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", "", _REC | _PRIVATE)
    opened = [os.open(each, os.O_PATH | os.O_CLOEXEC) for each in folders]  # before anything is mounted over them
    mount("tmpfs", "/run", "tmpfs", _NOSUID | _NODEV, "mode=755,size=64k")
    os.mkdir(PLACE, 0o755)
    for number, folder in enumerate(opened):
        place = f"{PLACE}/{number}"
        os.mkdir(place, 0o755)
        mount(f"/proc/self/fd/{folder}", place, "", _BIND | _REC)
        mount("none", place, "", _BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execve(program, ["bwrap", *arguments], {})  # noqa: S606


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")


if __name__ == "__main__":
    main()
