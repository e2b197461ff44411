"""`joule privacy erase`, `receipts` and `export`: erases before the time, shows what was erased, hands out what is kept."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.cli._privacy_holds import sure

if TYPE_CHECKING:
    from joule.privacy.actions import Erased

_yes = click.option("--yes", is_flag=True, help="It cannot be undone; say that you know.")


@click.group("erase")
def erase() -> None:
    """Make a task, a person or the whole organisation unreadable, with a signed receipt."""


@erase.command("task")
@click.argument("task", type=click.UUID)
@_yes
@reporting
async def erase_task(output: Output, task: UUID, yes: bool) -> None:
    """Erase one message, its answer and all its steps."""
    from joule.kernel.ids import TaskId
    from joule.privacy.actions import EraseTask

    sure(yes, "erasing a task")
    async with opened() as (house, person):
        erased = await house.commands.perform(EraseTask(principal=person, task=TaskId(task)))
    output.result(erased, lambda: _told(erased))


@erase.command("person")
@click.argument("person", type=click.UUID)
@click.option("--with-files", is_flag=True, help="Also files and documents they brought into projects.")
@_yes
@reporting
async def erase_person(output: Output, person: UUID, with_files: bool, yes: bool) -> None:
    """Erase a person: name, address, conversations, memory, artifacts, connections and their log of commands."""
    from joule.kernel.ids import PersonId
    from joule.privacy.actions import ErasePerson

    sure(yes, "erasing a person")
    async with opened() as (house, who):
        wish = ErasePerson(principal=who, person=PersonId(person), with_files=with_files)
        erased = await house.commands.perform(wish)
    output.result(erased, lambda: _told(erased))


@erase.command("organisation")
@click.option("--leave-untold", is_flag=True, help="Though providers of connected accounts were not told yet.")
@_yes
@reporting
async def erase_organisation(output: Output, leave_untold: bool, yes: bool) -> None:
    """Destroy every key of the oldest organisation of this installation and take out its rows."""
    from joule.privacy.actions import EraseOrganisation

    sure(yes, "erasing the organisation")
    async with opened() as (house, person):
        erased = await house.commands.perform(EraseOrganisation(principal=person, leave_untold=leave_untold))
    output.result(erased, lambda: _told(erased))


@click.command("receipts")
@click.argument("receipt", type=click.UUID, required=False)
@click.option("--organisation", type=click.UUID, help="Of this organisation; one that was erased has no owner to ask.")
@reporting
async def show_receipts(output: Output, receipt: UUID | None, organisation: UUID | None) -> None:
    """List the receipts of erasures, or print one as the signed note it is."""
    from joule.assembly import open_house
    from joule.cli._installation import addressed, oldest_owner, read_settings
    from joule.kernel.errors import Misconfigured
    from joule.kernel.ids import OrgId
    from joule.privacy import receipts

    async with open_house(addressed(read_settings())) as house:
        if organisation is None:
            owner = await oldest_owner(house)
            if owner is None:
                raise Misconfigured("there is no organisation", advice="Name the erased one: --organisation ID.")
            organisation = owner.org
        org = OrgId(organisation)
        async with house.database.read(org) as session:
            if receipt is not None:
                found = [await receipts.find(session, org, receipt)]
            else:
                found = list(await receipts.listed(session, org, limit=200))
    if receipt is not None:
        output.result({"receipt": found[0].body, "note": found[0].note}, found[0].note)
        return
    rows = [(str(each.id), each.kind, f"{each.at:%Y-%m-%d %H:%M}", _counts(each.went)) for each in found]
    told = [{**each.body, "note": each.note} for each in found]
    heads = ("receipt", "of", "at", "went")
    output.result({"receipts": told}, lambda: table(heads, rows) if rows else "Nothing was erased yet.")


@click.command("export")
@click.argument("person", type=click.UUID)
@click.option("--output", "-o", "to", required=True, type=click.Path(path_type=Path), help="Where the ZIP goes.")
@reporting
async def export(output: Output, person: UUID, to: Path) -> None:
    """Write what is kept about a person to a ZIP of JSON files."""
    from joule.kernel.ids import PersonId
    from joule.privacy import exporting
    from joule.privacy.actions import ExportPerson

    async with opened() as (house, who):
        whose = PersonId(person)
        asked = await house.commands.perform(ExportPerson(principal=who, person=whose))
        async with house.database.read(who.org) as session:
            kept = await exporting.told(session, house.rooms.tell_person, who.org, whose)
        await asyncio.to_thread(to.write_bytes, exporting.package(kept, person=whose, at=house.clock.now()))
    output.result(
        {"file": str(to), "holds": {each.what: each.count for each in asked.holds}},
        f"{to}: {json.dumps({each.what: each.count for each in asked.holds})}",
    )


def _told(erased: "Erased") -> str:
    from joule.privacy.receipts import STAYS

    went = ", ".join(f"{each.count} {each.what}" for each in erased.went) or "nothing"
    stays = "\n".join(f"  stays: {STAYS.get(code, code)}" for code in erased.stays)
    return f"Erased: {went}\n{stays}\nReceipt {erased.receipt}: joule privacy receipts {erased.receipt}"


def _counts(went: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in went.items())
