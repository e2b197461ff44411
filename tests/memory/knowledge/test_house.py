"""In a whole house: a document that a person brings is read by a worker, found and forgotten, all through the gate."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from joule.kernel.errors import Refused
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from memory.knowledge import queries
from memory.knowledge.actions import (
    AddDocument,
    DeleteDocument,
    IndexDocument,
    ListDocuments,
    SearchKnowledge,
    SetMasking,
)
from tests.support.house import Home, home

BRIEF = b"# Brief\n\nThe spring launch starts on the second of March.\n"


async def do(here: Home, kind: Any, /, **fields: Any) -> Any:
    return await here.house.commands.perform(kind(**{"principal": here.owner, "project": here.project, **fields}))


async def ready(here: Home, document: Any) -> None:
    """Wait until a worker has read the document."""
    async with asyncio.timeout(60):
        while True:
            async with here.house.database.read(here.org) as session:
                keyring = await here.house.vault.keyring(session, here.org)
                found = await queries.document_by_id(session, keyring, here.project, document, reader=None)
            if not found.document.state.is_under_way:
                assert found.document.state == "ready", found.document.failure
                return
            await asyncio.sleep(0.05)


async def test_what_a_person_brings_a_worker_reads_and_a_search_finds_until_it_is_deleted(settings: Settings) -> None:
    async with home(settings) as here:
        stop = asyncio.Event()
        working = asyncio.create_task(here.serve(stop))
        try:
            added = await do(here, AddDocument, title="brief.md", content=BRIEF)
            await ready(here, added.document)
        finally:
            stop.set()
            await working

        found = await do(here, SearchKnowledge, query="When does the spring launch start?")
        erased = await do(here, DeleteDocument, document=added.document)
        after = await do(here, SearchKnowledge, query="When does the spring launch start?")

    assert "second of March" in found.passages[0].text
    assert (erased.chunks, after.passages) == (1, ())


async def test_people_workers_and_the_agent_may_do_what_is_theirs(settings: Settings) -> None:
    async with home(settings) as here:
        system = Principal(org=here.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        added = await do(here, AddDocument, title="brief.md", content=BRIEF)
        member = replace(here.owner, role=Role.MEMBER)

        for who, what, fields in (
            (here.owner, IndexDocument, {"document": added.document}),
            (system, SearchKnowledge, {"query": "launch"}),
            (system, DeleteDocument, {"document": added.document}),
            (member, SetMasking, {"masked": ()}),
            (replace(here.owner, role=Role.SUPPORT), ListDocuments, {}),
        ):
            with pytest.raises(Refused):
                await do(here, what, principal=who, **fields)

        assert (await do(here, IndexDocument, principal=system, document=added.document)).state == "ready"
        assert len((await do(here, SearchKnowledge, principal=member, query="launch")).passages) == 1
        assert (await do(here, SetMasking, masked=(), project=None)).masked == ("card",)
