"""What an organisation allows of each provider. Nothing said: the provider may be used, with any of its scopes."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.catalogue.model import Risk, Scope
from integrations.tables import ProviderRuleRow
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

    def lets_members_add(self, scopes: Iterable[Scope]) -> bool:
        """Whether a member may add these permissions. What spends, deletes or administers never is a member's to give."""
        most = self.members_to
        return most is not None and all(each.risk.rank <= most.rank for each in scopes)


async def rule_of(session: AsyncSession, org: OrgId, provider: str) -> Rule:
    """The rule as it is now."""
    row = await session.get(ProviderRuleRow, (org, provider))
    if row is None:
        return Rule()
    return Rule(
        allowed=row.allowed,
        scopes=None if row.scopes is None else frozenset(row.scopes),
        members_to=None if row.members_to is None else Risk(row.members_to),
    )
