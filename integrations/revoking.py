"""Disconnects accounts, and then tells their providers.

First, in one transaction: the connection is dead for every worker, the key of its tokens is destroyed, and what is needed
to tell the provider stands sealed under a key that nothing but telling it uses. Whatever is still queued or running is
refused at its next call. Then, for as long as it takes: the provider is told, token by token, and what really became of
each is written down and signed. The second part can fail; the first then stands all the same.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations import grants, receipts
from integrations._columns import REVOKED_TOKENS, TENANT
from integrations._ends import ends_of, is_settled, is_told, untold, words_of
from integrations._late import spared, would_end_others
from integrations.actions import RevokeConnection, TellProvider
from integrations.errors import ConnectionRevoked
from integrations.grants import Endpoints
from integrations.mcp import store
from integrations.mcp.sign_in import server_of
from integrations.oauth.wire import TokenSet
from integrations.results import ProviderTold, Revoked, Synced, SyncedThing
from integrations.tables import ConnectionRow, OAuthGrantRow, RevocationRow
from joule.database.engine import Database, WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import Corrupt, JouleError, NotFound
from joule.kernel.ids import DecisionId, OrgId, PersonId, TaskId, new_id
from joule.kernel.permit import Permit
from joule.vault.errors import Shredded
from joule.vault.vault import Vault

MOST_ATTEMPTS = 12  # over about two days
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=8)
TURN = timedelta(minutes=2)  # how long one attempt keeps others from trying


class SyncedContent(Protocol):
    """Whoever keeps content that came through a connection. Its source is `connection:<id>`."""

    async def listed(self, session: AsyncSession, org: OrgId, connection: UUID) -> tuple[SyncedThing, ...]:
        """All there is."""
        ...

    async def erase(self, session: WriteSession, permit: Permit, org: OrgId, connection: UUID) -> None:
        """Erase it for good, with everything made from it."""
        ...


class Waiting(Protocol):
    """Whoever has work wait for a permission of a connection."""

    async def disconnected(
        self, session: WriteSession, org: OrgId, connections: Collection[UUID], *, by: PersonId | None
    ) -> None:
        """Nobody can give it any more: that work is to go on and be told so. In the disconnection's own transaction."""
        ...


@dataclass(frozen=True, kw_only=True)
class Revoking:
    """Ends connections here and at the provider. `waiting` None: nothing ever waits."""

    database: Database
    vault: Vault
    clock: Clock
    endpoints: Endpoints
    synced: SyncedContent
    waiting: Waiting | None = None

    async def revoke(self, session: WriteSession, action: RevokeConnection, *, permit: Permit) -> Revoked:
        """Make the connection dead. Raises `NotFound`, or `ConnectionRevoked` when it is already."""
        org, now = action.principal.org, self.clock.now()
        first = await session.get(ConnectionRow, (org, action.connection))
        if first is None:
            raise NotFound("connection")
        grant = await session.get(OAuthGrantRow, (org, first.grant_id), with_for_update=True)
        rows = await self._alive(session, org, first.grant_id)
        row = rows.pop(action.connection, None)
        if row is None or grant is None:
            raise ConnectionRevoked(grants.title_of(first.provider), first.revoked_at)
        ending = [row, *(rows.values() if action.whole_grant else ())]
        stands: list[receipts.KeptFrom] = []
        for each in ending:
            each.status, each.revoked_at, each.revoked_by = "revoked", now, action.principal.person
            each.epoch, each.decision_id = each.epoch + 1, permit.decision
            stands.append(await self._synced(session, each.id, permit=permit, delete=action.delete_synced, org=org))
        alone = len(ending) == len(rows) + 1  # nobody is left who uses the consent
        note = self._note(grant, action, permit=permit, shared=not alone)
        if alone:
            await self._end_grant(session, grant, note, decision=permit.decision)
        session.add(note)
        await session.flush()
        await receipts.issue(session, self.vault, note, kept=stands, now=now, decision=permit.decision)
        if self.waiting is not None:
            gone = [each.id for each in ending]
            await self.waiting.disconnected(session, org, gone, by=action.principal.person)
        return Revoked(
            connection=row.id,
            grant=grant.id,
            provider=row.provider,
            revoked_at=now,
            revocation=note.id if alone else None,
            siblings=tuple(sorted(rows)),
            found=_counted(thing for each in stands for thing in each.things),
            deleted=_counted(thing for each in stands for thing in each.things if thing.id in each.deleted),
        )

    async def _synced(
        self, session: WriteSession, connection: UUID, *, permit: Permit, delete: bool, org: OrgId
    ) -> receipts.KeptFrom:
        """What had been kept from one connection, and what of it is gone now."""
        things = await self.synced.listed(session, org, connection)
        left = {each.id for each in things}
        if delete:
            await self.synced.erase(session, permit, org, connection)
            left = {each.id for each in await self.synced.listed(session, org, connection)}
        gone = frozenset(each.id for each in things) - left
        return receipts.KeptFrom(connection=connection, things=things, deleted=frozenset(gone))

    async def _alive(self, session: WriteSession, org: OrgId, grant: UUID) -> dict[UUID, ConnectionRow]:
        query = select(ConnectionRow).where(
            col(ConnectionRow.org_id) == org,
            col(ConnectionRow.grant_id) == grant,
            col(ConnectionRow.status) == "active",
        )
        return {row.id: row for row in (await session.execute(query.with_for_update())).scalars()}

    def _note(self, grant: OAuthGrantRow, action: RevokeConnection, *, permit: Permit, shared: bool) -> RevocationRow:
        """What is known of a disconnection when it is made."""
        now = self.clock.now()
        return RevocationRow(
            org_id=grant.org_id,
            id=new_id(),
            grant_id=grant.id,
            connection_id=action.connection,
            provider=grant.provider,
            cause="person",
            state="shared" if shared else "pending",
            outcomes=[],
            attempts=0,
            next_at=now,
            revoked_by=action.principal.person,
            task_id=permit.task,
            created_at=now,
            ended_at=now if shared else None,
            decision_id=permit.decision,
        )

    async def _end_grant(
        self, session: WriteSession, grant: OAuthGrantRow, note: RevocationRow, *, decision: DecisionId
    ) -> None:
        """Destroy the key of a grant's tokens, having sealed them anew for telling the provider alone."""
        org, now, revocation = OrgId(grant.org_id), self.clock.now(), note.id
        ring = await self.vault.keyring(session, org, _subject(revocation), create=True)
        try:
            tokens = await grants.open_tokens(session, self.vault, org, grant)
            note.tokens = ring.seal(tokens.plaintext(), row=revocation, field=REVOKED_TOKENS)
            note.outcomes = list(untold(tokens))
        except (Corrupt, Shredded, ConnectionRevoked):
            note.tokens = None  # what cannot be opened cannot be told; disconnecting never fails for that
        tenant = await grants.tenant_of(session, self.vault, org, grant)
        if tenant is not None:
            note.tenant = ring.seal_text(tenant, row=revocation, field=TENANT)
        await self.vault.shred(session, org, grants.subject(grant.id))
        grant.status, grant.tokens, grant.revoked_at = "revoked", None, now
        grant.lease_owner = grant.lease_until = grant.attempt_at = grant.due_at = None
        grant.name_at = grant.look_at = None
        grant.decision_id = decision

    async def tell(self, action: TellProvider, *, decision: DecisionId, task: TaskId) -> ProviderTold:
        """Tell the provider once more, if there is still something to tell. Never raises for what the provider does."""
        org = action.principal.org
        by_hand = action.principal.person is not None
        turn = await self._turn(org, action.revocation, decision, by_hand=by_hand)
        if isinstance(turn, ProviderTold):
            return turn
        tokens, provider, tenant, words = turn
        if tokens is not None:
            words = await self._told(org, provider, tenant, tokens, words)
        return await self._write_down(org, action.revocation, words, decision=decision, task=task)

    async def _turn(
        self, org: OrgId, revocation: UUID, decision: DecisionId, *, by_hand: bool
    ) -> tuple[TokenSet | None, str, str | None, tuple[str, ...]] | ProviderTold:
        async with self.database.write(org) as session:
            row = await session.get(RevocationRow, (org, revocation), with_for_update=True)
            if row is None:
                raise NotFound("revocation")
            if row.state != "pending" or (row.next_at > self.clock.now() and not by_hand):  # ended, or another's turn
                return ProviderTold(revocation=row.id, state=row.state, tokens=ends_of(row.outcomes))
            if row.tokens is None:
                return None, row.provider, None, tuple(row.outcomes)
            row.attempts, row.next_at, row.decision_id = row.attempts + 1, self.clock.now() + TURN, decision
            ring = await self.vault.keyring(session, org, _subject(revocation))
            tokens = TokenSet.from_plaintext(ring.open(row.tokens, row=row.id, field=REVOKED_TOKENS))
            if row.cause != "person" and await would_end_others(session, org, row.provider, row.grant_id):
                return None, row.provider, None, spared(tokens)
            tenant = None if row.tenant is None else ring.open_text(row.tenant, row=row.id, field=TENANT)
            return tokens, row.provider, tenant, tuple(row.outcomes)

    async def _told(
        self, org: OrgId, provider: str, tenant: str | None, tokens: TokenSet, before: tuple[str, ...]
    ) -> tuple[str, ...]:
        try:
            async with self.database.read(org) as session:
                opening = await self.endpoints.of(session, org, provider, tenant=tenant)
            return words_of(await (await opening()).revoke(tokens))
        except JouleError as problem:
            return before if is_told(before) else untold(tokens, problem.code)

    async def _write_down(
        self, org: OrgId, revocation: UUID, words: tuple[str, ...], *, decision: DecisionId, task: TaskId
    ) -> ProviderTold:
        async with self.database.write(org) as session:
            row = await session.get(RevocationRow, (org, revocation), with_for_update=True)
            if row is None:
                raise NotFound("revocation")
            if row.state == "pending":
                now = self.clock.now()
                lost = row.tokens is None
                row.outcomes = list(words) or (["access:failed:tokens_unreadable"] if lost else [])
                if is_settled(words):
                    row.state = "done"
                elif lost or row.attempts >= MOST_ATTEMPTS:
                    row.state = "gave_up"
                else:
                    row.next_at = now + min(FIRST_WAIT * 2 ** min(row.attempts, 16), LONGEST_WAIT)
                if row.state != "pending":
                    row.ended_at, row.tokens, row.tenant = now, None, None
                    await session.flush()
                    await self.vault.shred(session, org, _subject(revocation))
                    server = server_of(row.provider)
                    if server is not None:
                        await store.clear(session, org, server)
                row.decision_id = decision
                await receipts.issue(session, self.vault, row, told_in=task, now=now, decision=decision)
            return ProviderTold(revocation=revocation, state=row.state, tokens=ends_of(row.outcomes))


def _subject(revocation: UUID) -> str:
    return f"revocation:{revocation}"


def _counted(things: Iterable[SyncedThing]) -> Synced:
    kinds = Counter(each.kind for each in things)
    return Synced(files=kinds["file"], items=kinds["item"], documents=kinds["document"])
