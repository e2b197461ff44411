"""Ends tokens that came too late: the account was disconnected while the provider was issuing them.

They never become the connection's. The provider is told at once; if it does not listen, they are kept sealed under a key
of their own, only for telling it again.
"""

from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations._columns import REVOKED_TOKENS, TENANT
from integrations._ends import is_settled, words_of
from integrations.clients import relatives, row_of
from integrations.grants import Opening, provider_of
from integrations.oauth.wire import TokenOutcome, TokenSet
from integrations.tables import OAuthGrantRow, RevocationRow
from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.errors import JouleError
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.vault.vault import Vault


class Late:
    """Tells the provider that tokens nobody may have are over."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock) -> None:
        self._database, self._vault, self._clock = database, vault, clock

    async def end(
        self,
        org: OrgId,
        grant: UUID,
        provider: str,
        opening: Opening,
        tokens: TokenSet,
        *,
        decision: DecisionId,
        cause: str = "late_refresh",
        tenant: str | None = None,
    ) -> None:
        """Have `tokens` revoked, now or by the job that follows."""
        async with self._database.read(org) as session:
            lasting = await would_end_others(session, org, provider, grant)
        if lasting:
            outcomes = spared(tokens)
        else:
            try:
                outcomes = words_of(await (await opening()).revoke(tokens))
            except JouleError:
                outcomes = ()
        settled = is_settled(outcomes)
        now, revocation = self._clock.now(), new_id()
        async with self._database.write(org) as session:
            row = RevocationRow(
                org_id=org,
                id=revocation,
                grant_id=grant,
                provider=provider,
                cause=cause,
                state="done" if settled else "pending",
                outcomes=list(outcomes),
                attempts=1,
                next_at=now,
                task_id=new_id(),
                created_at=now,
                ended_at=now if settled else None,
                decision_id=decision,
            )
            if not settled:
                ring = await self._vault.keyring(session, org, f"revocation:{revocation}", create=True)
                row.tokens = ring.seal(tokens.plaintext(), row=revocation, field=REVOKED_TOKENS)
                if tenant is not None:
                    row.tenant = ring.seal_text(tenant, row=revocation, field=TENANT)
            session.add(row)


async def would_end_others(session: AsyncSession, org: OrgId, provider: str, grant: UUID) -> bool:
    """Whether ending a token of `grant` might end a living grant too, at a provider that knows only the whole permission.

    Any grant of the same family counts that is not known to be another account's. So does what cannot be seen from here:
    with an app that is not the organisation's own, the same person may have connected the account in another organisation.
    """
    known = provider_of(provider)
    if known is None or not known.revocation.whole:
        return False
    for name in relatives(provider):
        if await row_of(session, org, name) is not None:
            break
    else:
        return True
    mine = await session.get(OAuthGrantRow, (org, grant))
    query = select(OAuthGrantRow.account_key).where(
        col(OAuthGrantRow.org_id) == org,
        col(OAuthGrantRow.family) == known.family,
        col(OAuthGrantRow.status).in_(("active", "refresh_unknown")),
    )
    others = (await session.execute(query)).scalars().all()
    if mine is None or mine.account_key is None:
        return bool(others)
    return any(each is None or each == mine.account_key for each in others)


def spared(tokens: TokenSet) -> tuple[str, ...]:
    """They are let go of and not ended: nobody has them any more, and whoever ends the others ends them."""
    which: tuple[Literal["refresh", "access"], ...] = ("refresh", "access") if tokens.refresh_token else ("access",)
    return words_of(TokenOutcome(token=each, outcome="unsupported", detail="would_end_others") for each in which)
