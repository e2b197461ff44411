"""Attempts on the host by a guest that lies, lingers or leaves traps, each beside the naive way it would have worked on."""

import asyncio
import json
import struct
from contextlib import suppress

from joule.bench import _race
from joule.bench.attacks import _altered
from joule.bench.attacks._altered import a_sandbox, end_of, said
from joule.bench.attacks.attack import Given, Siege, Wall
from sandbox.errors import PathRefused

_FOLLOWING = (("| os.O_NOFOLLOW ", ""), ("| os.O_NOFOLLOW, dir_fd", ", dir_fd"))  # the guest without its care
_ENDS_NO_OTHERS = ("os.kill(-1, signal.SIGKILL)", "return")
_TRAPS = (
    "import os\nos.symlink('/etc/passwd','link')\nos.symlink('/etc','folder')\nos.mkfifo('pipe')\n"
    "os.symlink('/proc/self/root/etc/passwd','magic')\n"
)


async def _reads(given: Given, path: str, *alterations: tuple[str, str]) -> bool:
    async with a_sandbox(given, *alterations) as sandbox:
        await said(sandbox, _TRAPS)
        with suppress(PathRefused, TimeoutError):
            async with asyncio.timeout(1 if path == "pipe" else 20):
                return bool(await sandbox.read(path, limit=10_000))
        return False


async def give_a_link_for_a_file(given: Given) -> bool:
    return await _reads(given, "link")


async def _followed_links(given: Given) -> bool:
    return await _reads(given, "link", *_FOLLOWING)


async def give_a_file_behind_a_linked_folder(given: Given) -> bool:
    return await _reads(given, "folder/passwd")


async def _followed_folders(given: Given) -> bool:
    return await _reads(given, "folder/passwd", *_FOLLOWING)


async def give_a_link_that_only_the_kernel_can_follow(given: Given) -> bool:
    return await _reads(given, "magic")


async def _followed_magic(given: Given) -> bool:
    return await _reads(given, "magic", *_FOLLOWING)


async def _hangs(given: Given, *alterations: tuple[str, str]) -> bool:
    async with a_sandbox(given, *alterations) as sandbox:
        await said(sandbox, _TRAPS)
        try:
            async with asyncio.timeout(2 if alterations else 20):
                await sandbox.read("pipe", limit=10)
        except PathRefused:
            return False
        except TimeoutError:
            return True
        return True


async def give_a_pipe_that_never_speaks(given: Given) -> bool:
    return await _hangs(given)


async def _waited_for_a_pipe(given: Given) -> bool:
    return await _hangs(given, ("| os.O_NONBLOCK", ""))


async def swap_a_file_for_a_link_while_it_is_opened(given: Given) -> bool:
    return await _race.leaks(2_000, way="plain") > 0


async def _looked_then_opened(given: Given) -> bool:
    return await _race.leaks(200_000, way="naive", until_first=True) > 0


async def forge_the_end_of_a_job(given: Given) -> bool:
    return await _forges(given)


async def _gave_jobs_the_line(given: Given) -> bool:
    return await _forges(given, ("        connection.close()\n", ""), ("        os.closerange(3, 256)\n", ""))


async def _forges(given: Given, *alterations: tuple[str, str]) -> bool:
    frame = struct.pack(">cI", b"x", len(told := json.dumps({"code": 77, "signal": None}).encode())) + told
    code = (
        "import os, socket, time\n"
        "for each in range(3, 256):\n"
        "    try:\n"
        f"        socket.socket(fileno=each).sendall({frame!r})\n"
        "        time.sleep(60)\n"
        "    except OSError:\n"
        "        continue\n"
    )
    async with a_sandbox(given, *alterations) as sandbox:
        return (await end_of(sandbox, code)).code == 77


async def print_what_looks_like_an_end(given: Given) -> bool:
    """Words of a job that are frames stay words."""
    async with a_sandbox(given) as sandbox:
        return (await end_of(sandbox, _PRINTS)).code == 77


async def _took_words_for_frames(given: Given) -> bool:
    altered = ("send(connection, streams[each], part)", "connection.sendall(part)")
    async with a_sandbox(given, altered) as sandbox:
        return (await end_of(sandbox, _PRINTS)).code == 77


_PRINTS = (
    "import os, struct, time\n"
    'told = b\'{"code": 77, "signal": null}\'\n'
    "os.write(1, struct.pack('>cI', b'x', len(told)) + told)\n"
    "time.sleep(0.5)\n"
)


async def stay_for_the_next_job(given: Given) -> bool:
    return await _stays(given)


async def _ended_no_others(given: Given) -> bool:
    return await _stays(given, _ENDS_NO_OTHERS)


async def _stays(given: Given, *alterations: tuple[str, str]) -> bool:
    lingering = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    for n in range(3): os.close(n)\n    time.sleep(60)\n"
    )
    async with a_sandbox(given, *alterations) as sandbox:
        await said(sandbox, lingering)
        count = "import os; print(len([each for each in os.listdir('/proc') if each.isdigit()]))"
        return int(await said(sandbox, count)) > 3  # the first process, the guest, and the one that counts


async def outlive_the_sandbox(given: Given) -> bool:
    async with a_sandbox(given, _ENDS_NO_OTHERS) as sandbox:  # so that it lives until the end
        await said(sandbox, _altered.DAEMON)
        inside = _altered.below(sandbox._process.pid)
        await sandbox.kill()
        return len(inside) < 3 or not await _altered.are_gone(inside)


async def _had_no_numbers_of_its_own(given: Given) -> bool:
    return await _altered.outlives(given)


async def outlive_the_host(given: Given) -> bool:
    return await _altered.outlives_its_maker(given, missing=())


async def _was_not_told_to_die(given: Given) -> bool:
    return await _altered.outlives_its_maker(given, missing=(Wall.LIFE,))


async def read_what_another_sandbox_holds(given: Given) -> bool:
    async with a_sandbox(given) as one, a_sandbox(given) as other:
        await one.write("secret", b"of one")
        return bool((await said(other, "import os; print(os.path.exists('/workspace/secret') or '')")).strip())


async def _shared_one_workspace(given: Given) -> bool:
    async with a_sandbox(given) as only:
        await only.write("secret", b"of one")
        return bool((await said(only, "import os; print(os.path.exists('/workspace/secret') or '')")).strip())


_GUEST = (Wall.GUEST,)
ATTACKS = (
    Siege(number="57", run=give_a_link_for_a_file, without=_followed_links, walls=_GUEST),
    Siege(number="58", run=give_a_file_behind_a_linked_folder, without=_followed_folders, walls=_GUEST),
    Siege(number="60", run=give_a_link_that_only_the_kernel_can_follow, without=_followed_magic, walls=_GUEST),
    Siege(number="61", run=give_a_pipe_that_never_speaks, without=_waited_for_a_pipe, walls=_GUEST),
    Siege(number="62", run=swap_a_file_for_a_link_while_it_is_opened, without=_looked_then_opened, walls=_GUEST),
    Siege(number="79", run=forge_the_end_of_a_job, without=_gave_jobs_the_line, walls=_GUEST),
    Siege(number="79a", run=print_what_looks_like_an_end, without=_took_words_for_frames, walls=_GUEST),
    Siege(number="80", run=stay_for_the_next_job, without=_ended_no_others, walls=_GUEST),
    Siege(number="28", run=outlive_the_sandbox, without=_had_no_numbers_of_its_own, walls=(Wall.PROCESSES,)),
    Siege(number="73", run=outlive_the_host, without=_was_not_told_to_die, walls=(Wall.LIFE,)),
    Siege(number="69", run=read_what_another_sandbox_holds, without=_shared_one_workspace, walls=(Wall.TREE,)),
)
