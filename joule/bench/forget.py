"""How long it takes to forget a large document, and whether anything of it is found anywhere afterwards.

A document of ten thousand passages is brought in, read and indexed as any other, and something is remembered from it;
beside it stands another that stays. Then it is deleted and the tables are vacuumed. Looked at before and after: searches
by words and by meaning, the pages, the agent's reading, what is remembered, and every row of the tables as the
superuser sees them. Apart from these hits, the files of the tables are searched for the sealed bytes of a sample of
passages: a page that is still in use may hold some in its free space until it is used again.

The journals of those who searched keep what they were shown, sealed, until their own end; they are not counted here.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from joule.assembly import House, open_house
from joule.bench._ground import Ground, ground
from joule.bench.report import Report
from joule.identity.actions import FoundOrganisation
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId, ProjectId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.llm.actions import EmbeddingAim
from joule.llm.providers.base import VectorBatch
from memory.actions import CreateProject
from memory.items.actions import ListItems, Remember
from memory.items.kinds import SourceKind
from memory.items.results import SourceSpan
from memory.knowledge import queries
from memory.knowledge.actions import AddDocument, DeleteDocument, IndexDocument, ReadDocument, SearchKnowledge
from memory.knowledge.embedding.base import DIMENSIONS
from memory.knowledge.vacuuming import vacuum

TARGETS = {"hits_after": {"max": 0.0}, "controls_missed": {"max": 0.0}}
CHUNKS, QUICK = 10_000, 1_000
TABLES = ("document", "document_version", "chunk", "chunk_words", "chunk_vector")
SAMPLE = 200  # passages whose sealed bytes are looked for


class Drawn:
    """A provider's model that draws a direction for each text: what is measured is not the model."""

    provider, model, recipient = "offline", "drawn", "none"

    async def embed(self, texts: Sequence[str], *, aim: EmbeddingAim) -> VectorBatch:
        return VectorBatch(vectors=tuple(map(_drawn, texts)), input_tokens=0)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where it is measured."""

    house: House
    ground: Ground
    owner: Principal
    project: ProjectId

    @property
    def superuser(self) -> str:
        return make_conninfo(self.ground.address.owner_url, user="postgres")


async def run(*, quick: bool, chunks: int | str = 0, **_: object) -> Report:
    """`chunks`: how many passages the document has."""
    count = int(chunks) or (QUICK if quick else CHUNKS)
    async with ground() as here, open_house(here.settings, embeddings=Drawn()) as house:
        place = await _place(house, here)
        system = Principal(org=place.owner.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        stays = await _brought(place, system, "stays.md", ["Herons wade in the shallows of the estuary."])
        began = time.perf_counter()
        document = await _brought(place, system, "goes.md", [f"Pelican {n} nests on rock {n}." for n in range(count)])
        indexing = time.perf_counter() - began
        await _remembered(place, document)
        sample = await asyncio.to_thread(_sealed, place, document)
        before = await _hits(place, document)
        held = await asyncio.to_thread(_in_files, place, sample)
        began = time.perf_counter()
        erased = await house.commands.perform(
            DeleteDocument(principal=place.owner, project=place.project, document=document)
        )
        seconds = time.perf_counter() - began
        after = await _hits(place, document)
        began = time.perf_counter()
        await vacuum(house.database)
        vacuuming = time.perf_counter() - began
        left = await asyncio.to_thread(_in_files, place, sample)
        kept = await _search(place, "Where do herons wade?", document=stays)
    return Report(
        name="forget",
        figures={
            "chunks": erased.chunks,
            "vectors": erased.vectors,
            "index_seconds": round(indexing, 2),
            "seconds": round(seconds, 3),
            "vacuum_seconds": round(vacuuming, 3),
            "hits_before": sum(before.values()),
            "hits_after": sum(after.values()),
            "sealed_in_files_before": held,
            "sealed_in_files_after": left,
            "controls_missed": sum(not found for found in before.values()) + (not kept) + (not held),
        },
        targets=TARGETS,
        notes="; ".join(f"{where}: {found}" for where, found in after.items() if found)
        or f"looked in {', '.join(before)}; files: of {len(sample)} sealed records",
    )


async def _place(house: House, here: Ground) -> Place:
    org = OrgId(new_id())
    system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    made = await house.commands.perform(
        FoundOrganisation(
            principal=system, organisation_name="Forget", owner_name="Ada", owner_email="ada@forget.invalid"
        )
    )
    owner = Principal(org=org, person=made.person, role=Role.OWNER, via=Via.PERSON)
    project = (await house.commands.perform(CreateProject(principal=owner, title="Birds"))).project
    return Place(house=house, ground=here, owner=owner, project=project)


async def _brought(place: Place, system: Principal, title: str, passages: Sequence[str]) -> UUID:
    content = "\n\n".join(f"# Chapter {number}\n\n{text}" for number, text in enumerate(passages)).encode()
    perform = place.house.commands.perform
    added = await perform(AddDocument(principal=place.owner, project=place.project, title=title, content=content))
    indexed = await perform(IndexDocument(principal=system, project=place.project, document=added.document))
    if indexed.state != "ready":
        raise RuntimeError(f"the document is {indexed.state}: {indexed.failure}")
    return added.document


async def _remembered(place: Place, document: UUID) -> None:
    made_from = (SourceSpan(kind=SourceKind.DOCUMENT, source=document),)
    await place.house.commands.perform(
        Remember(principal=place.owner, project=place.project, text="Pelicans nest on rocks", sources=made_from)
    )


async def _hits(place: Place, document: UUID) -> dict[str, int]:
    """How often something of the document is found, by where."""
    perform, owner, project = place.house.commands.perform, place.owner, place.project
    listed = await perform(ListItems(principal=owner, project=project))
    alone = SearchKnowledge(principal=owner, project=project, query="pelican nest", documents=(document,))
    try:
        read = len((await perform(ReadDocument(principal=owner, project=project, document=document))).text)
    except JouleError:
        read = 0
    async with place.house.database.read(owner.org) as session:
        keyring = await place.house.vault.keyring(session, owner.org)
        views = await queries.list_documents(session, keyring, project, reader=owner.person)
    return {
        "search": await _search(place, "Where does pelican 7 nest?", document=document),
        "search of it alone": len((await perform(alone)).passages),
        "reading": read,
        "pages": sum(view.document == document for view in views),
        "remembered": sum("Pelicans" in item.text for item in listed.items),
        "rows": await asyncio.to_thread(_rows, place, document),
    }


async def _search(place: Place, question: str, *, document: UUID) -> int:
    found = await place.house.commands.perform(
        SearchKnowledge(principal=place.owner, project=place.project, query=question, limit=20)
    )
    return sum(passage.document == document for passage in found.passages)


def _rows(place: Place, document: UUID) -> int:
    """Rows of the document, or of its passages, that anybody could see."""
    with psycopg.connect(place.superuser, autocommit=True) as connection:
        counts = [
            connection.execute("SELECT count(*) FROM document WHERE id = %s", [document]).fetchone(),
            *(
                connection.execute(
                    sql.SQL("SELECT count(*) FROM {} WHERE document_id = %s").format(sql.Identifier(table)), [document]
                ).fetchone()
                for table in ("document_version", "chunk")
            ),
            *(
                connection.execute(
                    sql.SQL(
                        "SELECT count(*) FROM {} AS t LEFT JOIN chunk AS c ON c.org_id = t.org_id AND c.id = t.chunk_id"
                        " WHERE c.id IS NULL OR c.document_id = %s"
                    ).format(sql.Identifier(table)),
                    [document],
                ).fetchone()
                for table in ("chunk_words", "chunk_vector")
            ),
        ]
    return sum(row[0] for row in counts if row is not None)


def _sealed(place: Place, document: UUID) -> tuple[bytes, ...]:
    """The last sealed bytes of a sample of passages, and of the document's own."""
    with psycopg.connect(place.superuser, autocommit=True) as connection:
        found = connection.execute(
            "SELECT text FROM chunk WHERE document_id = %s ORDER BY random() LIMIT %s", [document, SAMPLE]
        ).fetchall()
        found += connection.execute(
            "SELECT content FROM document_version WHERE document_id = %s", [document]
        ).fetchall()
    return tuple(bytes(row[0])[-32:] for row in found)


def _in_files(place: Place, sample: Sequence[bytes]) -> int:
    """How many of the sample stand in the files of the tables, their out-of-line values and their indexes."""
    with psycopg.connect(place.superuser, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # what is in memory is written
        (folder,) = connection.execute("SELECT current_setting('data_directory')").fetchone() or ("",)
        paths = connection.execute(
            "SELECT pg_relation_filepath(i) FROM ("
            " SELECT c.oid AS i FROM pg_class c WHERE c.relname = ANY(%(names)s)"
            " UNION SELECT c.reltoastrelid FROM pg_class c WHERE c.relname = ANY(%(names)s) AND c.reltoastrelid <> 0"
            " UNION SELECT x.indexrelid FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid"
            " WHERE c.relname = ANY(%(names)s)) AS parts",
            {"names": list(TABLES)},
        ).fetchall()
    held = b"".join(
        part.read_bytes()
        for (path,) in paths
        for part in sorted((Path(folder) / path).parent.glob(f"{Path(path).name}*"))
        if part.suffix in {"", ".1", ".2", ".3"} and "_" not in part.name
    )
    return sum(tail in held for tail in sample)


def _drawn(text: str) -> tuple[float, ...]:
    lots = random.Random(text)
    parts = [lots.gauss(0, 1) for _ in range(DIMENSIONS)]
    length = sum(part * part for part in parts) ** 0.5
    return tuple(part / length for part in parts)
