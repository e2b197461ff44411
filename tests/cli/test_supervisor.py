"""The supervisor starts what died, ends what runs, and leaves nothing behind."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from joule.cli._supervisor import Child, Patience, Supervisor, answers


@pytest.fixture
def said() -> list[str]:
    return []


def child(tmp_path: Path, script: str, *, name: str = "web") -> Child:
    command = [sys.executable, "-u", "-c", script]
    return Child(name=name, command=command, environment=os.environ, log=tmp_path / f"{name}.log")


async def until_written(log: Path, text: str) -> str:
    async with asyncio.timeout(10):
        while not log.exists() or text not in log.read_text():
            await asyncio.sleep(0.02)
    return log.read_text()


async def test_a_child_that_dies_is_started_again(tmp_path: Path, said: list[str]) -> None:
    dying = child(tmp_path, "print('up'); raise SystemExit(3)")
    supervisor = Supervisor(children=[dying], say=said.append, patience=Patience(first_wait=0.01))
    running = asyncio.create_task(supervisor.run())

    await until_written(dying.log, "up\nup\nup\n")
    supervisor.stop()
    await running

    assert "The web process ended (code 3)" in said[0]
    assert str(dying.log) in said[0]


async def test_stopping_lets_every_child_end_by_itself(tmp_path: Path, said: list[str]) -> None:
    script = (
        "import signal, time\n"
        "def end(*_):\n    print('ended well'); raise SystemExit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready')\ntime.sleep(60)"
    )
    children = [child(tmp_path, script, name=name) for name in ("web", "worker")]
    supervisor = Supervisor(children=children, say=said.append)
    running = asyncio.create_task(supervisor.run())
    for each in children:
        await until_written(each.log, "ready")

    supervisor.stop()
    async with asyncio.timeout(10):
        await running

    assert all("ended well" in each.log.read_text() for each in children)
    assert said == []


async def test_a_child_that_will_not_end_is_killed(tmp_path: Path, said: list[str]) -> None:
    script = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(os.getpid())\ntime.sleep(60)"
    )
    stubborn = child(tmp_path, script)
    supervisor = Supervisor(children=[stubborn], say=said.append, patience=Patience(grace=0.2))
    running = asyncio.create_task(supervisor.run())
    pid = int(await until_written(stubborn.log, "\n"))

    supervisor.stop()
    await running

    assert "was killed" in said[0]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_children_end_when_the_supervisor_is_killed_outright(tmp_path: Path) -> None:
    parent = (
        "import asyncio, os, sys\nfrom pathlib import Path\n"
        "from joule.cli._supervisor import Child, Supervisor\n"
        "script = 'import os, time; print(os.getpid()); time.sleep(60)'\n"
        f"log = Path({str(tmp_path / 'web.log')!r})\n"
        "one = Child(name='web', command=[sys.executable, '-u', '-c', script], environment=os.environ, log=log)\n"
        "asyncio.run(Supervisor(children=[one], say=print).run())\n"
    )
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
    pid = int(await until_written(tmp_path / "web.log", "\n"))

    supervisor.kill()
    await supervisor.wait()

    async with asyncio.timeout(10):
        with suppress(ProcessLookupError):
            while Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
                os.kill(pid, 0)
                await asyncio.sleep(0.02)


async def test_a_log_that_has_grown_moves_aside(tmp_path: Path, said: list[str]) -> None:
    printing = child(tmp_path, "print('new'); import time; time.sleep(60)")
    printing.log.write_text("old words, many of them")
    supervisor = Supervisor(children=[printing], say=said.append, patience=Patience(log_bytes=10))
    running = asyncio.create_task(supervisor.run())

    assert await until_written(printing.log, "new") == "new\n"
    supervisor.stop()
    await running

    assert printing.log.with_suffix(".old").read_text() == "old words, many of them"


async def test_a_web_server_answers_and_a_closed_port_does_not() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    assert await answers("127.0.0.1", port)
    server.close()
    await server.wait_closed()
    assert not await answers("127.0.0.1", port)
