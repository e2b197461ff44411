"""`joule worker`: performs tasks until told to stop."""

import asyncio
import signal

import click

from joule.cli._installation import addressed, read_settings
from joule.cli._logs import configure_logs
from joule.cli._output import Output, reporting


@click.command("worker")
@reporting
async def command(output: Output) -> None:
    """Run one worker process; start as many as you need.

    Needs the database to run and its schema to be current. SIGTERM or Ctrl-C: running tasks may end, then it stops;
    what does not end in time is taken over by another worker.
    """
    from joule.assembly import open_house

    settings = addressed(read_settings())
    configure_logs(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_house(settings) as house:
        output.say("Worker ready")
        await house.work(stop=stop)
    output.result({"stopped": True}, "Stopped")
