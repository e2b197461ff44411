"""Ends tokens that came too late: the account was disconnected while the provider was issuing them.

They never become the connection's. The provider is told at once; if it does not listen, they are kept sealed under a key
of their own, only for telling it again.
"""

from uuid import UUID

from integrations._columns import REVOKED_TOKENS, TENANT
from integrations._ends import is_settled, words_of
from integrations.grants import Opening
from integrations.oauth.wire import TokenSet
from integrations.tables import RevocationRow
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
