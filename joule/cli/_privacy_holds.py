"""`joule privacy hold`: keeps what may not be erased, and lets it go again."""

from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.kernel.errors import Invalid

_SCOPES = click.Choice(["organisation", "person", "task"])


@click.group("hold")
def hold() -> None:
    """Keep what may not be erased for now, whatever is due or asked for."""


@hold.command("place")
@click.argument("scope", type=_SCOPES)
@click.argument("subject", type=click.UUID, required=False)
@click.option("--reason", required=True, help="Why; sealed, shown to owners and admins.")
@reporting
async def place(output: Output, scope: str, subject: UUID | None, reason: str) -> None:
    """Put the organisation, a person or a task on hold; SUBJECT is the person's or the task's id."""
    from joule.privacy.actions import PlaceHold
    from traces.ending.holds import Scope

    async with opened() as (house, person):
        wish = PlaceHold(principal=person, scope=Scope(scope), subject=subject, reason=reason)
        placed = await house.commands.perform(wish)
    output.result(placed, f"On hold. Lift it with: joule privacy hold lift {placed.hold}")


@hold.command("lift")
@click.argument("which", metavar="HOLD", type=click.UUID)
@reporting
async def lift(output: Output, which: UUID) -> None:
    """Let what was on hold be erased again; what is overdue goes within a minute."""
    from joule.privacy.actions import LiftHold

    async with opened() as (house, person):
        lifted = await house.commands.perform(LiftHold(principal=person, hold=which))
    output.result(lifted, "Lifted. What is overdue goes within a minute.")


@hold.command("list")
@reporting
async def list_holds(output: Output) -> None:
    """List every hold there ever was, newest first."""
    from traces.ending import holds

    async with opened() as (house, person), house.database.read(person.org) as session:
        keyring = await house.vault.keyring(session, person.org)
        found = await holds.all_of(session, keyring, person.org)
    rows = [
        (
            str(each.id),
            each.scope.value,
            "" if each.subject is None else str(each.subject),
            f"{each.placed_at:%Y-%m-%d %H:%M}",
            "" if each.lifted_at is None else f"{each.lifted_at:%Y-%m-%d %H:%M}",
            reason,
        )
        for each, reason in found
    ]
    heads = ("hold", "on", "id", "placed", "lifted", "reason")
    told = [dict(zip(heads, row, strict=True)) for row in rows]
    output.result({"holds": told}, lambda: table(heads, rows) if rows else "Nothing is or was on hold.")


def sure(yes: bool, what: str) -> None:
    """Raise `Invalid` unless the operator said `--yes`: what follows cannot be undone."""
    if not yes:
        raise Invalid(f"{what} cannot be undone", advice="Say it again with --yes.")
