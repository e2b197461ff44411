"""`joule trace`: the journal of a task, row by row, and what proves it."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Failed, Output, plain, reporting, table
from joule.cli.access import command as access
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.ids import TaskId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traces.proof.queries import DeliveryState, Head
    from traces.proof.signing import PublicKey
    from traces.proof.verifying import Checked


@click.group("trace")
def command() -> None:
    """Show a task's journal, take it along, check that it is as it was written."""


command.add_command(access)


@command.command("show")
@click.argument("task", type=click.UUID)
@click.option(
    "--content", is_flag=True, help="With the words too, which is put on record; without it only what support sees."
)
@reporting
async def show(output: Output, task: UUID, content: bool) -> None:
    """Check every row against its chain, then show them. A read of the words stands in the organisation's log first."""
    from traces import reader

    async with opened() as (house, person):
        async with house.database.read(person.org) as session:
            checked = await reader.verify_task(session, person.org, TaskId(task))
            events = await reader.events(session, None, person.org, TaskId(task))
        if content:
            from joule.cli.access import read

            events = list((await read(house, person, TaskId(task))).events)
    if not events:
        raise NotFound("task")
    rows = [
        (each.seq, f"{each.at:%H:%M:%S.%f}"[:-3], each.kind, each.call or "", each.attrs.get("action", ""))
        for each in events
    ]
    heads = ("row", "time (UTC)", "kind", "call", "action")
    output.result(
        {"task": task, "rows_checked": checked, "events": events},
        lambda: f"{table(heads, rows)}\n{checked} rows; the chain is whole.",
    )


@command.command("export")
@click.argument("task", type=click.UUID)
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), help="Where to; else beside you, by its name."
)
@click.option("--sealed", is_flag=True, help="With the ciphertexts, which nobody can read without the keys.")
@click.option("--content", is_flag=True, help="With all words in clear, each with what proves it.")
@reporting
async def export(output: Output, task: UUID, target: Path | None, sealed: bool, content: bool) -> None:
    """Write a task's record into a file that anybody can check, without Joule and for ever.

    Without an option it holds no word of what was said, sealed or not. Never replaces a file.
    """
    from traces.proof.actions import ExportContent, ExportRecord

    if sealed and content:
        raise Invalid("both --sealed and --content were asked for", advice="Choose one of the two.")
    async with opened() as (house, person):
        if content:
            made = await house.commands.perform(ExportContent(principal=person, task=TaskId(task)))
        else:
            made = await house.commands.perform(ExportRecord(principal=person, task=TaskId(task), sealed=sealed))
    path = target or Path(made.file_name)
    _write(path, made.content.get_secret_value())
    told = {"task": task, "file": path, "rows": made.rows, "bytes": made.size, "sha256": made.sha256}
    output.result(told, f"Wrote {path}: {made.rows} rows.\nCheck it anywhere with `joule trace verify {path}`.")


@command.command("verify")
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", help="A public key of the installation that you got elsewhere.")
@click.option(
    "--head", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True, help="A head you kept."
)
@reporting
async def verify(output: Output, bundle: Path, key: str | None, head: tuple[Path, ...]) -> None:
    """Check a bundle: whole, in order, signed, and agreeing with heads that were kept.

    Needs no installation, no database and no network. Exits with 1 when anything is not as it should be.
    """
    from traces import verify as verifier

    try:
        report = verifier.check(bundle, pinned=key, kept=[each.read_text(encoding="utf-8") for each in head])
    except verifier.Broken as problem:
        output.result(
            {"intact": False, "where": problem.where, "what": problem.what},
            f"NOT INTACT  {problem}\nKeep the file as it is, and tell whoever gave it to you.",
        )
        raise Failed from None
    output.result({"intact": True, **plain(report)}, lambda: "\n".join(report.lines()))


@command.command("heads")
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), help="Write the newest head into this file.")
@reporting
async def heads(output: Output, target: Path | None) -> None:
    """Show the public keys of this installation, the last signed head of each tree, and where heads are sent.

    Keep a head and a key outside of Joule: they are what a rewritten history cannot agree with.
    """
    from traces.proof import queries

    async with opened() as (house, person):
        keys = await house.proofs.signing.keys()
        async with house.database.read(person.org) as session:
            found = await queries.newest_heads(session, person.org)
            sent = await queries.deliveries(session, house.vault, person.org)
    if target is not None:
        if not found:
            raise NotFound("signed head")
        _write(target, found[0].note.encode())
    told = [{"key": each.line, "current": each.is_current, "statement": each.statement} for each in keys]
    output.result({"keys": told, "heads": found, "sent": sent}, lambda: _shown(keys, found, sent))


def _shown(keys: "Sequence[PublicKey]", found: "Sequence[Head]", sent: "Sequence[DeliveryState]") -> str:
    rows = [(each.retention, each.day, each.size, f"{each.at:%Y-%m-%d %H:%M:%S}", each.root[:16]) for each in found]
    lines = ["Public keys:", *(f"  {each.line}{'' if each.is_current else '  (former)'}" for each in keys), ""]
    if not keys:
        lines = ["Nothing was signed yet: a running worker seals the journal every minute.", ""]
    lines.append(table(("kept for", "day", "seals", "signed (UTC)", "root"), rows))
    for each in sent:
        trouble = f"; last try: {each.problem.replace('_', ' ')}" if each.problem else ""
        lines.append(f"Sent to {each.host or 'the bucket'}: {each.waiting} waiting{trouble}")
    return "\n".join(lines)


def _write(path: Path, content: bytes) -> None:
    """A new file, for its owner alone. Raises `Invalid` where there is one."""
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            file.write(content)
    except OSError as problem:
        raise Invalid(f"{path} cannot be written ({problem.strerror})", advice="Name a new file with -o.") from None


@command.command("check")
@reporting
async def check(output: Output) -> None:
    """Check the organisation's whole journal where it lies, against its signed heads.

    Opens no key and reads no content. Exits with 1 when anything is not as it was written.
    """
    async with opened() as (house, person):
        found: Checked | None = None
        async for found in house.proofs.verify(person.org):
            if not found.done:
                output.say(f"{found.heads} heads, {found.seals} seals, {found.chains} records, {found.rows} rows")
    if found is None:
        raise NotFound("journal")
    problems = [f"NOT INTACT  {each.where}: {each.what}" for each in found.problems]
    whole = (
        "Everything is as it was written."
        if not problems
        else "Compare with heads kept elsewhere before anything else."
    )
    later = f" {found.unsealed} records have rows no head speaks for yet." if found.unsealed else ""
    output.result(
        found,
        "\n".join([*problems, f"{found.rows} rows of {found.chains} records, {found.heads} heads. {whole}{later}"]),
    )
    if problems:
        raise Failed


@command.command("deliver")
@click.option("--to", "url", help="An https address that shall receive every new head.")
@click.option("--off", is_flag=True, help="Send them there no more.")
@reporting
async def deliver(output: Output, url: str | None, off: bool) -> None:
    """Choose where the organisation's signed heads are sent. The operator's bucket is a setting: JOULE_PROOF_BUCKET."""
    from traces.proof.actions import ChooseDelivery

    if (url is None) is not off:
        raise Invalid("say where heads shall go", advice="Give either --to ADDRESS or --off.")
    async with opened() as (house, person):
        chosen = await house.commands.perform(ChooseDelivery(principal=person, url=url or ""))
    output.result({"on": chosen.on}, "A worker sends every new head there." if chosen.on else "Heads go to no webhook.")


@command.command("rotate-key")
@reporting
async def rotate_key(output: Output) -> None:
    """Sign heads with a fresh key from now on. What the former one signed stays checkable; its private half is destroyed."""
    from joule.identity.deployment import DEPLOYMENT
    from joule.kernel.principal import Principal, Role, Via
    from traces.proof.actions import RotateSigningKey

    async with opened() as (house, _):
        system = Principal(org=DEPLOYMENT, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        made = await house.commands.perform(RotateSigningKey(principal=system))
    told = {"ordinal": made.ordinal, "key": made.public_key}
    output.result(told, f"Key {made.ordinal} signs from now on. Give it to whoever checks bundles:\n{made.public_key}")
