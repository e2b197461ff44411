"""Writes down what the organisation allows of providers: of each one, and whether only of those it names."""

from datetime import datetime

from sqlmodel import col, select

from integrations.actions import SetAllowList, SetProviderRule
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from integrations.mcp.sign_in import server_of
from integrations.results import AllowListSet, RuleSet
from integrations.tables import AllowListRow, ConnectionRow, OAuthGrantRow, ProviderRuleRow
from joule.database.engine import WriteSession
from joule.kernel.errors import Invalid
from joule.kernel.ids import DecisionId, OrgId


async def set_rule(session: WriteSession, action: SetProviderRule, *, decision: DecisionId, now: datetime) -> RuleSet:
    """Keep the rule. Raises `ProviderUnknown`, or `Invalid` for a scope the catalogue does not have."""
    provider = catalogue().provider(action.provider)
    if action.scopes is not None and set(action.scopes) - set(provider.scopes):
        raise Invalid("one of these permissions is not this provider's", advice="Choose from the list.")
    if action.members_to not in {None, "R1P", "R2", "R3"}:
        raise Invalid("members cannot be let that far", advice="Choose reading, drafts or publishing, or nobody.")
    row = await _row(session, action.principal.org, provider.id, decision=decision, now=now)
    row.allowed, row.scopes = action.allowed, None if action.scopes is None else sorted(set(action.scopes))
    row.members_to = action.members_to
    row.set_by, row.updated_at, row.decision_id = action.principal.person, now, decision
    return RuleSet(provider=provider.id)


async def set_list(session: WriteSession, action: SetAllowList, *, decision: DecisionId, now: datetime) -> AllowListSet:
    """Change what holds where nothing is said. Of what is allowed by name, the scopes are named too from then on."""
    org = action.principal.org
    row = await session.get(AllowListRow, org, with_for_update=True)
    if row is None:
        row = AllowListRow(org_id=org, only_listed=False, updated_at=now, decision_id=decision)
        session.add(row)
    begins = action.only_listed and not row.only_listed
    row.only_listed, row.updated_at = action.only_listed, now
    row.set_by, row.decision_id = action.principal.person, decision
    query = select(ProviderRuleRow).where(col(ProviderRuleRow.org_id) == org).with_for_update()
    rules = {each.provider: each for each in (await session.execute(query)).scalars()}
    if begins:
        if action.keep_connected:
            for name, granted in (await _connected(session, org)).items():
                if name not in rules:
                    rules[name] = await _row(session, org, name, decision=decision, now=now)
                    rules[name].scopes, rules[name].set_by = sorted(granted), action.principal.person
        for name, rule in rules.items():  # what a later catalogue adds is then not allowed unseen
            known = catalogue().providers.get(name)
            if rule.allowed and rule.scopes is None and known is not None:
                rule.scopes, rule.updated_at, rule.decision_id = sorted(_choices(known)), now, decision
    return AllowListSet(
        only_listed=row.only_listed, providers=tuple(sorted(name for name, each in rules.items() if each.allowed))
    )


async def _connected(session: WriteSession, org: OrgId) -> dict[str, set[str]]:
    """The providers of living accounts, with what they were granted of it."""
    query = (
        select(ConnectionRow.provider, OAuthGrantRow.granted)
        .join(
            OAuthGrantRow,
            (col(OAuthGrantRow.org_id) == col(ConnectionRow.org_id))
            & (col(OAuthGrantRow.id) == col(ConnectionRow.grant_id)),
        )
        .where(col(ConnectionRow.org_id) == org, col(ConnectionRow.status) == "active")
    )
    found: dict[str, set[str]] = {}
    for name, granted in (await session.execute(query)).all():
        known = catalogue().providers.get(name)
        if known is not None and server_of(name) is None:
            found.setdefault(name, set()).update(_choices(known) & set(granted))
    return found


def _choices(provider: Provider) -> set[str]:
    return {scope.name for scope in provider.scopes.values() if not scope.always}


async def _row(
    session: WriteSession, org: OrgId, provider: str, *, decision: DecisionId, now: datetime
) -> ProviderRuleRow:
    row = await session.get(ProviderRuleRow, (org, provider), with_for_update=True)
    if row is None:
        row = ProviderRuleRow(org_id=org, provider=provider, allowed=True, updated_at=now, decision_id=decision)
        session.add(row)
    return row
