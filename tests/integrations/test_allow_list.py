"""An organisation that allows only what it names: refused when connecting, when renewing and when calling."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from integrations import rules
from integrations.actions import DescribeConnections, ReadFromProvider, RefreshGrant, SetAllowList, SetProviderRule
from integrations.catalogue.load import catalogue
from integrations.demo import PROVIDER
from integrations.errors import NotAllowedHere
from integrations.rules import Rule
from integrations.tables import ProviderRuleRow
from joule.assembly.upkeep import account_upkeep_of
from joule.database.engine import Database
from joule.kernel.errors import Refused
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.kernel.principal import Role
from joule.vault.vault import Vault
from tests.support.accounts import Office
from tests.support.clock import StoppedClock
from tests.support.rotating import ground

READING = ("contacts.read", "campaigns.read")


async def call(here: Office, connection: object, operation: str = "read_contacts") -> object:
    task = await here.task()
    wish = ReadFromProvider(
        **here.as_agent(),
        connection=connection,  # type: ignore[arg-type]
        provider=PROVIDER,
        operation=operation,
        inputs="{}",
    )
    return await task.perform(wish, call="act/0/0")


async def only_listed(here: Office, *, keep: bool) -> tuple[str, ...]:
    done = await here.do(SetAllowList(principal=here.owner, only_listed=True, keep_connected=keep))
    return done.providers


async def test_what_is_not_named_is_refused_at_once_and_works_again_when_it_is(here: Office, clock: StoppedClock):
    made = await here.connect(*READING)
    assert await call(here, made.connection)  # nothing said: all may be used

    assert await only_listed(here, keep=False) == ()

    with pytest.raises(NotAllowedHere):
        await call(here, made.connection)
    with pytest.raises(NotAllowedHere):
        await here.connect(*READING)
    assert (await here.do(DescribeConnections(principal=here.owner.as_agent()))).connections == ()
    clock.advance(timedelta(minutes=14))
    generation = "SELECT generation FROM oauth_grant"
    async with here.home.house.database.write(here.home.org) as session:
        await session.execute(text("UPDATE oauth_grant SET due_at = :now"), {"now": clock.now()})
        before = await session.scalar(text(generation))
    await account_upkeep_of(here.home.house).run()
    async with here.home.house.database.read(here.home.org) as session:
        assert await session.scalar(text(generation)) == before  # its access is not renewed
        assert PROVIDER not in await rules.allowed(session, here.home.org)

    await here.do(SetProviderRule(principal=here.owner, provider=PROVIDER, allowed=True, scopes=("contacts.read",)))

    assert await call(here, made.connection)
    with pytest.raises(NotAllowedHere):
        await call(here, made.connection, "read_campaigns")
    with pytest.raises(NotAllowedHere):
        await here.connect(*READING)
    assert await here.connect("contacts.read")
    assert (await here.do(RefreshGrant(principal=here.system, grant=made.grant))).grant == made.grant


async def test_a_renewal_is_refused_while_nothing_of_the_account_is_allowed(
    database: Database, vault: Vault, clock: StoppedClock, org: OrgId
):
    async with ground(database, vault, clock) as there:
        at = await there.connect(org)
        clock.advance(timedelta(minutes=61))  # its access has ended
        async with database.write(org) as session:
            rule = ProviderRuleRow(
                org_id=org, provider=PROVIDER, allowed=False, updated_at=clock.now(), decision_id=new_id()
            )
            session.add(rule)

        with pytest.raises(NotAllowedHere):
            await there.refreshing.usable(org, at.connection, decision=DecisionId(new_id()))
        assert there.provider.refreshes == 0

        async with database.write(org) as session:
            await session.execute(text("UPDATE provider_rule SET allowed = true"))
        assert await there.refreshing.usable(org, at.connection, decision=DecisionId(new_id()))
        assert there.provider.refreshes == 1


async def test_a_permission_forbidden_while_the_person_was_away_is_not_taken(here: Office):
    page = await here.begin(*READING)
    brought = await here.consent(page, *READING)
    await here.do(SetProviderRule(principal=here.owner, provider=PROVIDER, allowed=True, scopes=("contacts.read",)))

    with pytest.raises(NotAllowedHere):
        await here.finish(brought)

    assert await here.connect("contacts.read")


def test_an_account_is_kept_alive_while_any_of_its_permissions_is_allowed():
    known = catalogue().provider("hubspot")
    granted = ("oauth", "crm.objects.contacts.read", "content")

    assert Rule(scopes=frozenset({"content"})).lets_live(known, granted)
    assert Rule().lets_live(known, granted)
    assert not Rule(scopes=frozenset({"social"})).lets_live(known, granted)
    assert not Rule(allowed=False).lets_live(known, granted)
    assert Rule(scopes=frozenset()).lets_live(catalogue().provider("notion"), ("picked_pages",))  # it has no choices


async def test_connected_accounts_are_named_along_with_exactly_what_they_were_granted(here: Office):
    made = await here.connect("contacts.read")

    assert await only_listed(here, keep=True) == (PROVIDER,)

    assert await call(here, made.connection)
    with pytest.raises(NotAllowedHere):
        await here.connect(*READING)


async def test_what_a_newer_catalogue_adds_is_not_allowed_unseen(here: Office):
    await here.do(SetProviderRule(principal=here.owner, provider="hubspot", allowed=True))
    await here.do(SetProviderRule(principal=here.owner, provider="slack", allowed=False))

    assert await only_listed(here, keep=True) == ("hubspot",)

    async with here.home.house.database.read(here.home.org) as session:
        rule = await rules.rule_of(session, here.home.org, "hubspot")
        server = await rules.rule_of(session, here.home.org, f"mcp_{'0' * 32}")
    known = catalogue().provider("hubspot").scopes.values()
    assert rule.scopes == {each.name for each in known if not each.always}
    assert not rule.allows(["crm.added.later"])
    assert server.allowed  # an MCP server is named by being added


async def test_only_owners_admins_and_the_operator_say_what_is_allowed(here: Office):
    for role in (Role.MEMBER, Role.SUPPORT):
        with pytest.raises(Refused):
            await here.do(SetAllowList(principal=here.somebody(role), only_listed=True))
    with pytest.raises(Refused):
        await here.do(SetAllowList(principal=here.owner.as_agent(), only_listed=True))

    for principal in (here.somebody(Role.ADMIN), here.system):
        assert (await here.do(SetAllowList(principal=principal, only_listed=False))).only_listed is False
