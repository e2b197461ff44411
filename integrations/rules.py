"""What an organisation allows of each provider. Nothing said: the provider may be used, with any of its scopes."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.tables import ProviderRuleRow
from joule.kernel.ids import OrgId


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One provider's rule. `scopes` None: all of them."""

    allowed: bool = True
    scopes: frozenset[str] | None = None

    def allows(self, scopes: Iterable[str]) -> bool:
        """Whether the provider may be used with all of `scopes`."""
        return self.allowed and (self.scopes is None or self.scopes.issuperset(scopes))


async def rule_of(session: AsyncSession, org: OrgId, provider: str) -> Rule:
    """The rule as it is now."""
    row = await session.get(ProviderRuleRow, (org, provider))
    if row is None:
        return Rule()
    return Rule(allowed=row.allowed, scopes=None if row.scopes is None else frozenset(row.scopes))
