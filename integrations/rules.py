"""What an organisation allows of each provider.

Nothing said: the provider may be used, with any of its scopes; unless the organisation allows only what it names. MCP
servers are named by being added.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations.catalogue import implied
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider, Risk, Scope
from integrations.mcp.sign_in import server_of
from integrations.tables import AllowListRow, ProviderRuleRow
from joule.kernel.ids import OrgId


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One provider's rule. `scopes` None: all of them. `members_to` None: members add no permission themselves."""

    allowed: bool = True
    scopes: frozenset[str] | None = None
    members_to: Risk | None = None

    def allows(self, scopes: Iterable[str]) -> bool:
        """Whether the provider may be used with all of `scopes`."""
        return self.allowed and (self.scopes is None or self.scopes.issuperset(scopes))

    def permitted(self, provider: Provider) -> frozenset[str]:
        """The scopes the organisation lets be used. What every connection needs is not a choice."""
        if self.scopes is None:
            return frozenset(provider.scopes)
        always = {scope.name for scope in provider.scopes.values() if scope.always}
        return implied.closure(provider, self.scopes | always)

    def lets_live(self, provider: Provider, granted: Iterable[str]) -> bool:
        """Whether an account with these permissions is of any use here, so that its access may be renewed."""
        if not self.allowed:
            return False
        held = implied.closure(provider, granted)
        optional = {scope.name for scope in provider.scopes.values() if not scope.always}
        return self.scopes is None or not held & optional or bool(held & optional & self.permitted(provider))

    def lets_members_add(self, scopes: Iterable[Scope]) -> bool:
        """Whether a member may add these permissions. What spends, deletes or administers never is a member's to give."""
        most = self.members_to
        return most is not None and all(each.risk.rank <= most.rank for each in scopes)


async def rule_of(session: AsyncSession, org: OrgId, provider: str) -> Rule:
    """The rule as it is now."""
    row = await session.get(ProviderRuleRow, (org, provider))
    if row is None:
        return Rule(allowed=server_of(provider) is not None or not await only_listed(session, org))
    return Rule(
        allowed=row.allowed,
        scopes=None if row.scopes is None else frozenset(row.scopes),
        members_to=None if row.members_to is None else Risk(row.members_to),
    )


async def only_listed(session: AsyncSession, org: OrgId) -> bool:
    """Whether the organisation allows only what it has named."""
    row = await session.get(AllowListRow, org)
    return row is not None and row.only_listed


async def allowed(session: AsyncSession, org: OrgId) -> frozenset[str]:
    """The catalogue's providers that the organisation lets be used."""
    rows = (await session.execute(select(ProviderRuleRow).where(col(ProviderRuleRow.org_id) == org))).scalars()
    said, otherwise = {row.provider: row.allowed for row in rows}, not await only_listed(session, org)
    return frozenset(name for name in catalogue().providers if said.get(name, otherwise))
