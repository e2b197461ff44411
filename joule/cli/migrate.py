"""`joule migrate`: brings the database's schema to the age of this program."""

import asyncio

import click

from joule.cli._installation import addressed, embedded_server, owner_url, read_settings
from joule.cli._output import Output, reporting


@click.command("migrate")
@reporting
async def command(output: Output) -> None:
    """Bring the database's schema up to date.

    `joule up` does this by itself. With your own server run it once per release, before the new processes start.
    """
    from joule.database import migrate

    settings = read_settings()
    server = embedded_server(settings)
    started = False
    if server is not None and not await asyncio.to_thread(server.answers):
        await asyncio.to_thread(server.start)
        started = True
    try:
        url = owner_url(addressed(settings, server.address if server else None))
        before = await asyncio.to_thread(migrate.current, url)
        output.say("Migrating")
        await asyncio.to_thread(migrate.upgrade, url)
        after = await asyncio.to_thread(migrate.current, url)
    finally:
        if server is not None and started:
            await asyncio.to_thread(server.stop)
    changed = before != after
    words = f"The schema is at version {after}" + (f" (was {before or 'empty'})." if changed else "; nothing to do.")
    output.result({"before": before, "after": after, "changed": changed}, words)
