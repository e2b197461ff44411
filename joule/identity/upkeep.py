"""The writes that are nobody's action: noting that a session is in use, and forgetting what has ended.

Neither changes what anybody may do. They run in a write session of one organisation, or inside an action that does.
"""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, delete, or_, update
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.identity.tables import SignInLinkRow, WebSessionRow
from joule.kernel.ids import OrgId

SEEN_AT_MOST_EVERY = timedelta(minutes=1)
KEPT_AFTER_ITS_END = timedelta(days=30)  # so that people can see where they were signed in


async def touch(session: WriteSession, org: OrgId, web_session: UUID, *, now: datetime) -> None:
    """Note that a session was used, at most once a minute. Never wakes one that has ended."""
    await session.execute(
        update(WebSessionRow)
        .where(
            col(WebSessionRow.org_id) == org,
            col(WebSessionRow.id) == web_session,
            col(WebSessionRow.revoked_at).is_(None),
            col(WebSessionRow.last_seen_at) <= now - SEEN_AT_MOST_EVERY,
        )
        .values(last_seen_at=now)
    )


async def forget_ended(session: WriteSession, org: OrgId, *, now: datetime) -> int:
    """Delete sessions and links that ended more than 30 days ago; returns how many."""
    horizon = now - KEPT_AFTER_ITS_END
    gone = await session.execute(
        delete(WebSessionRow).where(
            col(WebSessionRow.org_id) == org,
            or_(col(WebSessionRow.expires_at) < horizon, col(WebSessionRow.revoked_at) < horizon),
        )
    )
    links = await session.execute(
        delete(SignInLinkRow).where(
            col(SignInLinkRow.org_id) == org,
            or_(col(SignInLinkRow.expires_at) < horizon, col(SignInLinkRow.used_at) < horizon),
        )
    )
    return cast(CursorResult[Any], gone).rowcount + cast(CursorResult[Any], links).rowcount
