"""Whether a search finds the nearest passages of every organisation, small or large, and how long it takes.

Organisations of sizes from ten passages up share the tables, kept apart by row-level security. Each is asked through
the product's own search; what it finds by meaning is compared with comparing one by one. Beside it, in the same run
and under the same wall, stands pgvector's index as it comes: one over all rows, at its default settings.

`--shrink 1` takes the sizes as they stand below, a million passages in all; by default they are divided by four.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from uuid import UUID

import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import text

from joule.bench._crowd import MODEL, Lots, Tenant, copy_vectors, known_words, settle
from joule.bench._ground import Ground, ground
from joule.bench._library import Library
from joule.bench.report import Report
from joule.database.engine import Database
from joule.kernel.clock import SystemClock
from joule.kernel.ids import OrgId, new_id
from joule.vault.configured import wrapper_of
from joule.vault.vault import Vault
from memory.knowledge._finding import LARGE
from memory.knowledge.halfvec import as_text
from memory.knowledge.retrieval import Question, search

TARGETS = {"recall_at_10_min": {"min": 0.95}, "p95_ms": {"max": 30.0}, "foreign_rows": {"max": 0.0}}
CROWD: Mapping[int, int] = {10: 500, 100: 400, 1_000: 79, 10_000: 14, 50_000: 4, 100_000: 1, 200_000: 2}
QUICK: Mapping[int, int] = {10: 60, 100: 30, 1_000: 4, 8_000: 1, 20_000: 1}
ASKED = 100  # questions for each size; fewer when it has to be quick
FOUND = 10

_PLAIN = """
    CREATE TABLE plain_vector (LIKE chunk_vector);
    ALTER TABLE plain_vector ENABLE ROW LEVEL SECURITY;
    ALTER TABLE plain_vector FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant ON plain_vector USING (org_id = NULLIF(current_setting('joule.org', true), '')::uuid);
    GRANT SELECT ON plain_vector TO joule_app;
"""
_INDEXES = {
    "chunk_vector_near": "ON chunk_vector USING hnsw (vector halfvec_cosine_ops) WHERE large",
    "chunk_words_found": "ON chunk_words USING gin (words)",
}


@dataclass(kw_only=True)
class Outcome:
    """What was measured for organisations of one size."""

    recalls: list[float] = field(default_factory=list)
    plain_recalls: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    plain_milliseconds: list[float] = field(default_factory=list)
    foreign: int = 0


async def run(*, quick: bool, shrink: int = 4, **_: object) -> Report:
    """`shrink` divides the sizes, never below ten; `quick` takes a smaller crowd as it is."""
    sizes = _sizes(QUICK if quick else CROWD, 1 if quick else max(1, int(shrink)))
    async with ground() as here:
        database = Database(here.address.app_url)
        vault = Vault(wrapper=wrapper_of(here.settings), clock=SystemClock(), environment="test", cache_seconds=3600)
        try:
            lots = Lots(7)
            started = time.perf_counter()
            tenants = await _settled(here, database, vault, lots, sizes)
            loaded = time.perf_counter() - started
            outcomes = await _measured(tenants, lots, questions=ASKED // 2 if quick else ASKED)
        finally:
            await database.close()
    figures = _figures(outcomes)
    figures |= {"chunks": float(sum(each.size for each in tenants)), "tenants": float(len(tenants))}
    largest = max(sizes)
    return Report(
        name="retrieval",
        figures=figures,
        targets=TARGETS,
        notes=f"sizes {', '.join(f'{size}: {count}' for size, count in sizes.items())}; loaded in {loaded:.0f} s; recall "
        f"of what is found by meaning, time of a whole search by words and meaning, p95_ms that of the slowest size; "
        f"from {LARGE} on through HNSW (largest here: {largest}). plain: one HNSW index over all rows, same wall and "
        "filter, pgvector's defaults",
    )


def _sizes(crowd: Mapping[int, int], shrink: int) -> dict[int, int]:
    sizes: defaultdict[int, int] = defaultdict(int)
    for size, count in crowd.items():
        sizes[max(10, size // shrink)] += count
    return dict(sizes)


async def _settled(
    here: Ground, database: Database, vault: Vault, lots: Lots, sizes: Mapping[int, int]
) -> list[Tenant]:
    superuser = make_conninfo(here.address.owner_url, user="postgres")
    tenants = []
    with psycopg.connect(superuser, autocommit=True) as owner:
        owner.execute(_PLAIN.encode())
        for name in _INDEXES:
            owner.execute(f"DROP INDEX {name}".encode())
        owner.execute("SET session_replication_role = replica")  # what it points to is there: nothing to check
        for size, count in sizes.items():
            for _ in range(count):
                library = Library(database=database, vault=vault, org=OrgId(new_id()))
                tenant = await settle(library, owner, lots, size=size, large=size >= LARGE)
                halves = tenant.vectors.astype(np.float16)
                copy_vectors(owner, "plain_vector", library.org, tenant.project, tenant.chunks, halves, large=False)
                tenants.append(tenant)
        owner.execute("SET maintenance_work_mem = '1GB'")
        for name, what in _INDEXES.items():
            owner.execute(f"CREATE INDEX {name} {what}".encode())
        owner.execute("CREATE INDEX plain_near ON plain_vector USING hnsw (vector halfvec_cosine_ops)")
        owner.execute("VACUUM ANALYZE")
    return tenants


async def _measured(tenants: Sequence[Tenant], lots: Lots, *, questions: int) -> dict[int, Outcome]:
    """Questions go round the organisations of each size; the first to each of them warms up."""
    by_size: defaultdict[int, list[Tenant]] = defaultdict(list)
    for tenant in tenants:
        by_size[tenant.size].append(tenant)
    outcomes = {}
    for size, group in by_size.items():
        outcome = Outcome()
        for tenant in group[:questions]:
            await _ask(tenant, lots, Outcome())
        for turn in range(questions):
            await _ask(group[turn % len(group)], lots, outcome)
        outcomes[size] = outcome
    return outcomes


async def _ask(tenant: Tenant, lots: Lots, outcome: Outcome) -> None:
    library = tenant.library
    (vector,) = lots.vectors(1)
    meant = Question(text="", model=MODEL, vector=tuple(vector.tolist()))
    both = Question(text=lots.question(known=known_words(tenant.size)), model=MODEL, vector=meant.vector)
    nearest = tenant.nearest(vector, FOUND)
    begun = time.perf_counter()
    found = await _searched(library, tenant, both)
    outcome.milliseconds.append((time.perf_counter() - begun) * 1_000)
    by_meaning = await _searched(library, tenant, meant)
    outcome.recalls.append(len(nearest & set(by_meaning)) / len(nearest))
    begun = time.perf_counter()
    plain = await _plainly(library, tenant, as_text(vector.tolist()))
    outcome.plain_milliseconds.append((time.perf_counter() - begun) * 1_000)
    outcome.plain_recalls.append(len(nearest & set(plain)) / len(nearest))
    outcome.foreign += len({*found, *by_meaning, *plain} - set(tenant.chunks))


async def _searched(library: Library, tenant: Tenant, question: Question) -> list[UUID]:
    async with library.database.read(library.org) as session:
        keyring = await library.vault.keyring(session, library.org)
        found = await search(session, keyring, tenant.project, None, question, limit=FOUND)
    return [hit.chunk for hit in found.hits]


async def _plainly(library: Library, tenant: Tenant, vector: str) -> list[UUID]:
    statement = text(
        "SELECT chunk_id FROM plain_vector WHERE project_id = :project"
        f" ORDER BY vector <=> CAST(:vector AS halfvec) LIMIT {FOUND}"
    )
    async with library.database.read(library.org) as session:
        found = await session.execute(statement, {"project": tenant.project, "vector": vector})
        return list(found.scalars())


def _figures(outcomes: Mapping[int, Outcome]) -> dict[str, float]:
    def worst(of: Callable[[Outcome], float], choose: Callable[[list[float]], float]) -> float:
        return round(choose([of(each) for each in outcomes.values()]), 4)

    figures = {
        "recall_at_10_min": worst(lambda each: sum(each.recalls) / len(each.recalls), min),
        "p95_ms": worst(lambda each: _p95(each.milliseconds), max),
        "plain_hnsw_recall_at_10_min": worst(lambda each: sum(each.plain_recalls) / len(each.plain_recalls), min),
        "plain_hnsw_p95_ms": worst(lambda each: _p95(each.plain_milliseconds), max),
        "foreign_rows": float(sum(each.foreign for each in outcomes.values())),
    }
    for size, each in outcomes.items():
        figures[f"recall_at_10_of_{size}"] = round(sum(each.recalls) / len(each.recalls), 4)
        figures[f"plain_hnsw_recall_at_10_of_{size}"] = round(sum(each.plain_recalls) / len(each.plain_recalls), 4)
        figures[f"p50_of_{size}_ms"] = round(median(each.milliseconds), 2)
        figures[f"p95_of_{size}_ms"] = round(_p95(each.milliseconds), 2)
    return figures


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20)[-1]
