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
@click.option("--proposed", is_flag=True, help="What waits for a person to agree, instead.")
@in_project
@reporting
async def list_items(output: Output, project: str | None, proposed: bool) -> None:
    """List all that is remembered in a project, pinned first, then newest first."""
    async with opened() as (house, person):
        items = await _items(house, person, await project_of(house, person, project), proposed=proposed)
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
    output.result(found, lambda: _told(found))


@command.command("edit")
@click.argument("item", type=click.UUID)
@click.argument("text")
@in_project
@reporting
async def edit(output: Output, item: UUID, text: str, project: str | None) -> None:
    """Change the text of an item; what it said before is gone."""
    from memory.items.actions import EditItem

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        done = await house.commands.perform(EditItem(principal=person, project=chosen, item=ItemId(item), text=text))
    output.result(done, "Changed.")


@command.command("export")
@click.option("--for-training", is_flag=True, help="Only what owners have let train a model; the rest is listed.")
@in_project
@reporting
async def export(output: Output, project: str | None, for_training: bool) -> None:
    """Print everything that is remembered in a project, with where it came from.

    With `--for-training` only items of which every class has an owner's standing consent; what is held back is listed
    with the reason. Exits with 3 when no owner has consented.
    """
    from memory.items.actions import ExportForTraining, ExportItems
    from memory.items.queries import label_for_training

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        if not for_training:
            every = await house.commands.perform(ExportItems(principal=person, project=chosen))
            output.result(every, lambda: _shown(every.items))
            return
        async with house.database.read(person.org) as session:
            label = await label_for_training(session, person.org)
        done = await house.commands.perform(ExportForTraining(principal=person, project=chosen, label=label))
    refused = [(each.item, ", ".join(each.because), ", ".join(each.missing)) for each in done.withheld]
    held_back = table(("held back", "because", "classes without consent"), refused)
    output.result(done, lambda: f"{_shown(done.items)}\n\n{held_back}")


@command.command("forget")
@click.argument("item", type=click.UUID)
@in_project
@reporting
async def forget(output: Output, item: UUID, project: str | None) -> None:
    """Erase an item. There is no way back."""
    from memory.items.actions import ForgetItem

    async with opened() as (house, person):
        chosen = await project_of(house, person, project)
        done = await house.commands.perform(ForgetItem(principal=person, project=chosen, item=ItemId(item)))
    output.result(done, "Forgotten.")


async def _items(
    house: "House", person: "Principal", project: ProjectId, *, proposed: bool = False
) -> tuple["RecalledItem", ...]:
    from memory.items import queries

    look = queries.list_proposals if proposed else queries.list_items
    async with house.database.read(person.org) as session:
        keyring = await house.vault.keyring(session, person.org)
        return await look(session, keyring, project, reader=person.person, now=house.clock.now())


def _told(item: "RecalledItem") -> str:
    sources = ", ".join(f"{each.kind} {each.source}" for each in item.sources) or f"task {item.source_task}"
    facts = {
        "item": item.item,
        "kind": item.kind,
        "text": " ".join(item.text.split()),
        "from": sources,
        "by": f"the agent for {item.author}" if item.via == "agent" else str(item.author or "the system"),
        "words": "someone else's" if item.label.integrity == "untrusted" else "your team's",
        "training": item.label.training.value,
        "known since": f"{item.created_at:%Y-%m-%d %H:%M}",
        "kept until": f"{item.expires_at:%Y-%m-%d %H:%M}" if item.expires_at else "you forget it",
    }
    return table(("", ""), facts.items()).split("\n", 1)[1]


def _shown(items: Iterable["RecalledItem"]) -> str:
    rows = [(each.item, each.kind, "pinned" if each.pinned else "", " ".join(each.text.split())) for each in items]
    return table(("item", "kind", "", "text"), rows)
