"""`joule web`: serves the pages until told to stop, and performs tasks beside them if asked to."""

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import click

from joule.cli._installation import addressed, read_settings
from joule.cli._logs import configure_logs
from joule.cli._output import Output, reporting
from joule.kernel.settings import Settings

if TYPE_CHECKING:
    from uvicorn import Server

GRACE = 5  # seconds for requests to end; live streams resume at the next process


@click.command("web")
@click.option("--port", type=click.IntRange(0, 65535), help="In place of JOULE_WEB_PORT.")
@click.option("--with-worker", is_flag=True, help="Perform tasks in this process too, as `joule up` does.")
@reporting
async def command(output: Output, port: int | None, with_worker: bool) -> None:
    """Run one web process; start as many as you need.

    Needs the database to run and its schema to be current. SIGTERM or Ctrl-C ends it; streams that were open go on
    from where they were when the browser connects again.
    """
    from joule.assembly import open_house
    from joule.web.app import build_app

    settings = addressed(read_settings())
    if port is not None:
        settings = settings.model_copy(update={"web": settings.web.model_copy(update={"port": port})})
    if with_worker:  # both ask for connections
        roomy = settings.database.model_copy(update={"pool_size": 2 * settings.database.pool_size})
        settings = settings.model_copy(update={"database": roomy})
    configure_logs(settings)
    stop = asyncio.Event()
    async with open_house(settings) as house:
        server = _server(build_app(house), settings, stop)
        for number in (signal.SIGINT, signal.SIGTERM):
            # The server gives a signal back when it has ended; that must not kill us before the house is closed.
            signal.signal(number, server.handle_exit)
        async with asyncio.TaskGroup() as group:  # whichever fails takes the other along: the process is started again
            if with_worker:
                group.create_task(house.work(stop=stop), name="worker")
            output.say(f"Serving on {settings.web.host}:{settings.web.port}")
            await server.serve()
            stop.set()
    output.result({"stopped": True}, "Stopped")


def _server(app: Any, settings: Settings, stop: asyncio.Event) -> "Server":
    """The server of the pages. Whatever tells it to end sets `stop` at once, so that all ends together."""
    import uvicorn

    loop = asyncio.get_running_loop()

    class Both(uvicorn.Server):
        def handle_exit(self, sig: int, frame: Any) -> None:
            super().handle_exit(sig, frame)
            loop.call_soon_threadsafe(stop.set)

    return Both(
        uvicorn.Config(
            app,
            host=settings.web.host,
            port=settings.web.port,
            log_config=None,
            access_log=False,  # addresses and paths of people are nobody's business
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE,
        )
    )
