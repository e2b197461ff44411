"""What an operator does now and then for connected accounts: replaces their keys, accepts a provider's new settings."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from joule.cli._installation import opened, read_settings
from joule.cli._output import Failed, Output, reporting, table

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.kernel.principal import Principal

IDLE_ROUNDS = 5  # rounds in a row that move nothing because rows are being written, before it gives up


class _Moment(click.ParamType):  # type: ignore[type-arg]
    """A time in ISO 8601; without a zone it is UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("it is not a time such as 2026-11-21T23:00:00Z", param, ctx)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


@click.command("rotate-keys")
@click.option("--before", type=_Moment(), help="Replace keys made before this time only: that of a run to go on with.")
@click.option("--batch", type=click.IntRange(1, 500), default=100, show_default=True, help="Rows in one transaction.")
@reporting
async def rotate_keys(output: Output, before: datetime | None, batch: int) -> None:
    """Put every connection and app under new data keys, while everything goes on working.

    Needs no one else to stop. If it is interrupted, what was moved stays moved: give the time it printed as `--before`
    and it goes on where it stopped.
    """
    from integrations.care.actions import RotateKeys

    rows = grants = idle = 0
    async with opened() as (house, person):
        started = before or house.clock.now()
        output.say(f"Replacing keys made before {started.isoformat()}")
        while True:
            done = await house.commands.perform(RotateKeys(principal=person, before=started, batch=batch))
            rows, grants = rows + done.rows, grants + done.grants
            output.say(f"{grants} accounts and {rows} rows moved, {done.left} left")
            idle = idle + 1 if done.rows + done.grants == 0 else 0
            if done.left == 0 or idle == IDLE_ROUNDS:
                break
    told = {"before": started, "accounts": grants, "rows": rows, "left": done.left}
    words = f"{grants} accounts and {rows} rows are under new keys."
    if done.left:
        words += f" {done.left} are being written to: run it again with --before {started.isoformat()}"
    output.result(told, words)
    if done.left:
        raise Failed


@click.command("accept")
@click.argument("provider")
@reporting
async def accept(output: Output, provider: str) -> None:
    """Accept that PROVIDER publishes other settings about itself than it did when it was first connected.

    Do this only when the provider has explained the change: whoever controls those settings decides where tokens go.
    """
    from integrations.care.actions import AcceptIssuer

    async with opened() as (house, person):
        done = await house.commands.perform(AcceptIssuer(principal=person, provider=provider))
    words = "What it publishes at the next consent is accepted." if done.pins else "Nothing was pinned for it."
    output.result(done, words)


@click.command("connectors")
@reporting
async def connectors(output: Output) -> None:
    """List the connectors that installed packages bring. One is used only when JOULE_INTEGRATIONS_CONNECTORS names it.

    Exits with 1 when one that is named cannot be used.
    """
    from integrations.broker.connectors import told_of
    from joule.assembly.accounts import names_of

    named = names_of(read_settings().integrations)
    found = [
        {
            "name": each.name,
            "package": each.package,
            "version": each.version,
            "enabled": each.enabled,
            "problem": each.problem,
        }
        for each in told_of(named)
    ]
    heads = ("name", "package", "version", "enabled", "problem")
    output.result({"connectors": found}, lambda: table(heads, [[each[head] for head in heads] for each in found]))
    if any(each["problem"] and each["name"] in named for each in found):
        raise Failed


async def allowed(house: "House", person: "Principal") -> frozenset[str]:
    """The providers the organisation lets be used."""
    from integrations import rules

    async with house.database.read(person.org) as session:
        return await rules.allowed(session, person.org)
