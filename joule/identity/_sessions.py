"""Opens and ends sessions and links. A session is never moved to another person or role: it ends, and another begins."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, and_, delete, select, update
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.identity import tokens
from joule.identity.actions import AgentFamily, SignedIn, SignInLink
from joule.identity.lifetimes import Lifetimes
from joule.identity.tables import SignInLinkRow, WebSessionRow
from joule.identity.tokens import Kind, Token
from joule.kernel.ids import DecisionId, OrgId, PersonId, new_id

OpenedBy = Literal["link", "password"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """The transaction a change stands in, and what every row of it carries."""

    session: WriteSession
    org: OrgId
    decision: DecisionId
    now: datetime


async def begin(
    change: Change, person: PersonId, *, by: OpenedBy, agent: AgentFamily, lifetimes: Lifetimes
) -> SignedIn:
    """A fresh session with a fresh token; nothing of what the browser held before goes into it."""
    token, key = tokens.mint(change.org, Kind.SESSION)
    row = WebSessionRow(
        org_id=change.org,
        id=new_id(),
        token_key=key,
        person_id=person,
        opened_by=by,
        agent=agent.value,
        created_at=change.now,
        last_seen_at=change.now,
        expires_at=change.now + lifetimes.longest,
        decision_id=change.decision,
    )
    change.session.add(row)
    await change.session.flush()
    return SignedIn(token=token, session=row.id, person=person, expires_at=row.expires_at)


async def end(change: Change, *which: ColumnElement[bool]) -> int:
    """End the open sessions that `which` holds for; returns how many there were."""
    ended = await change.session.execute(
        update(WebSessionRow)
        .where(
            col(WebSessionRow.org_id) == change.org,
            col(WebSessionRow.revoked_at).is_(None),
            *which,
        )
        .values(revoked_at=change.now, decision_id=change.decision)
    )
    return cast(CursorResult[Any], ended).rowcount


async def end_all_of(change: Change, person: PersonId, *, but: UUID | None = None) -> int:
    """End every session of a person, `but` one, and every link that would open another."""
    await change.session.execute(
        delete(SignInLinkRow).where(
            col(SignInLinkRow.org_id) == change.org,
            col(SignInLinkRow.person_id) == person,
            col(SignInLinkRow.used_at).is_(None),
        )
    )
    mine = col(WebSessionRow.person_id) == person
    return await end(change, mine if but is None else and_(mine, col(WebSessionRow.id) != but))


async def end_replaced(change: Change, brought: UUID | None) -> None:
    """End the session the browser brought along to a sign-in, so that nobody who planted it is signed in by it."""
    if brought is not None:
        await end(change, col(WebSessionRow.id) == brought)


async def make_link(change: Change, person: PersonId, *, good_for: timedelta) -> SignInLink:
    """A fresh link for one person."""
    token, key = tokens.mint(change.org, Kind.LINK)
    expires_at = change.now + good_for
    change.session.add(
        SignInLinkRow(
            org_id=change.org,
            id=new_id(),
            token_key=key,
            person_id=person,
            created_at=change.now,
            expires_at=expires_at,
            decision_id=change.decision,
        )
    )
    await change.session.flush()
    return SignInLink(token=token, expires_at=expires_at)


async def person_of_link(session: WriteSession, token: Token) -> PersonId | None:
    """Whose link this is, spent or not. Takes no lock: whoever locks a person and a link locks the person first."""
    found = (
        await session.execute(
            select(col(SignInLinkRow.person_id), col(SignInLinkRow.token_key)).where(
                col(SignInLinkRow.org_id) == token.org, col(SignInLinkRow.token_key) == token.key
            )
        )
    ).one_or_none()
    return PersonId(found.person_id) if found is not None and token.is_found_in(found.token_key) else None


async def spend_link(change: Change, token: Token) -> bool:
    """Use the link up. Of two who try at the same moment, the database lets one through: the other sees it used."""
    spent = await change.session.execute(
        update(SignInLinkRow)
        .where(
            col(SignInLinkRow.org_id) == change.org,
            col(SignInLinkRow.token_key) == token.key,
            col(SignInLinkRow.used_at).is_(None),
            col(SignInLinkRow.expires_at) > change.now,
        )
        .values(used_at=change.now, decision_id=change.decision)
    )
    return cast(CursorResult[Any], spent).rowcount == 1
