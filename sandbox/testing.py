"""What every backend must do, as checks that anybody who writes one can run: `for check in CHECKS: await check(backend)`.

Each check makes sandboxes of its own, raises `AssertionError` with what went wrong, and leaves nothing behind. They say
nothing about attacks: see `tests/sandbox/attacks` for those.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from joule.kernel.errors import JouleError
from sandbox.contract import Exited, Killer, Limits, Output, Sandbox, SandboxBackend, SandboxSpec
from sandbox.errors import PathRefused, QuotaExceeded, SandboxGone

Check = Callable[[SandboxBackend], Awaitable[None]]
_LONG = 30.0  # seconds: an end, not a measure


@asynccontextmanager
async def a_sandbox(backend: SandboxBackend, limits: Limits | None = None, **labels: str) -> AsyncIterator[Sandbox]:
    """A sandbox for one check."""
    sandbox = await backend.create(SandboxSpec(limits=limits or Limits(), labels=labels), key=uuid4().hex)
    try:
        yield sandbox
    finally:
        await sandbox.kill()


async def run(sandbox: Sandbox, code: str, **more: float) -> tuple[str, str, Exited]:
    """Run Python: what it said on each stream, and how it ended."""
    return await heard(sandbox.run_python(code, **more))


async def heard(events: AsyncIterator[Output | Exited]) -> tuple[str, str, Exited]:
    """All that a command said on each stream, and how it ended."""
    said = {"stdout": b"", "stderr": b""}
    async with asyncio.timeout(_LONG):
        async for event in events:
            if isinstance(event, Exited):
                return said["stdout"].decode(errors="replace"), said["stderr"].decode(errors="replace"), event
            said[event.stream] += event.data
    raise AssertionError("a command ended without saying how")


async def _refuses(kind: type[JouleError], doing: Awaitable[object]) -> None:
    try:
        await doing
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}")


async def it_starts_when_probed(backend: SandboxBackend) -> None:
    probe = await backend.probe()
    assert probe.ok, f"{probe.reason}; {probe.fix}"
    assert (probe.backend, probe.boundary) == (backend.name, backend.boundary)


async def python_runs_and_tells_how_it_ended(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        out, error, ended = await run(sandbox, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
        assert (out, error, ended.code, ended.killed_by) == ("out\n", "err\n", 3, None)


async def a_failing_program_is_a_result(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        _, error, ended = await run(sandbox, "def f():\n    return 1 / 0\nf()")
        assert ended.code == 1
        assert "ZeroDivisionError" in error
        assert "return 1 / 0" in error
        _, _, ended = await heard(sandbox.execute(["no-such-program"]))
        assert ended.code not in {0, None}


async def programs_get_their_input_and_environment(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        events = sandbox.execute(["sh", "-c", 'cat; printf %s "$GIVEN"'], stdin=b"in ", environment={"GIVEN": "env"})
        out, _, ended = await heard(events)
        assert (out, ended.code) == ("in env", 0)


async def output_comes_while_it_runs(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        code = "import sys, time\nprint('first', flush=True)\nwhile True: time.sleep(0.1)"
        async with asyncio.timeout(_LONG):
            async for event in sandbox.run_python(code):
                assert isinstance(event, Output)
                assert event.data == b"first\n"
                break


async def files_go_in_and_come_out_as_they_are(backend: SandboxBackend) -> None:
    content = bytes(range(256)) * 1000
    async with a_sandbox(backend) as sandbox:
        await sandbox.write("in/Zahlen für 2026.bin", content)
        out, _, _ = await run(sandbox, "print(len(open('in/Zahlen für 2026.bin','rb').read()))")
        assert out == "256000\n"
        assert await sandbox.read("in/Zahlen für 2026.bin", limit=len(content)) == content
        assert [(each.path, each.size) for each in await sandbox.listed("in")] == [("in/Zahlen für 2026.bin", 256_000)]


async def one_job_leaves_its_files_to_the_next_and_nothing_else(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        await run(sandbox, "import os\nopen('kept','w').write('x')\nos.environ['LEFT']='y'\nleft = 1")
        out, _, _ = await run(
            sandbox, "import os; print(open('kept').read(), os.environ.get('LEFT'), 'left' in globals())"
        )
        assert out == "x None False\n"


async def sandboxes_do_not_see_each_other(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as one, a_sandbox(backend) as other:
        await one.write("secret", b"of one")
        assert await other.listed() == ()
        await _refuses(PathRefused, other.read("secret", limit=10))


async def the_same_key_gives_the_same_sandbox(backend: SandboxBackend) -> None:
    first = await backend.create(SandboxSpec(), key="check-the-same-key")
    try:
        assert (await backend.create(SandboxSpec(), key="check-the-same-key")).id == first.id
        assert (await backend.attach(first.id)).id == first.id
    finally:
        await first.kill()


async def it_is_found_by_its_labels(backend: SandboxBackend) -> None:
    mark = uuid4().hex
    async with a_sandbox(backend, task=mark) as sandbox, a_sandbox(backend, task=uuid4().hex):
        assert [each.id for each in await backend.listed({"task": mark})] == [sandbox.id]


async def a_job_that_takes_too_long_is_ended(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        _, _, ended = await run(sandbox, "import time; time.sleep(60)", wall_seconds=0.5)
        assert ended.killed_by is Killer.WALL
        assert ended.code is None


async def a_job_that_says_too_much_is_ended(backend: SandboxBackend) -> None:
    async with a_sandbox(backend, Limits(output_bytes=10_000)) as sandbox:
        out, _, ended = await run(sandbox, "while True: print('x' * 99)")
        assert ended.killed_by is Killer.OUTPUT
        assert len(out) == 10_000


async def a_killed_sandbox_is_gone(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        await sandbox.kill()
        await sandbox.kill()
        await _refuses(SandboxGone, sandbox.write("a", b""))
        await _refuses(SandboxGone, run(sandbox, "print(1)"))
        await _refuses(SandboxGone, backend.attach(sandbox.id))
        assert sandbox.id not in [each.id for each in await backend.listed()]


async def killing_ends_what_runs(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        working = asyncio.create_task(run(sandbox, "import time; print('on', flush=True); time.sleep(60)"))
        await asyncio.sleep(0.2)
        await sandbox.kill()
        await _refuses(SandboxGone, working)


async def only_plain_names_are_taken(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        for path in ("../a", "/etc/passwd", "a/../../b", "", "a\nb", "a//b", "x" * 300, "/".join("d" * 40), "a\u202eb"):
            await _refuses(PathRefused, sandbox.write(path, b"x"))
            await _refuses(PathRefused, sandbox.read(path, limit=10))


async def only_plain_files_are_given(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        await run(
            sandbox,
            "import os\nopen('plain','w').write('x')\nos.symlink('/etc/passwd','link')\nos.mkfifo('pipe')\n"
            "os.mkdir('folder')\nos.link('plain','twin')\nopen('alone','w').write('y')",
        )
        for path in ("link", "pipe", "folder", "missing"):
            await _refuses(PathRefused, sandbox.read(path, limit=1000))
        assert [each.path for each in await sandbox.listed()] == ["alone"]
        assert {each.path for each in await sandbox.listed(odd=True) if each.refused} >= {"link", "pipe", "twin"}


async def a_file_longer_than_asked_for_is_not_given(backend: SandboxBackend) -> None:
    async with a_sandbox(backend) as sandbox:
        await sandbox.write("long", b"x" * 1001)
        await _refuses(QuotaExceeded, sandbox.read("long", limit=1000))
    async with a_sandbox(backend, Limits(file_bytes=1000)) as sandbox:
        await _refuses(QuotaExceeded, sandbox.write("long", b"x" * 1001))


CHECKS: tuple[Check, ...] = (
    it_starts_when_probed,
    python_runs_and_tells_how_it_ended,
    a_failing_program_is_a_result,
    programs_get_their_input_and_environment,
    output_comes_while_it_runs,
    files_go_in_and_come_out_as_they_are,
    one_job_leaves_its_files_to_the_next_and_nothing_else,
    sandboxes_do_not_see_each_other,
    the_same_key_gives_the_same_sandbox,
    it_is_found_by_its_labels,
    a_job_that_takes_too_long_is_ended,
    a_job_that_says_too_much_is_ended,
    a_killed_sandbox_is_gone,
    killing_ends_what_runs,
    only_plain_names_are_taken,
    only_plain_files_are_given,
    a_file_longer_than_asked_for_is_not_given,
)
