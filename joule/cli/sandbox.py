"""`joule sandbox`: whether code can be run safely here, what runs, and what it may import."""

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, cast
from uuid import UUID, uuid4

import click

from joule.cli._installation import opened, read_settings
from joule.cli._output import Failed, Output, reporting, table
from joule.kernel.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sandbox.contract import Event, Exited, Sandbox
    from sandbox.queries import SessionView


@click.group("sandbox")
def command() -> None:
    """Try, list and end sandboxes; install what code in them may import."""


KIND = click.Choice(["local", "gvisor", "e2b"])


@command.command("probe")
@click.option("--kind", type=KIND, help="Try this kind, in place of the usual one.")
@reporting
async def probe(output: Output, kind: str | None) -> None:
    """Start a sandbox, run something in it, and say whether it held.

    Exits with 1, and says what to do, when none can be started: then no code is run at all.
    """
    from sandbox.configured import probed

    found = await probed(read_settings(), clock=SystemClock(), kind=kind)
    words = f"The {found.backend} sandbox started and held. Its boundary: {found.boundary.value}."
    if not found.ok:
        words = f"No {found.backend} sandbox: {found.reason}\nWhat to do: {found.fix}"
    output.result(found, words)
    if not found.ok:
        raise Failed


@command.command("install-pack")
@reporting
async def install_pack(output: Output) -> None:
    """Install pandas, numpy, matplotlib, pillow and openpyxl for code in sandboxes.

    Every file comes by hash. Interrupted, it goes on where it was. About 300 MB; it changes nothing of Joule's own.
    """
    from sandbox.pack import Packs
    from sandbox.pack_building import install

    settings = read_settings()
    settings.home.mkdir(mode=0o711, parents=True, exist_ok=True)
    packs = Packs(settings.packs)
    made = await install(packs, clock=SystemClock(), say=output.say)
    words = "Installed" if made else "It is there already, and sound"
    output.result({"installed": made, "folder": packs.folder}, f"{words}: {packs.folder}")


@command.command("run")
@click.argument("program", type=click.File("rb"))
@click.option("--kind", type=KIND, help="Use this kind, in place of the usual one.")
@reporting
async def run(output: Output, program: BinaryIO, kind: str | None) -> None:
    """Run a Python file of yours (- for standard input) in a sandbox of its own, with no file of any project.

    Nothing of it is kept. Exits with 0 only when the program did.
    """
    from sandbox.configured import backend_of, spec_of

    settings = read_settings()
    backend = backend_of(settings, clock=SystemClock(), kind=kind)
    try:
        spec = replace(spec_of(settings), labels={"for": "operator"})
        sandbox = await backend.create(spec, key=uuid4().hex)
        said, ended = await _heard(sandbox, program.read().decode(errors="replace"), output)
    finally:
        await backend.close()
    output.result({**said, "code": ended.code, "killed_by": ended.killed_by, "seconds": ended.seconds}, _end(ended))
    if ended.code != 0:
        raise Failed


async def _heard(sandbox: "Sandbox", code: str, output: Output) -> "tuple[dict[str, str], Exited]":
    from sandbox.contract import Exited

    said = {"stdout": "", "stderr": ""}
    async with aclosing(cast("AsyncGenerator[Event]", sandbox.run_python(code))) as events:
        async for event in events:
            if isinstance(event, Exited):
                return said, event
            text = _shown(event.data.decode(errors="replace"))
            said[event.stream] += text
            if event.stream == "stdout":
                output.stream(text)
            elif not output.as_json:
                click.echo(text, nl=False, err=True)
    raise Failed


def _shown(text: str) -> str:
    """Without what would steer a terminal."""
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def _end(ended: "Exited") -> str:
    if ended.killed_by is not None:
        return f"Ended after {ended.seconds:.1f} s: {ended.killed_by.value}"
    return f"Ended after {ended.seconds:.1f} s with {'a signal' if ended.code is None else ended.code}"


@command.command("list")
@reporting
async def list_sessions(output: Output) -> None:
    """List sandbox sessions, newest first, ended ones too."""
    from sandbox import queries

    async with opened() as (house, person), house.database.read(person.org) as session:
        found = await queries.list_sessions(session, person.org, reader=person.person)
    output.result(
        {"sessions": found}, lambda: table(("session", "state", "boundary", "runs", "until"), map(_row, found))
    )


def _row(view: "SessionView") -> tuple[object, ...]:
    state = view.state if view.cause is None else f"{view.state} ({view.cause})"
    return view.session, state, view.boundary, view.runs, f"{view.ended_at or view.expires_at:%Y-%m-%d %H:%M}"


@command.command("kill")
@click.argument("session", type=click.UUID)
@reporting
async def kill(output: Output, session: UUID) -> None:
    """End a sandbox session, whatever runs in it. The worker that holds it ends it within seconds."""
    from sandbox.actions import EndSession

    async with opened() as (house, person):
        ended = await house.commands.perform(EndSession(principal=person, session=session))
    output.result(ended, f"Ended {ended.session}")


@command.command("choose")
@click.argument("kind", type=KIND, required=False)
@click.option("--usual", is_flag=True, help="Leave it to the operator again.")
@reporting
async def choose(output: Output, kind: str | None, usual: bool) -> None:
    """Choose the KIND of sandbox your organisation's code runs in; without one, say what is chosen.

    The kind is tried first. Sessions of another kind end with their next use.
    """
    from sandbox.actions import ChooseBackend
    from sandbox.choosing import choice_of

    if kind is not None and usual:
        raise click.UsageError("Name a kind, or give --usual.")
    async with opened() as (house, person):
        backends = house.sandboxes.backends
        if kind is None and not usual:
            async with house.database.read(person.org) as session:
                chosen = await choice_of(session, person.org)
            found = {"chosen": chosen, "usual": backends.usual, "offered": list(backends.kinds)}
            whose = "the operator's choice" if chosen is None else "your organisation's choice"
            output.result(found, f"{chosen or backends.usual} ({whose}); offered: {', '.join(backends.kinds)}")
            return
        if kind is not None and not (probe := await backends.probed(kind)).ok:
            output.result(probe, f"No {kind} sandbox: {probe.reason}\nWhat to do: {probe.fix}\nNothing was changed.")
            raise Failed
        made = await house.commands.perform(ChooseBackend(principal=person, backend=kind))
    output.result(made, f"Code runs in {made.backend} sandboxes from now on. Their boundary: {made.boundary}.")
