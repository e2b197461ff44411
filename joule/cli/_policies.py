"""The organisation's own policies on the command line: listed, drafted, asked "what if", tried, enforced, rolled back."""

from typing import TYPE_CHECKING, Any, TextIO
from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import TaskId

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.governance.rules.queries import VersionView
    from joule.governance.rules.results import PolicyChanged, State
    from joule.kernel.ids import OrgId
    from joule.kernel.principal import Principal
    from joule.replay.judging import TaskWhatIf
    from joule.replay.queries import WhatIfView

_NUMBER = click.argument("number", type=click.IntRange(min=1), required=False)


@click.command("list")
@reporting
async def list_versions(output: Output) -> None:
    """List the versions of your organisation's own policies, and where each stands."""
    async with opened() as (house, person):
        found = await _versions(house, person.org)
    rows = [(each.number, each.state.value, each.policies, f"{each.changed_at:%Y-%m-%d %H:%M}") for each in found]
    told = [{name: value for name, value in vars(each).items() if name != "source"} for each in found]
    output.result({"versions": told}, lambda: table(("version", "state", "policies", "since (UTC)"), rows))


@click.command("show")
@click.argument("number", type=click.IntRange(min=1))
@reporting
async def show(output: Output, number: int) -> None:
    """Print the text of one version."""
    async with opened() as (house, person):
        found = await _numbered(house, person.org, number)
    output.result(found, found.source if found.source is not None else "(it cannot be read any more)")


@click.command("draft")
@click.argument("file", type=click.File(encoding="utf-8"))
@reporting
async def draft(output: Output, file: TextIO) -> None:
    """Save a file as the draft, in place of the draft there is. It changes nothing until it is published."""
    from joule.governance.rules.actions import DraftPolicy
    from joule.governance.rules.queries import checked

    text = file.read()
    async with opened() as (house, person):
        found = checked(text, base=house.policy)
        if found.problem:
            raise Invalid(found.problem, advice=found.advice)
        saved = await house.commands.perform(DraftPolicy(principal=person, text=text))
    output.result(saved, f"Version {saved.number} is the draft: {saved.policies} policies. Next: joule policy what-if")


@click.command("what-if")
@click.option(
    "--version", "number", type=click.IntRange(min=1), help="Which version; else the draft, else the one on trial."
)
@click.option("--in-force", is_flag=True, help="Ask what is in force now, in place of a version.")
@click.option("--days", type=click.IntRange(1, 2557), default=30, show_default=True, help="How far back.")
@click.option("--task", type=click.UUID, help="Judge the decisions of this one task.")
@reporting
async def what_if(output: Output, number: int | None, in_force: bool, days: int, task: UUID | None) -> None:
    """Judge what was decided again, by the facts recorded with it. Runs nothing and reads no content."""
    from joule.replay import queries
    from joule.replay.actions import AskWhatIfOfTask, BeginWhatIf, GoOnWithWhatIf

    async with opened() as (house, person):
        version = None if in_force else await _asked(house, person.org, number)
        if task is not None:
            told = await house.commands.perform(AskWhatIfOfTask(principal=person, task=TaskId(task), version=version))
            output.result(told, lambda: _of_task(told))
            return
        begun = await house.commands.perform(BeginWhatIf(principal=person, days=days, version=version))
        how_far = begun
        while not how_far.done:
            how_far = await house.commands.perform(GoOnWithWhatIf(principal=person, what_if=begun.what_if))
            output.say(f"{how_far.percent} %, {how_far.decisions:,} decisions")
        async with house.database.read(person.org) as session:
            found = await queries.what_if(session, person.org, begun.what_if)
    output.result(found, lambda: _of_days(found))


@click.command("publish")
@_NUMBER
@reporting
async def publish(output: Output, number: int | None) -> None:
    """Put the draft on trial: where it would decide otherwise is recorded, and nothing is refused."""
    from joule.governance.rules.actions import PublishPolicy
    from joule.governance.rules.results import State

    changed = await _moved(PublishPolicy, number, State.DRAFT)
    output.result(changed, f"Version {changed.number} is on trial. Next: joule policy enforce")


@click.command("enforce")
@_NUMBER
@reporting
async def enforce(output: Output, number: int | None) -> None:
    """Have the version on trial decide from now on, in place of the one in force."""
    from joule.governance.rules.actions import EnforcePolicy
    from joule.governance.rules.results import State

    changed = await _moved(EnforcePolicy, number, State.TRIAL)
    output.result(changed, f"Version {changed.number} is in force.")


@click.command("withdraw")
@_NUMBER
@reporting
async def withdraw(output: Output, number: int | None) -> None:
    """End the trial."""
    from joule.governance.rules.actions import WithdrawPolicy
    from joule.governance.rules.results import State

    changed = await _moved(WithdrawPolicy, number, State.TRIAL)
    output.result(changed, f"Version {changed.number} is on trial no more.")


@click.command("rollback")
@reporting
async def rollback(output: Output) -> None:
    """Take the version in force out of force, and bring the one before it back."""
    from joule.governance.rules.actions import RollBackPolicy

    async with opened() as (house, person):
        back = await house.commands.perform(RollBackPolicy(principal=person))
    now = (
        f"version {back.restored} is in force again"
        if back.restored
        else "only the policies Joule comes with are in force"
    )
    output.result(back, f"Version {back.number} is out of force; {now}.")


COMMANDS = (list_versions, show, draft, what_if, publish, enforce, withdraw, rollback)


async def _versions(house: "House", org: "OrgId") -> "list[VersionView]":
    from joule.governance.rules import queries

    async with house.database.read(org) as session:
        return await queries.versions(session, house.vault, org)


async def _numbered(house: "House", org: "OrgId", number: int) -> "VersionView":
    found = next((each for each in await _versions(house, org) if each.number == number), None)
    if found is None:
        raise NotFound("policy version")
    return found


async def _in_state(house: "House", org: "OrgId", number: int | None, *states: "State") -> UUID:
    """The version that is meant. Raises `NotFound`."""
    if number is not None:
        return (await _numbered(house, org, number)).version
    for state in states:
        for each in await _versions(house, org):
            if each.state is state:
                return each.version
    raise NotFound(f"{states[0].value} policy" if states else "policy version")


async def _asked(house: "House", org: "OrgId", number: int | None) -> UUID:
    from joule.governance.rules.results import State

    return await _in_state(house, org, number, State.DRAFT, State.TRIAL, State.ENFORCED)


async def _moved(kind: Any, number: int | None, state: "State") -> "PolicyChanged":
    async with opened() as (house, person):
        return await _performed(house, person, kind, await _in_state(house, person.org, number, state))


async def _performed(house: "House", person: "Principal", kind: Any, version: UUID) -> "PolicyChanged":
    changed: PolicyChanged = await house.commands.perform(kind(principal=person, version=version))
    return changed


def _of_task(told: "TaskWhatIf") -> str:
    rows = [
        (
            each.seq,
            each.action,
            each.then.value,
            each.now.value,
            ", ".join(each.policies_now),
            "?" if each.unknown_after else "",
        )
        for each in told.lines
    ]
    changed = sum(each.change.value != "unchanged" for each in told.lines)
    heads = ("row", "action", "then", "now", "by", "still so")
    return f'{table(heads, rows)}\n{changed} of {len(rows)} would change. "?": it might never have come to this.'


def _of_days(found: "WhatIfView") -> str:
    rows = [
        (each.action, each.then.value, each.now.value, each.times, ", ".join(str(e.task) for e in each.examples[:1]))
        for each in found.changed
    ]
    changed = sum(each.times for each in found.changed)
    lines = [table(("action", "then", "now", "times", "for example task"), rows)] if rows else []
    return "\n".join([*lines, f"{changed:,} of {found.decisions:,} decisions would change."])
