"""Opens a file a hundred thousand times while somebody keeps swapping it, and its folder, for links to a secret."""

import asyncio
import json
import os
from typing import Literal

from sandbox.local import bwrap

_PATIENCE = 300.0  # seconds: an end, not a measure
_CODE = """
import json, os, signal, stat, sys, tempfile
asked = json.loads(sys.argv[1])
guest = {"__name__": "guest"}
exec(compile(asked["guest"], "guest", "exec"), guest)

def naive(path):
    if os.path.islink(path) or os.path.islink(os.path.dirname(path) or "."):
        raise OSError("a link")
    os.sched_yield()  # as if anything else had been done in between: also on a busy machine
    return os.open(path, os.O_RDONLY)

def swap():
    while True:
        for name, plain, link in (("file", "file-plain", "file-link"), ("folder", "folder-plain", "folder-link")):
            os.rename(name, plain)
            os.rename(link, name)
            os.rename(name, link)
            os.rename(plain, name)

with tempfile.TemporaryDirectory(prefix="joule-race-") as top:
    os.makedirs(f"{top}/outside")
    open(f"{top}/outside/file", "w").write("secret")
    os.makedirs(f"{top}/inside/folder")
    os.chdir(f"{top}/inside")
    for path in ("file", "folder/file"):
        open(path, "w").write("plain")
    os.symlink(f"{top}/outside/file", "file-link")
    os.symlink(f"{top}/outside", "folder-link")
    swapping = os.fork()
    if swapping == 0:
        swap()
    opened = (lambda path: guest["opened"](path, os.O_RDONLY)) if asked["way"] == "plain" else naive
    leaks = read = 0
    for turn in range(asked["opens"]):
        try:
            found = opened("folder/file" if turn % 2 else "file")
        except OSError:
            continue
        try:
            read += 1
            leaks += os.read(found, 6) == b"secret"
        finally:
            os.close(found)
        if leaks and asked["until_first"]:
            break
    os.kill(swapping, signal.SIGKILL)
    os.waitpid(swapping, 0)
    os.chdir("/")
print(json.dumps({"leaks": leaks, "read": read}))
"""


async def leaks(opens: int, *, way: Literal["plain", "naive"], until_first: bool = False) -> int:
    """How many of so many opens gave the secret: as the guest opens files, or looking first and opening then.

    Raises `ValueError` when the race was none, because no open ever succeeded.
    """
    asked = {"guest": bwrap.guest().decode(), "way": way, "opens": opens, "until_first": until_first}
    process = await asyncio.create_subprocess_exec(
        bwrap.interpreter().program,
        *("-I", "-c", _CODE, json.dumps(asked)),
        stdout=asyncio.subprocess.PIPE,
        env={"TMPDIR": os.environ.get("TMPDIR", "/tmp")},  # noqa: S108
    )
    async with asyncio.timeout(_PATIENCE):
        said, _ = await process.communicate()
    told = json.loads(said)
    if not told["read"]:
        raise ValueError("no open succeeded")
    return int(told["leaks"])
