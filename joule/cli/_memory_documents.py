"""`joule memory` and the knowledge base: bring documents in, and find what they say."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from joule.cli._installation import opened
from joule.cli._output import Failed, Output, reporting, table
from joule.cli._projects import project_of
from joule.kernel.errors import Invalid, JouleError
from joule.kernel.ids import ProjectId

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.kernel.principal import Principal
    from memory.knowledge.results import Passage

LOOKED_EVERY = 0.5  # seconds
MOST_FILES = 1_000  # of one command

in_project: Callable[[Any], Any] = click.option(
    "--project", "-p", help="Title or id; without it, the only project there is."
)


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--wait", default=0, metavar="SECONDS", help="Wait so long until they are read; 0 does not wait.")
@in_project
@reporting
async def ingest(output: Output, paths: tuple[Path, ...], wait: int, project: str | None) -> None:
    """Add files, or all files of folders, to a project's knowledge base.

    A running worker reads them; `--wait` follows that. The same file again is the same document; another file of the
    same name is a new version of it. Exits with 1 when one could not be kept or read.
    """
    from memory.knowledge.actions import AddDocument

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        told: list[dict[str, Any]] = []
        for path in _files(paths):
            content = await asyncio.to_thread(path.read_bytes)
            try:
                added = await house.commands.perform(
                    AddDocument(
                        principal=person, project=chosen, title=path.name, content=content, expected_bytes=len(content)
                    )
                )
            except Invalid as problem:
                told.append({"file": path.name, "document": None, "state": "refused", **_said(problem)})
                continue
            known = added.duplicate_of is not None
            told.append({"file": path.name, "document": added.document, "state": added.state, "duplicate": known})
        if wait > 0:
            await _followed(house, person, chosen, told, output, until=monotonic() + wait)
    output.result({"documents": told}, lambda: _shown(told))
    if any(each["state"] in {"refused", "failed"} for each in told):
        raise Failed


async def passages(
    house: "House", person: "Principal", project: ProjectId, query: str, limit: int
) -> tuple[tuple["Passage", ...], str]:
    """What the documents say about something, and how it was searched."""
    from memory.knowledge.actions import SearchKnowledge

    found = await house.commands.perform(SearchKnowledge(principal=person, project=project, query=query, limit=limit))
    return found.passages, found.how


async def _followed(
    house: "House", person: "Principal", project: ProjectId, told: list[dict[str, Any]], output: Output, *, until: float
) -> None:
    """Puts into `told` how far each document is, until all have come to an end or the time is over."""
    from memory.knowledge import queries
    from memory.knowledge.reading.errors import unreadable

    waiting = {each["document"]: each for each in told if each["document"] is not None}
    while waiting and monotonic() < until:
        async with house.database.read(person.org) as session:
            keyring = await house.vault.keyring(session, person.org)
            views = await queries.list_documents(session, keyring, project, reader=person.person)
        for view in views:
            if view.document not in waiting or view.state.is_under_way:
                continue
            line = waiting.pop(view.document)
            line |= {"state": view.state.value, "pages": view.pages, "passages": view.chunks}
            if view.failure is not None:
                line |= _said(unreadable(view.failure))
            output.say(f"{line['file']}: {view.state.value}")
        if waiting:
            await asyncio.sleep(LOOKED_EVERY)


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    found = [inside for path in paths for inside in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    chosen = [each for each in found if each.is_file() and not each.name.startswith(".")]
    if len(chosen) > MOST_FILES:
        raise Invalid(f"there are {len(chosen)} files", advice=f"Name at most {MOST_FILES} at once.")
    return iter(chosen)


def _said(problem: JouleError) -> dict[str, str]:
    return {"code": problem.code, "message": str(problem), "advice": problem.advice()}


def _shown(told: list[dict[str, Any]]) -> str:
    rows = [
        (
            each["document"] or "",
            each["state"],
            each["file"],
            each.get("message", "") and f"{each['message']}. {each['advice']}",
        )
        for each in told
    ]
    return table(("document", "state", "file", ""), rows)


def as_lines(found: tuple["Passage", ...]) -> list[str]:
    """Passages for people: title, page, and the beginning of the text."""
    return [
        f"{each.title}{f', page {each.page}' if each.page is not None else ''}: {' '.join(each.text.split())[:200]}"
        for each in found
    ]
