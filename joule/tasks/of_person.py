"""Tells what a person said in conversations, and what was answered."""

from typing import Any

from sqlmodel import col, select

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, PersonId
from joule.tasks.queries import words_of
from joule.tasks.tables import TaskRow
from joule.vault.vault import Vault


async def tell(session: ReadSession, vault: Vault, org: OrgId, person: PersonId) -> dict[str, list[dict[str, Any]]]:
    """Each of their messages with its answer, oldest first; words that were erased are None."""
    rows = await session.scalars(
        select(TaskRow).where(col(TaskRow.org_id) == org, col(TaskRow.author) == person).order_by(col(TaskRow.id))
    )
    messages = []
    for row in rows:
        request, answer = await words_of(session, vault, row)
        messages.append(
            {
                "task": str(row.id),
                "conversation": str(row.thread_id),
                "project": str(row.project_id),
                "at": row.created_at.isoformat(),
                "state": row.state,
                "said": request,
                "answered": answer,
            }
        )
    return {"messages": messages}
