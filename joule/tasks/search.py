"""Searches what was said in a project.

The words are sealed, so no index of them exists: the newest tasks are opened here and handed to PostgreSQL's full text
functions as parameters of one query, which stores nothing. Bounded in rows and characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlmodel import col, select

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, ProjectId, TaskId, ThreadId
from joule.tasks import queries
from joule.tasks.tables import TaskRow
from joule.vault.vault import Vault

SEARCHED_TASKS = 500
SEARCHED_CHARACTERS = 4_000  # of each request and each answer


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A task in which the words were found, with the place where they stand."""

    task: TaskId
    thread: ThreadId
    snippet: str = field(repr=False)
    created_at: datetime


_RANK = text(
    "SELECT place, ts_headline('simple', words, query, 'StartSel=\"\", StopSel=\"\", MaxWords=24, MinWords=8') AS snippet"
    " FROM unnest(CAST(:texts AS text[])) WITH ORDINALITY AS said(words, place),"
    "      websearch_to_tsquery('simple', :query) AS query"
    " WHERE to_tsvector('simple', words) @@ query"
    " ORDER BY ts_rank(to_tsvector('simple', words), query) DESC, place LIMIT :limit"
)


async def history(
    session: ReadSession, vault: Vault, org: OrgId, project: ProjectId, *, query: str, limit: int = 20
) -> list[Hit]:
    """The tasks of a project whose request or answer has these words, best first, of equals the newest first.

    `query` is what people write in search boxes: words, "a phrase", or, -without. Only the newest 500 tasks are read.
    """
    newest = (
        select(TaskRow)
        .where(col(TaskRow.org_id) == org, col(TaskRow.project_id) == project)
        .order_by(col(TaskRow.id).desc())
        .limit(SEARCHED_TASKS)
    )
    rows: Sequence[TaskRow] = (await session.execute(newest)).scalars().all()
    texts = [await _said(session, vault, row) for row in rows]
    ranked = await session.execute(_RANK, {"texts": texts, "query": query, "limit": limit})
    return [
        Hit(
            task=TaskId(rows[found.place - 1].id),
            thread=ThreadId(rows[found.place - 1].thread_id),
            snippet=found.snippet,
            created_at=rows[found.place - 1].created_at,
        )
        for found in ranked.all()
    ]


async def _said(session: ReadSession, vault: Vault, row: TaskRow) -> str:
    request, answer = await queries.words_of(session, vault, row)
    # A zero byte cannot be a parameter of type text.
    return "\n".join((part or "")[:SEARCHED_CHARACTERS].replace("\x00", " ") for part in (request, answer))
