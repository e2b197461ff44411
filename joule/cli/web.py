"""`joule web`: serves the pages until told to stop."""

import signal

import click

from joule.cli._installation import addressed, read_settings
from joule.cli._logs import configure_logs
from joule.cli._output import Output, reporting

GRACE = 5  # seconds for requests to end; live streams resume at the next process


@click.command("web")
@click.option("--port", type=click.IntRange(0, 65535), help="In place of JOULE_WEB_PORT.")
@reporting
async def command(output: Output, port: int | None) -> None:
    """Run one web process; start as many as you need.

    Needs the database to run and its schema to be current. SIGTERM or Ctrl-C ends it; streams that were open go on
    from where they were when the browser connects again.
    """
    import uvicorn

    from joule.assembly import open_house
    from joule.web.app import build_app

    settings = addressed(read_settings())
    if port is not None:
        settings = settings.model_copy(update={"web": settings.web.model_copy(update={"port": port})})
    configure_logs(settings)
    async with open_house(settings) as house:
        server = uvicorn.Server(
            uvicorn.Config(
                build_app(house),
                host=settings.web.host,
                port=settings.web.port,
                log_config=None,
                access_log=False,  # addresses and paths of people are nobody's business
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            # The server gives a signal back when it has ended; that must not kill us before the house is closed.
            signal.signal(number, server.handle_exit)
        output.say(f"Serving on {settings.web.host}:{settings.web.port}")
        await server.serve()
    output.result({"stopped": True}, "Stopped")
