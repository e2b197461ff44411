"""`joule artifacts`: what code in sandboxes has left, and until when."""

from pathlib import Path
from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._output import Output, reporting, table
from joule.cli._projects import project_of
from joule.cli.memory import in_project


@click.group("artifacts")
def command() -> None:
    """List, fetch, pin and delete what code in sandboxes has left."""


@command.command("list")
@click.option("--gone", is_flag=True, help="Also those that have ended; of them no name is left.")
@in_project
@reporting
async def list_artifacts(output: Output, project: str | None, gone: bool) -> None:
    """List the artifacts of a project, newest first."""
    from sandbox import queries

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        async with house.database.read(person.org) as session:
            keyring = await house.vault.keyring(session, person.org)
            found = await queries.list_artifacts(
                session, keyring, reader=person.person, now=house.clock.now(), project=chosen, gone=gone
            )
    rows = [
        (
            each.artifact,
            each.name or f"({each.cause})",
            each.size,
            each.media_type,
            "pinned" if each.pinned else f"{each.expires_at:%Y-%m-%d %H:%M}",
        )
        for each in found
    ]
    output.result({"artifacts": found}, lambda: table(("artifact", "name", "bytes", "type", "until"), rows))


@command.command("get")
@click.argument("artifact", type=click.UUID)
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@reporting
async def get(output: Output, artifact: UUID, target: Path) -> None:
    """Write an artifact into a file that is not there yet. Code of nobody you know made it: open it with care."""
    from sandbox import queries

    async with opened() as (house, person), house.database.read(person.org) as session:
        keyring = await house.vault.keyring(session, person.org)
        found = await queries.content_of(
            session, keyring, house.sandboxes.store, artifact, reader=person.person, now=house.clock.now()
        )
    try:
        with target.open("xb") as file:
            file.write(found.content)
    except OSError as problem:
        raise click.ClickException(f"{target}: {problem.strerror}") from None
    output.result({"artifact": artifact, "file": target, "size": len(found.content)}, f"Written to {target}")


@command.command("pin")
@click.argument("artifact", type=click.UUID)
@click.option("--off", is_flag=True, help="Let it end at its date again.")
@reporting
async def pin(output: Output, artifact: UUID, off: bool) -> None:
    """Keep an artifact past its date. It still counts against your organisation's room."""
    from sandbox.actions import PinArtifact

    async with opened() as (house, person):
        done = await house.commands.perform(PinArtifact(principal=person, artifact=artifact, pinned=not off))
    words = "It is kept until it is let go." if done.pinned else f"It ends {done.expires_at:%Y-%m-%d %H:%M} UTC."
    output.result(done, words)


@command.command("delete")
@click.argument("artifact", type=click.UUID)
@reporting
async def delete(output: Output, artifact: UUID) -> None:
    """Delete an artifact now; there is no way back."""
    from sandbox.actions import DeleteArtifact

    async with opened() as (house, person):
        done = await house.commands.perform(DeleteArtifact(principal=person, artifact=artifact))
    output.result(done, "Deleted.")
