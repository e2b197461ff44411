"""The statements of a search. All of them run in the caller's transaction, under its organisation.

Two rules that a reader must not break. Words are matched by the policy of `chunk_words` (`joule.words`), never by a
condition of ours: under row-level security only the former may use the index. And a distance to be sorted exactly is
written `+ 0`, so that the approximate index cannot serve it: with filters it returns too few rows, and says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Text

from joule.kernel.ids import OrgId, PersonId, ProjectId
from joule.kernel.label import Integrity
from memory.knowledge._wanted import COUNTED, LOOKED_AT, Wanted
from memory.knowledge.embedding.base import Vector
from memory.knowledge.halfvec import as_text

LARGE = 10_000  # vectors of a project: from here on they are flagged for the approximate index; one by one takes 10 ms
STAGES = (40, 400, 4_000)  # candidates by words and by meaning; more only when too few of them may be shown
_K = 60  # of reciprocal rank fusion, as usual
_SAYS_IT = 0.45  # of what a question's words say, about half: what holds less is left to its meaning (bench: answers)
_ONCE = 0.0607927  # what ts_rank gives for a word that stands once
_IN_ALL = 2 * COUNTED  # passages counted, to tell how rare a word is

_SURVEY = text(
    """
    SELECT (SELECT count(*) FROM (SELECT FROM chunk WHERE project_id = :project AND live LIMIT :in_all) AS counted),
           EXISTS (SELECT FROM chunk_vector WHERE project_id = :project AND model = :model AND live),
           EXISTS (SELECT FROM chunk_vector WHERE project_id = :project AND model = :model AND large),
           ARRAY(SELECT c.chunks FROM chunk_word_counts(:words, :project, :most) AS c)
    """
).bindparams(bindparam("words", type_=ARRAY(Text)))

# Page costs: what is looked up here is few rows through good indexes. At the usual costs the server would first walk
# all of an organisation's rows in another index, to spare itself some of the few.
_PREPARE = text(
    """
    SELECT set_config('joule.words', :words, true),
           set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', :breadth, true),
           set_config('hnsw.max_scan_tuples', '40000', true), set_config('hnsw.scan_mem_multiplier', '4', true),
           set_config('random_page_cost', '0.1', true), set_config('seq_page_cost', '0.1', true)
    """
)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What there is to search: chunks (counted up to a bound), and how many of them hold each word."""

    chunks: int
    by_meaning: bool
    is_large: bool
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Narrowing:
    """What may come back. `exact`: distances are compared one by one."""

    project: ProjectId
    reader: PersonId | None
    documents: tuple[UUID, ...]
    integrity: Integrity | None
    vector: Vector | None
    model: str | None
    exact: bool


async def survey(session: AsyncSession, project: ProjectId, *, words: Sequence[str], model: str | None) -> Survey:
    """Measure, before anything is compared."""
    values = {"project": project, "model": model, "in_all": _IN_ALL, "most": COUNTED}
    row = (await session.execute(_SURVEY, {**values, "words": list(words)})).one()
    return Survey(chunks=row[0], by_meaning=row[1], is_large=row[2], counts=dict(zip(words, row[3], strict=True)))


async def candidates(
    session: AsyncSession, org: OrgId, narrowing: Narrowing, wanted: Wanted, *, limit: int
) -> Sequence[Any]:
    """The best `limit` chunks with their `score`; fewer only when fewer fit."""
    rows: Sequence[Any] = ()
    exact = narrowing.exact or bool(narrowing.documents)
    for most in STAGES:
        await session.execute(_PREPARE, {"words": wanted.query, "breadth": str(min(max(most, 80), 1_000))})
        rows, near, said = await _stage(session, org, narrowing, wanted, most=most, limit=limit, exact=exact)
        if not exact and near < most:  # there are no more of them, or the index has lost its patience: who knows
            exact = True
            rows, near, said = await _stage(session, org, narrowing, wanted, most=most, limit=limit, exact=True)
        if len(rows) >= limit or (near < most and said < most):
            break
    return rows


async def _stage(
    session: AsyncSession,
    org: OrgId,
    narrowing: Narrowing,
    wanted: Wanted,
    *,
    most: int,
    limit: int,
    exact: bool,
) -> tuple[Sequence[Any], int, int]:
    """Rows, and how many candidates there were by meaning and by words."""
    values: dict[str, Any] = {
        "org": org,
        "project": narrowing.project,
        "reader": narrowing.reader,
        "documents": list(narrowing.documents),
        "trusted": narrowing.integrity is Integrity.TRUSTED,
        "model": narrowing.model,
        "vector": None if narrowing.vector is None else as_text(narrowing.vector),
        "most": most,
        "looked_at": LOOKED_AT,
        "limit": limit,
    }
    for at, (word, weight) in enumerate(wanted.weights):
        values[f"word{at}"], values[f"weight{at}"] = word, weight
    statement = _statement(
        by_meaning=narrowing.vector is not None,
        words=len(wanted.weights) if wanted.query else 0,
        chosen=bool(narrowing.documents),
        exact=exact,
    )
    rows = (await session.execute(statement, values)).all()
    if not rows:
        return (), 0, 0
    return [row for row in rows if row.id is not None], rows[0].near_count, rows[0].said_count


def _statement(*, by_meaning: bool, words: int, chosen: bool, exact: bool) -> TextClause:
    mine = "SELECT id FROM chunk WHERE org_id = :org AND project_id = :project AND document_id = ANY(CAST(:documents AS uuid[])) AND live"
    only = f"AND chunk_id IN ({mine})" if chosen else ""
    written = f"""
        WITH near AS MATERIALIZED ({_near(only, exact=exact) if by_meaning else _NOTHING}),
        said AS MATERIALIZED ({_said(words, only, least=_SAYS_IT if by_meaning else 0.0) if words else _NOTHING}),
        both_ways AS MATERIALIZED (  -- else its COALESCE would be taken for leaky, and no key be used below
            SELECT chunk_id, near.score AS distance, said.score AS share FROM near FULL JOIN said USING (chunk_id)
        ),
        shown AS (
            SELECT c.*, rank() OVER (ORDER BY distance) AS near_place, rank() OVER (ORDER BY share DESC NULLS LAST)
                   AS said_place, distance, share
              FROM both_ways CROSS JOIN LATERAL (  -- each by its key: `OFFSET 0` keeps it from being joined otherwise
                       SELECT * FROM chunk WHERE org_id = :org AND id = both_ways.chunk_id OFFSET 0
                   ) AS c
             WHERE c.live AND c.project_id = :project AND (c.readers IS NULL OR CAST(:reader AS uuid) = ANY(c.readers))
               AND (c.integrity = 'trusted' OR NOT :trusted)
        ),
        best AS (
            SELECT *, (CASE WHEN distance IS NULL THEN 0 ELSE 1.0 / ({_K} + near_place) END
                    + CASE WHEN share IS NULL THEN 0 ELSE least(1, share) / ({_K} + said_place) END)::float8 AS score
              FROM shown ORDER BY score DESC, id LIMIT :limit
        )
        SELECT best.*, (SELECT count(*) FROM near) AS near_count, (SELECT count(*) FROM said) AS said_count
          FROM (VALUES (1)) AS always LEFT JOIN best ON true ORDER BY score DESC, id
    """
    return text(written)


_NOTHING = "SELECT NULL::uuid AS chunk_id, NULL::float8 AS score WHERE false"


def _near(only: str, *, exact: bool) -> str:
    def arm(condition: str, order: str) -> str:
        return (
            "(SELECT chunk_id, vector <=> CAST(:vector AS halfvec) AS score FROM chunk_vector"
            f" WHERE project_id = :project AND model = :model AND live {condition} {only}"
            f" ORDER BY {order} LIMIT :most)"
        )

    one_by_one = "(vector <=> CAST(:vector AS halfvec)) + 0"
    if exact:
        return arm("", one_by_one)
    both = f"{arm('AND NOT large', one_by_one)} UNION ALL {arm('AND large', 'vector <=> CAST(:vector AS halfvec)')}"
    return f"SELECT chunk_id, score FROM ({both}) AS both_kinds ORDER BY score LIMIT :most"


def _said(words: int, only: str, *, least: float) -> str:
    """How much of what the question's words say a passage holds; 1: each of them, once. Less than `least` is none."""
    share = " + ".join(f":weight{at} * ts_rank(words, CAST(:word{at} AS tsquery))" for at in range(words))
    return f"""
        SELECT chunk_id, score FROM (
            SELECT chunk_id, (({share}) / {_ONCE})::float8 AS score
              FROM (SELECT chunk_id, words FROM chunk_words WHERE project_id = :project {only} LIMIT :looked_at) AS held
             OFFSET 0  -- weighed once
        ) AS weighed WHERE score > {least} ORDER BY score DESC LIMIT :most
    """
