"""`joule memory`: what is remembered in a project."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from joule.cli._installation import opened
from joule.cli._memory_documents import as_lines, ingest
from joule.cli._memory_documents import passages as passages_of
from joule.cli._output import Output, reporting, table
from joule.cli._projects import project_of
from joule.kernel.errors import NotFound
from joule.kernel.ids import ItemId, ProjectId

if TYPE_CHECKING:
    from joule.assembly import House
    from joule.kernel.principal import Principal
    from memory.results import RecalledItem

in_project: Callable[[Any], Any] = click.option(
    "--project", "-p", help="Title or id; without it, the only project there is."
)


@click.group("memory")
def command() -> None:
    """See, search, edit and forget what is remembered."""


command.add_command(ingest)


@command.command("list")
@in_project
@reporting
async def list_items(output: Output, project: str | None) -> None:
    """List all that is remembered in a project, pinned first, then newest first."""
    async with opened() as (house, person):
        items = await _items(house, person, await project_of(house, person, project))
    output.result({"items": items}, lambda: _shown(items))


@command.command("search")
@click.argument("query")
@in_project
@click.option("--limit", default=8, show_default=True, help="How many passages of documents at most.")
@reporting
async def search(output: Output, query: str, project: str | None, limit: int) -> None:
    """Search remembered items, the project's documents and its files; best first."""
    from memory import queries

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        async with house.database.read(person.org) as session:
            keyring = await house.vault.keyring(session, person.org)
            found = await queries.search(session, keyring, chosen, query, reader=person.person, now=house.clock.now())
        passages, how = await passages_of(house, person, chosen, query, limit)
    lines = [*as_lines(passages), *(f"{hit.name}, line {hit.line}: {hit.snippet}" for hit in found.hits)]
    told = {"items": found.items, "passages": passages, "hits": found.hits, "how": how, "complete": found.complete}
    output.result(told, lambda: "\n".join([_shown(found.items), *lines]))


@command.command("show")
@click.argument("item", type=click.UUID)
@in_project
@reporting
async def show(output: Output, item: UUID, project: str | None) -> None:
    """Show one remembered item: its text, where it came from and since when it is known."""
    async with opened() as (house, person):
        items = await _items(house, person, await project_of(house, person, project))
    found = next((each for each in items if each.item == item), None)
    if found is None:
        raise NotFound("item")
    output.result(found, lambda: _shown([found]))


@command.command("edit")
@click.argument("item", type=click.UUID)
@click.argument("text")
@in_project
@reporting
async def edit(output: Output, item: UUID, text: str, project: str | None) -> None:
    """Change the text of an item; what it said before is gone."""
    from memory.actions import EditItem

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        done = await house.commands.perform(EditItem(principal=person, project=chosen, item=ItemId(item), text=text))
    output.result(done, "Changed.")


@command.command("forget")
@click.argument("item", type=click.UUID)
@in_project
@reporting
async def forget(output: Output, item: UUID, project: str | None) -> None:
    """Erase an item. There is no way back."""
    from memory.actions import ForgetItem

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        done = await house.commands.perform(ForgetItem(principal=person, project=chosen, item=ItemId(item)))
    output.result(done, "Forgotten.")


async def _items(house: "House", person: "Principal", project: ProjectId) -> tuple["RecalledItem", ...]:
    from memory import queries

    async with house.database.read(person.org) as session:
        keyring = await house.vault.keyring(session, person.org)
        return await queries.list_items(session, keyring, project, reader=person.person, now=house.clock.now())


def _shown(items: Iterable["RecalledItem"]) -> str:
    rows = [(each.item, each.kind, "pinned" if each.pinned else "", " ".join(each.text.split())) for each in items]
    return table(("item", "kind", "", "text"), rows)
