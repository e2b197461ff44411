"""Consents under way: bound to a person, their browser session, the organisation, the provider and the way back.

The state is never stored, only its keyed hash. A state that is known is used up by whoever brings it, also by the wrong
person: a forwarded or stolen link can be tried once, in vain.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations._columns import REDIRECT, RETURN_TO, TENANT, VERIFIER
from integrations.errors import ConsentUnusable
from integrations.oauth.secret import Secret
from integrations.tables import PendingAuthorizationRow
from joule.database.engine import WriteSession
from joule.kernel.errors import Invalid
from joule.kernel.ids import DecisionId, PersonId, new_id
from joule.vault.keys import Keyring

LIFETIME = timedelta(minutes=10)
KEPT_AFTER_ITS_END = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is being consented to, by whom, in which browser."""

    provider: str
    person: PersonId
    session: UUID
    redirect_uri: str
    products: tuple[str, ...]
    scopes: tuple[str, ...]
    read_only: bool
    tenant: str | None = None
    return_to: str | None = None
    connection: UUID | None = None
    task: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A consent whose state came back, used up by this. `refusal` says why it leads nowhere, "" if it does not."""

    wanted: Wanted
    verifier: Secret
    refusal: str


async def put(
    session: WriteSession,
    ring: Keyring,
    wanted: Wanted,
    *,
    state: Secret,
    verifier: Secret,
    now: datetime,
    decision: DecisionId,
) -> datetime:
    """Write a consent down; until when it can be finished. Forgets those that ended a day ago."""
    org, pending = ring.org, new_id()
    await session.execute(
        delete(PendingAuthorizationRow).where(
            col(PendingAuthorizationRow.org_id) == org,
            col(PendingAuthorizationRow.expires_at) < now - KEPT_AFTER_ITS_END,
        )
    )
    session.add(
        PendingAuthorizationRow(
            org_id=org,
            id=pending,
            provider=wanted.provider,
            state_key=_key(ring, state),
            person_id=wanted.person,
            session_id=wanted.session,
            verifier=ring.seal_text(verifier.reveal(), row=pending, field=VERIFIER),
            redirect=ring.seal_text(wanted.redirect_uri, row=pending, field=REDIRECT),
            tenant=None if wanted.tenant is None else ring.seal_text(wanted.tenant, row=pending, field=TENANT),
            return_to=None
            if wanted.return_to is None
            else ring.seal_text(wanted.return_to, row=pending, field=RETURN_TO),
            products=list(wanted.products),
            scopes=list(wanted.scopes),
            read_only=wanted.read_only,
            connection_id=wanted.connection,
            task_id=wanted.task,
            created_at=now,
            expires_at=now + LIFETIME,
            decision_id=decision,
        )
    )
    return now + LIFETIME


async def take(
    session: WriteSession,
    ring: Keyring,
    *,
    state: Secret,
    provider: str,
    person: PersonId | None,
    browser: UUID,
    now: datetime,
    decision: DecisionId,
) -> Taken:
    """Use a consent up. Commit before acting on what it says. Raises `ConsentUnusable` for a state nobody issued."""
    row = await _find(session, ring, state)
    if row is None:
        raise ConsentUnusable("nobody here began it")
    refusal = ""
    if row.used_at is not None:
        refusal = "it was used before"
    elif row.expires_at <= now:
        refusal = "it took longer than ten minutes"
    elif row.provider != provider:
        refusal = "it was begun for another provider"
    elif row.person_id != person:
        refusal = "somebody else began it"
    elif row.session_id != browser:
        refusal = "it was begun in another browser"
    row.used_at, row.decision_id = row.used_at or now, decision
    return Taken(wanted=_opened(ring, row), verifier=_verifier(ring, row), refusal=refusal)


async def _find(session: AsyncSession, ring: Keyring, state: Secret) -> PendingAuthorizationRow | None:
    query = select(PendingAuthorizationRow).where(
        col(PendingAuthorizationRow.org_id) == ring.org, col(PendingAuthorizationRow.state_key) == _key(ring, state)
    )
    return (await session.execute(query.with_for_update())).scalar_one_or_none()


def _key(ring: Keyring, state: Secret) -> bytes:
    return ring.commitment("integrations.state", state.reveal().encode())


def _verifier(ring: Keyring, row: PendingAuthorizationRow) -> Secret:
    return Secret(ring.open_text(row.verifier, row=row.id, field=VERIFIER))


def _opened(ring: Keyring, row: PendingAuthorizationRow) -> Wanted:
    return Wanted(
        provider=row.provider,
        person=PersonId(row.person_id),
        session=row.session_id,
        redirect_uri=ring.open_text(row.redirect, row=row.id, field=REDIRECT),
        products=tuple(row.products),
        scopes=tuple(row.scopes),
        read_only=row.read_only,
        tenant=None if row.tenant is None else ring.open_text(row.tenant, row=row.id, field=TENANT),
        return_to=None if row.return_to is None else ring.open_text(row.return_to, row=row.id, field=RETURN_TO),
        connection=row.connection_id,
        task=row.task_id,
    )


def checked_return(path: str | None) -> str | None:
    """A path within Joule. Raises `Invalid` for anything a browser could read as another site."""
    if path is None:
        return None
    parts = urlsplit(path)
    plain = path.isascii() and path.isprintable() and "\\" not in path and len(path) <= 500
    if not plain or parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//"):
        raise Invalid("the page to come back to is not one of ours", advice="Start again from the Integrations page.")
    return path


def checked_redirect(uri: str, provider: str) -> str:
    """The way back from the provider: one address for each, so that no provider's answer can pass for another's."""
    if not urlsplit(uri).path.endswith(f"/integrations/callback/{provider}"):
        raise Invalid("the way back from the provider is not its own", advice="Start again from the Integrations page.")
    return uri
