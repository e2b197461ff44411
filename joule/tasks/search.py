"""Searches what was said in a project.

The words are sealed, so no index of them exists: the newest tasks are opened here and handed to PostgreSQL's full text
functions as parameters of one query, which stores nothing. Bounded in rows and characters.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, ProjectId, TaskId, ThreadId
from joule.tasks import queries
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


_NEWEST = text(
    "SELECT id, thread_id, created_at FROM task WHERE org_id = :org AND project_id = :project"
    " ORDER BY id DESC LIMIT :most"
)
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
    """The tasks of a project whose request or answer has these words, best first, of equals the newest.

    `query` is what people write in search boxes: words, "a phrase", or, -without. Only the newest 500 tasks are read.
    """
    wanted = {"org": org, "project": project, "most": SEARCHED_TASKS}
    rows = (await session.execute(_NEWEST, wanted)).all()
    texts = [await _said(session, vault, org, TaskId(row.id)) for row in rows]
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


async def _said(session: ReadSession, vault: Vault, org: OrgId, task: TaskId) -> str:
    request, answer = await queries.words(session, vault, org, task)
    # A zero byte cannot be a parameter of type text.
    return "\n".join((part or "")[:SEARCHED_CHARACTERS].replace("\x00", " ") for part in (request, answer))
