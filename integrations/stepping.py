"""Lets people give the one permission that a task waits for: members for tasks of their own, as far as their rule goes.

What is asked for is what the question says and nothing besides: neither the account nor the scopes come from the browser.
A member's consent must be for the very account that is connected, so it has to be one whose provider names it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from integrations import grants, naming
from integrations._columns import GRANT_TENANT
from integrations.actions import BeginConnection, BeginStepUp
from integrations.catalogue import implied
from integrations.catalogue.account import NamedAccount
from integrations.catalogue.model import Provider
from integrations.errors import AdminsGive, AnotherAccount, ConnectionRevoked, ProviderBusy, ProviderUnknown
from integrations.oauth.wire import TokenSet
from integrations.pending import Wanted
from integrations.rules import rule_of
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.database.engine import ReadSession, WriteSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.kernel.principal import Principal, Role
from joule.vault.keys import Keyring
from joule.vault.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Lacking:
    """What a task waits for. `back` is the page it was asked on; `person` gave the task."""

    task: TaskId
    person: PersonId
    connection: UUID
    scopes: tuple[str, ...]
    back: str


class Questions(Protocol):
    """Knows what tasks wait for."""

    async def lacking(self, session: ReadSession, org: OrgId, question: UUID) -> Lacking:
        """The open question. Raises `NotFound` for one that is answered, has lapsed or is about something else."""
        ...

    async def disconnected(
        self, session: WriteSession, org: OrgId, connections: Collection[UUID], *, by: PersonId | None
    ) -> None:
        """See `integrations.revoking.Waiting`."""
        ...

    async def waited_for(self, session: AsyncSession, org: OrgId) -> frozenset[UUID]:
        """The connections of which some task waits for a permission."""
        ...


@dataclass(frozen=True, kw_only=True)
class StepUp:
    """A permission that this person may give: what it is about."""

    provider: Provider
    lacking: Lacking
    connection: ConnectionRow
    grant: OAuthGrantRow


async def step_up(session: AsyncSession, principal: Principal, lacking: Lacking) -> StepUp:
    """What `principal` may give. Raises `AdminsGive`, `NotFound` or `ConnectionRevoked`."""
    row = await session.get(ConnectionRow, (principal.org, lacking.connection))
    grant = None if row is None else await session.get(OAuthGrantRow, (principal.org, row.grant_id))
    if row is None or grant is None:
        raise NotFound("connection")
    if "revoked" in {row.status, grant.status}:
        raise ConnectionRevoked(grants.title_of(row.provider), row.revoked_at)
    provider = grants.provider_of(row.provider)
    if provider is None:
        raise ProviderUnknown()
    if principal.role is Role.MEMBER:
        if lacking.person != principal.person:
            raise AdminsGive(provider.title, "the task is somebody else's")
        if grant.account is None:
            raise AdminsGive(provider.title, "it does not say whose account it is")
        await _may_add(session, principal.org, provider, {*lacking.scopes, *grant.requested}, grant.granted)
    return StepUp(provider=provider, lacking=lacking, connection=row, grant=grant)


async def provider_of(session: AsyncSession, org: OrgId, lacking: Lacking) -> Provider:
    """The provider of the account that lacks something. Raises `NotFound`."""
    row = await session.get(ConnectionRow, (org, lacking.connection))
    provider = None if row is None else grants.provider_of(row.provider)
    if provider is None:
        raise NotFound("connection")
    return provider


async def wish(session: AsyncSession, vault: Vault, action: BeginStepUp, lacking: Lacking) -> BeginConnection:
    """The consent to begin for it. Raises as `step_up` does."""
    found = await step_up(session, action.principal, lacking)
    tenant = None
    if found.grant.tenant is not None and "{tenant}" in (found.provider.token_url or ""):
        ring = await vault.keyring(session, action.principal.org)
        tenant = ring.open_text(found.grant.tenant, row=found.grant.id, field=GRANT_TENANT)
    return BeginConnection(
        principal=action.principal,
        label=action.label,
        provider=found.connection.provider,
        scopes=lacking.scopes,
        session=action.session,
        redirect_uri=action.redirect_uri,
        read_only=found.connection.read_only,
        tenant_host=tenant,
        return_to=lacking.back,
        connection=lacking.connection,
        task=lacking.task,
    )


async def check_finish(session: AsyncSession, principal: Principal, wanted: Wanted) -> None:
    """Once more when a member comes back: the rule, or their role, may have changed meanwhile. Raises `AdminsGive`."""
    if principal.role is not Role.MEMBER:
        return
    provider = grants.provider_of(wanted.provider)
    row = await session.get(ConnectionRow, (principal.org, wanted.connection)) if wanted.connection else None
    grant = None if row is None else await session.get(OAuthGrantRow, (principal.org, row.grant_id))
    if provider is None or grant is None or wanted.task is None:
        raise AdminsGive(wanted.provider if provider is None else provider.title, "connecting is up to an admin")
    await _may_add(session, principal.org, provider, wanted.scopes, grant.granted)


async def _may_add(
    session: AsyncSession, org: OrgId, provider: Provider, asked: Collection[str], granted: Collection[str]
) -> None:
    rule = await rule_of(session, org, provider.id)
    added = [provider.scopes.get(name) for name in implied.to_ask(provider, asked) if name not in granted]
    known = [each for each in added if each is not None and not each.always]
    if None in added or not rule.lets_members_add(known):
        raise AdminsGive(provider.title, "your organisation leaves it to owners and admins")


def check_account(ring: Keyring, row: OAuthGrantRow, connected: TokenSet, told: NamedAccount | None) -> None:
    """Raises `AnotherAccount` unless the consent is said to be for the account that is connected.

    `ProviderBusy` when the provider could not be asked whose it is: then nobody knows, and it can be tried again.
    """
    title = grants.title_of(row.provider)
    if told is None:
        raise ProviderBusy(title, reason="account_not_asked")
    if not naming.is_same(ring, row, connected, told):
        raise AnotherAccount(title)
