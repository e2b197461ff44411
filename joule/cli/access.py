"""`joule trace access`: who may read what was said in a task, asked and answered from the command line.

The local operator answers as the first owner. To ask, somebody of support is named: nobody asks in their own name and
answers in another's, since the same person never does both.
"""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.kernel.errors import NotFound
from joule.kernel.ids import TaskId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from joule.assembly import House
    from joule.kernel.principal import Principal
    from traces.grants.parts import Part
    from traces.grants.reading import TaskContent

_PARTS = click.Choice(["request", "arguments", "results", "answer"])
_AS = click.option("--as", "email", required=True, help="E-mail address of the person of support who asks.")
_PART = click.option(
    "--part", "parts", type=_PARTS, multiple=True, help="What of the task; may be given several times."
)


@click.group("access")
def command() -> None:
    """Ask for, grant, end and list access to what was said in tasks."""


@command.command("request")
@click.argument("task", type=click.UUID)
@_AS
@_PART
@click.option("--reason", required=True, help="What for; the organisation reads it.")
@click.option("--hours", type=click.IntRange(1, 168), default=24, show_default=True, help="For how long.")
@click.option("--break-glass", is_flag=True, help="Without the organisation: a second person of support has to agree.")
@reporting
async def request(
    output: Output, task: UUID, email: str, parts: tuple[str, ...], reason: str, hours: int, break_glass: bool
) -> None:
    """Ask to read a task's content. Nothing is shown before an owner or admin has granted it."""
    from traces.grants.actions import BreakGlass, RequestAccess

    async with opened() as (house, owner):
        who = await _somebody(house, owner, email)
        kind = BreakGlass if break_glass else RequestAccess
        asked = await house.commands.perform(
            kind(principal=who, task=TaskId(task), parts=_parts(parts), reason=reason, hours=hours)
        )
    who_decides = "A second person of support has to agree" if break_glass else "An owner or admin decides"
    output.result(asked, f"{asked.access}\n{who_decides}.")


@command.command("second")
@click.argument("access", type=click.UUID)
@_AS
@reporting
async def second(output: Output, access: UUID, email: str) -> None:
    """Agree to a break-glass as the second person of support. Owners and admins are told at once."""
    from traces.grants.actions import SecondBreakGlass

    async with opened() as (house, owner):
        who = await _somebody(house, owner, email)
        made = await house.commands.perform(SecondBreakGlass(principal=who, access=access))
    output.result(made, f"Open until {made.expires_at:%Y-%m-%d %H:%M} UTC. The organisation has been told.")


@command.command("grant")
@click.argument("access", type=click.UUID)
@_PART
@click.option("--hours", type=click.IntRange(1, 168), help="For how long; without it as long as was asked.")
@reporting
async def grant(output: Output, access: UUID, parts: tuple[str, ...], hours: int | None) -> None:
    """Grant a request, or less than was asked for."""
    from traces.grants.actions import GrantAccess

    async with opened() as (house, owner):
        made = await house.commands.perform(
            GrantAccess(principal=owner, access=access, parts=_parts(parts), hours=hours)
        )
    output.result(made, f"Granted until {made.expires_at:%Y-%m-%d %H:%M} UTC: {', '.join(made.parts)}.")


@command.command("decline")
@click.argument("access", type=click.UUID)
@reporting
async def decline(output: Output, access: UUID) -> None:
    """Say no to a request."""
    from traces.grants.actions import DeclineAccess

    async with opened() as (house, owner):
        ended = await house.commands.perform(DeclineAccess(principal=owner, access=access))
    output.result(ended, "Declined.")


@command.command("revoke")
@click.argument("access", type=click.UUID)
@reporting
async def revoke(output: Output, access: UUID) -> None:
    """End a grant or a break-glass at once."""
    from traces.grants.actions import RevokeAccess

    async with opened() as (house, owner):
        ended = await house.commands.perform(RevokeAccess(principal=owner, access=access))
    output.result(ended, "It is over.")


@command.command("list")
@click.option("--task", type=click.UUID, help="Of one task only.")
@reporting
async def list_accesses(output: Output, task: UUID | None) -> None:
    """List requests and grants, and every read of content there was."""
    from traces.grants import queries

    async with opened() as (house, owner), house.database.read(owner.org) as session:
        only = TaskId(task) if task else None
        found = await queries.accesses(session, house.vault, owner.org, now=house.clock.now(), task=only)
        reads = await queries.reads(session, owner.org, task=only)
    rows = [
        (
            each.id,
            each.task,
            f"{each.state.value}{' (break-glass)' if each.is_break_glass else ''}",
            "+".join(each.parts or each.asked_parts),
        )
        for each in found
    ]
    read = [
        (f"{each.at:%Y-%m-%d %H:%M:%S}", each.role.value, each.reader, each.task, "+".join(each.parts))
        for each in reads
    ]
    output.result(
        {"accesses": found, "reads": reads},
        lambda: (
            f"{table(('access', 'task', 'state', 'parts'), rows)}\n\nReads:\n{table(('at (UTC)', 'role', 'who', 'task', 'parts'), read)}"
        ),
    )


async def read(house: "House", person: "Principal", task: TaskId) -> "TaskContent":
    """What `person` may read of a task, after the read has been written into the organisation's log."""
    from traces.grants import reading
    from traces.grants.actions import ReadContent

    if person.person is None:
        raise NotFound("person")
    on_record = await house.commands.perform(ReadContent(principal=person, task=task))
    async with house.database.read(person.org) as session:
        return await reading.content(
            session, house.vault, person.org, on_record.read, person=person.person, now=house.clock.now()
        )


async def _somebody(house: "House", owner: "Principal", email: str) -> "Principal":
    """Somebody of the organisation by their address. Raises `NotFound`."""
    from joule.identity import queries
    from joule.kernel.principal import Principal, Via

    async with house.database.read(owner.org) as session:
        for each in await queries.people(session, house.vault, owner.org):
            if each.email.casefold() == email.strip().casefold() and each.status != "deactivated":
                return Principal(org=owner.org, person=each.person, role=each.role, via=Via.PERSON)
    raise NotFound("active person")


def _parts(words: "Sequence[str]") -> "tuple[Part, ...]":
    from traces.grants.parts import Part

    return tuple(Part(each) for each in words)
