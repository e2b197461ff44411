"""`joule privacy`: what is stored and for how long, what is held, and erasing it before its time."""

from importlib import import_module

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.cli._privacy_erasing import erase, export, show_receipts
from joule.cli._privacy_holds import hold

# Every module that declares tables; a test compares this with the source tree.
TABLES = (
    "joule.vault.tables",
    "traces.tables",
    "traces.otel.tables",
    "traces.ending.tables",
    "traces.proof.tables",
    "traces.grants.tables",
    "joule.identity.tables",
    "memory.tables",
    "memory.items.tables",
    "memory.entries.tables",
    "memory.knowledge.tables",
    "joule.llm.tables",
    "joule.governance.tables",
    "joule.governance.rules.tables",
    "joule.replay.tables",
    "joule.tasks.tables",
    "integrations.tables",
    "integrations.mcp.tables",
    "sandbox.tables",
    "joule.privacy.tables",
)


@click.group("privacy")
def command() -> None:
    """See and choose what is kept and for how long, hold it, erase it, hand it out."""


command.add_command(hold)
command.add_command(erase)
command.add_command(show_receipts)
command.add_command(export)


@command.command("retention")
@click.argument("days", type=int, required=False)
@reporting
async def retention(output: Output, days: int | None) -> None:
    """Show for how many days words of the journal can be read, or choose DAYS (1 to 2557).

    Shortening holds for everything there is; lengthening for what begins tomorrow (UTC).
    """
    from joule.privacy.actions import SetRetention
    from traces.ending import partitions, rules

    async with opened() as (house, person):
        if days is not None:
            await house.commands.perform(SetRetention(principal=person, days=days))
        now = house.clock.now()
        async with house.database.read(person.org) as session:
            found = await rules.rules_of(session, person.org, default=house.settings.trace_retention)
            ahead = await partitions.ahead(session, now=now)
    today, newest = found.on(now.date()), found.rules[-1]
    told = {
        "days": today.days,
        "from_tomorrow": newest.days if newest.from_day > now.date() else today.days,
        "partitions": [{"class": each.retention, "days_ahead": each.days, "ok": each.is_enough} for each in ahead],
    }
    lines = [f"Words of the journal can be read for {today.days} days, and the list of steps for as long as its class."]
    if newest.from_day > now.date():
        lines.append(f"For what begins tomorrow or later: {newest.days} days.")
    lines += [f"Class {each.retention}: partitions for {each.days} days ahead." for each in ahead]
    output.result(told, "\n".join(lines))


@command.command("sweep")
@reporting
async def sweep(output: Output) -> None:
    """End what is due now, as workers do every minute."""
    from joule.assembly.upkeep import journal_sweep_of, upkeep_of

    async with opened() as (house, _):
        journal = await journal_sweep_of(house).run()
        kept = await upkeep_of(house).run()
    told = {
        "days": journal.days,
        "model_calls": journal.calls,
        "chains": journal.chains,
        "partitions": journal.partitions,
        "files": kept.files,
        "items": kept.items,
        "sign_ins": kept.sign_ins,
        "failed": [str(each) for each in (*journal.failed, *kept.failed)],
    }
    output.result(told, lambda: "\n".join(f"{name}: {value}" for name, value in told.items()))


@command.command("commitments")
@reporting
async def list_commitments(output: Output) -> None:
    """List what Joule commits to, the control that keeps each, and the command that proves it."""
    from joule.privacy.commitments import commitments

    found = commitments()
    rows = [(each.id, each.promise, each.control or "none in this version", each.proof) for each in found]
    told = [{"id": each.id, "promise": each.promise, "control": each.control, "proof": each.proof} for each in found]
    kept = sum(bool(each.control) for each in found)
    output.result(
        {"commitments": told, "with_control": kept},
        lambda: f"{table(('id', 'promise', 'control', 'proof'), rows)}\n{kept} of {len(found)} have a control.",
    )


@command.command("data-map")
@reporting
async def data_map(output: Output) -> None:
    """List every table: what it holds, whose it is, when it ends and what erases it."""
    from sqlmodel import SQLModel

    from joule.database.keeping import Keeping

    for name in TABLES:
        import_module(name)
    entries = []
    for found in sorted(SQLModel.metadata.tables.values(), key=lambda each: each.name):
        keeping: Keeping = found.info["keeping"]
        entries.append(
            {
                "table": found.name,
                "holds": keeping.holds,
                "owner": keeping.owner.value,
                "ends": keeping.ends.value,
                "eraser": keeping.eraser,
            }
        )
    heads = ("table", "holds", "owner", "ends", "eraser")
    output.result({"tables": entries}, lambda: table(heads, [[entry[head] for head in heads] for entry in entries]))
