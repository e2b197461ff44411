"""Puts planted words wherever memory, documents, policies and the hosts that code may reach keep any."""

import json
from typing import Any

from joule.assembly import House
from joule.bench._planted import Planted
from joule.governance.rules.actions import DraftPolicy, PublishPolicy
from joule.kernel.principal import Principal, Role, Via
from memory.actions import CreateProject
from memory.entries.actions import PutEntry, SearchEntries
from memory.items.actions import DeclineItem, ExportItems, ProposeItem, Recall, Remember
from memory.knowledge.actions import AddDocument, IndexDocument, ReadDocument, RenameDocument, SearchKnowledge
from sandbox.egress.actions import ListOutsideHost
from sandbox.egress.results import Secret


async def fill(house: House, owner: Principal, planted: Planted) -> None:
    """Keep one of each, and ask for each again."""
    perform, word = house.commands.perform, planted.word
    await _policies(house, owner, planted)
    made = await perform(CreateProject(principal=owner, title="Kept"))
    about: dict[str, Any] = {"principal": owner, "project": made.project}
    await perform(Remember(text=word("item"), subject=word("subject of an item"), **about))
    await perform(ProposeItem(text=word("proposal"), **about))
    declined = await perform(ProposeItem(text=word("declined proposal"), **about))
    await perform(DeclineItem(item=declined.item, **about))
    await perform(Recall(query=word("question to memory"), **about))
    await perform(ExportItems(**about))
    entry = json.dumps({word("field of an entry"): word("value of an entry")})
    namespace, key = (word("namespace of an entry"),), word("key of an entry")
    await perform(PutEntry(namespace=namespace, key=key, value=entry, **about))
    await perform(SearchEntries(query=word("question to entries"), **about))
    await _document(house, about, planted)
    await perform(
        ListOutsideHost(
            principal=owner,
            host=f"{word('host that code may reach')}.example.com",
            header="Authorization",
            secret=Secret(planted.secret("key of a host that code may reach")),
        )
    )


async def _policies(house: House, owner: Principal, planted: Planted) -> None:
    """One on trial, which what follows is judged by, and one that is a draft."""
    perform, word = house.commands.perform, planted.word
    for where in ("on trial", "of a draft"):
        text = (
            f'@id("{word(f"name of a policy {where}")}") @reason("{word(f"reason of a policy {where}")}") '
            'forbid (principal, action == Joule::Action::"memory.recall", resource);'
        )
        saved = await perform(DraftPolicy(principal=owner, text=text))
        if where == "on trial":
            await perform(PublishPolicy(principal=owner, version=saved.version))


async def _document(house: House, about: dict[str, Any], planted: Planted) -> None:
    perform, word = house.commands.perform, planted.word
    text = f"# {word('heading of a document')}\n\nThe words are {word('body of a document')}.\n"
    added = await perform(AddDocument(title=f"{word('title of a document')}.md", content=text.encode(), **about))
    system = Principal(org=about["principal"].org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    document = added.document
    await perform(IndexDocument(principal=system, project=about["project"], document=document))
    await perform(ReadDocument(document=document, **about))
    await perform(SearchKnowledge(query=word("body of a document"), **about))
    await perform(RenameDocument(document=document, title=word("new title of a document"), **about))
