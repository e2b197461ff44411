"""Has the demonstration provider started by the first who asks for it, so that it weighs nothing until then.

`joule up` itself listens; whoever connects waits in the socket's queue while the child starts, which takes the socket
over. The demonstration stands for an outsider: it is told nothing of this installation.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from integrations.demo import CALLBACK
from joule.cli._supervisor import Child, Supervisor
from joule.kernel.settings import IntegrationSettings

PORT = 8110  # when it is free and nobody chose another


def listen(settings: IntegrationSettings, *, sample: bool) -> socket.socket | None:
    """A socket on loopback, at another port when the wanted one is taken; None: there shall be no demonstration.

    It goes with the sample project, unless the settings name a port, or none.
    """
    chosen = "demo_port" in settings.model_fields_set
    wanted = settings.demo_port if chosen else PORT if sample else 0
    for port in (wanted, 0) if wanted else ():
        with suppress(OSError):
            return socket.create_server(("127.0.0.1", port))
    return None


def port_of(listening: socket.socket | None) -> int:
    """Where it listens; 0: nowhere."""
    return 0 if listening is None else int(listening.getsockname()[1])


async def keep(
    listening: socket.socket,
    stopping: asyncio.Event,
    *,
    environment: Mapping[str, str],
    base_url: str | None,
    logs: Path,
    say: Callable[[str], None],
) -> None:
    """Wait for the first to connect, then keep the demonstration running until told to stop."""
    await _knock(listening, stopping)
    if stopping.is_set():
        return
    handed = listening.fileno()
    redirect = ["--redirect", f"{base_url.rstrip('/')}{CALLBACK}"] if base_url else []
    child = Child(
        name="demo",
        command=[sys.executable, "-m", "integrations.demo", "--socket", str(handed), *redirect],
        environment={name: value for name, value in environment.items() if not name.startswith("JOULE_")},
        log=logs / "demo.log",
        hands_down=(handed,),
    )
    supervisor = Supervisor(children=[child], say=say)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await stopping.wait()
        supervisor.stop()


async def _knock(listening: socket.socket, stopping: asyncio.Event) -> None:
    """Until somebody connects, who is not accepted here, or everything stops."""
    loop, knocked = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(listening.fileno(), knocked.set)
    waiting = [asyncio.create_task(each.wait()) for each in (knocked, stopping)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(listening.fileno())
        for each in waiting:
            each.cancel()
