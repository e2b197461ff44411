"""`joule up`: everything on one machine, held up by one small parent process.

The parent starts the database, has a child prepare it, then keeps one process alive that serves and works. It imports no
room, so that it costs little memory; what needs the house happens in the children.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from joule.cli import _demonstration, _packing
from joule.cli._installation import embedded_server, environment_with, read_settings
from joule.cli._output import FAILED, Output, reporting
from joule.cli._supervisor import Child, Supervisor, answers
from joule.database.server import EmbeddedServer
from joule.kernel.errors import JouleError, Misconfigured
from joule.kernel.settings import Settings, WebSettings

PATIENCE = 90.0  # seconds until the web must answer
LOOK = 0.5  # seconds between two looks at the database


class NotStarted(JouleError):
    """A part of Joule did not come up."""

    code = "cli.not_started"

    def __init__(self, problem: str, *, advice: str) -> None:
        super().__init__(problem)
        self._advice = advice

    def advice(self) -> str:
        return self._advice


class ChildFailed(Exception):
    """A child ended with an error and has told the person about it."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


@click.command("up")
@click.option("--sample/--no-sample", default=True, help="Put a sample project into a new workspace.")
@click.option("--pack/--no-pack", default=False, help="Install the sandboxes' data pack too, in the background.")
@reporting
async def command(output: Output, sample: bool, pack: bool) -> None:
    """Start everything: database, worker and web; print a sign-in link.

    The first start makes the home folder, the key file and a workspace. Later starts use what is there. Ctrl-C stops
    all of it. The link works once; `joule up` prints a new one each time.
    """
    settings = read_settings()
    web = _with_port(settings.web)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = embedded_server(settings)
    demo = _demonstration.listen(settings.integrations, sample=sample)
    environment: dict[str, str] = {
        **os.environ,
        "JOULE_WEB_PORT": str(web.port),
        "JOULE_INTEGRATIONS_DEMO_PORT": str(_demonstration.port_of(demo)),
    }
    try:
        if server is not None:
            output.say(f"Starting the database in {settings.home}")
            environment = environment_with(await asyncio.to_thread(server.start), environment)
        ready = await _prepare(output, environment, stopping, sample=sample)
        if not stopping.is_set():
            await _run(output, settings, web, environment, ready, server, demo, stopping, pack=pack)
    except ChildFailed as problem:
        sys.exit(problem.exit_code)
    finally:
        if demo is not None:
            demo.close()
        if server is not None:
            await asyncio.to_thread(server.stop)


def _with_port(web: WebSettings) -> WebSettings:
    """The web settings with a port that is free now. Raises `Misconfigured` when the wanted one is taken."""
    try:
        with socket.create_server((web.host, web.port)) as found:
            return web.model_copy(update={"port": found.getsockname()[1]})
    except OSError as problem:
        raise Misconfigured(
            f"cannot listen on {web.host}:{web.port}: {problem.strerror}",
            advice="Stop what listens there, or choose another port: JOULE_WEB_PORT=8200 (0: any free one).",
        ) from problem


async def _prepare(
    output: Output, environment: Mapping[str, str], stopping: asyncio.Event, *, sample: bool
) -> dict[str, Any]:
    """Have a child migrate, found the workspace and make the link. Its errors reach the person as they are."""
    output.say("Preparing the workspace")
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "joule.cli._first_start", *(["--json"] if output.as_json else [])],
        *(["--sample"] if sample else []),
        stdout=asyncio.subprocess.PIPE,
        env=dict(environment),
        process_group=0,
    )
    telling = asyncio.create_task(process.communicate())
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({telling, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not telling.done():
        process.terminate()
        await telling
        return {}
    told, _ = await telling
    if process.returncode != 0:
        click.echo(told.decode(), nl=False)
        raise ChildFailed(process.returncode if process.returncode and process.returncode > 0 else FAILED)
    result: dict[str, Any] = json.loads(told)
    return result


async def _run(
    output: Output,
    settings: Settings,
    web: WebSettings,
    environment: Mapping[str, str],
    ready: Mapping[str, Any],
    server: EmbeddedServer | None,
    demo: socket.socket | None,
    stopping: asyncio.Event,
    *,
    pack: bool,
) -> None:
    logs = settings.home / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    # Only migrations need the owner of the schema, and they are done.
    sparing = {name: value for name, value in environment.items() if name != "JOULE_DATABASE_OWNER_URL"}
    # One process for both: a second one would hold everything that is loaded once more.
    supervisor = Supervisor(children=[_child("joule", ("web", "--with-worker"), sparing, logs)], say=output.say)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        group.create_task(_stop_when(stopping, supervisor))
        if server is not None:
            group.create_task(_watch(server, output, stopping))
        if demo is not None:
            ready = {**ready, "facts": {**ready["facts"], "demo": f"127.0.0.1:{_demonstration.port_of(demo)}"}}
            group.create_task(
                _demonstration.keep(
                    demo, stopping, environment=sparing, base_url=web.base_url, logs=logs, say=output.say
                )
            )
        announcing = group.create_task(_announce(output, settings, web, ready, stopping, logs))
        if pack:
            group.create_task(_packing.install(announcing, stopping, environment=sparing, say=output.say))
    output.say("Stopped")
    if (problem := announcing.result()) is not None:
        raise problem


def _child(name: str, arguments: Sequence[str], environment: Mapping[str, str], logs: Path) -> Child:
    command = [sys.executable, "-m", "joule.cli", *arguments]
    return Child(name=name, command=command, environment=environment, log=logs / f"{name}.log")


async def _stop_when(stopping: asyncio.Event, supervisor: Supervisor) -> None:
    await stopping.wait()
    supervisor.stop()


async def _watch(server: EmbeddedServer, output: Output, stopping: asyncio.Event) -> None:
    """Start the database again whenever it is gone."""
    while not stopping.is_set():
        if await asyncio.to_thread(server.pid) is None and not stopping.is_set():
            output.say("The database ended; starting it again")
            try:
                await asyncio.to_thread(server.ensure)
            except JouleError as problem:
                output.say(f"{problem}. {problem.advice()}")
        try:
            await asyncio.wait_for(stopping.wait(), timeout=LOOK)
        except TimeoutError:
            continue


async def _announce(
    output: Output,
    settings: Settings,
    web: WebSettings,
    ready: Mapping[str, Any],
    stopping: asyncio.Event,
    logs: Path,
) -> NotStarted | None:
    """Print the link once the web answers. When it never does, stop everything and tell why."""
    host = "127.0.0.1" if web.host in {"0.0.0.0", ""} else web.host  # noqa: S104 - only asked whether it is that
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not await answers(host, web.port, path="/healthz"):
        if stopping.is_set():
            return None
        if asyncio.get_running_loop().time() > deadline:
            stopping.set()
            return NotStarted(
                f"the web did not answer within {PATIENCE:.0f} seconds", advice=f"Read {logs / 'joule.log'}."
            )
        await asyncio.sleep(0.1)
    address = web.base_url or f"http://{host}:{web.port}"
    link = f"{address.rstrip('/')}{ready['path']}"
    told = {"url": link, "address": address, "home": str(settings.home), "model": settings.llm.name, **ready["facts"]}
    about = f"\nThe pretend provider Demo CRM listens at {told['demo']}." if told.get("demo") else ""
    output.result(
        told, f"{_greeting(settings, address)}{about}\n\n  Sign in (works once): {link}\n\nCtrl-C stops everything."
    )
    return None


def _greeting(settings: Settings, address: str) -> str:
    if settings.llm.name == "offline":
        return f"Joule runs at {address}, with the offline model: no key is set and nothing leaves this machine."
    return f"Joule runs at {address}, with {settings.llm.name}."
