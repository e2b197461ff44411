"""A connection says whose account it is; what could not be learnt at first is learnt later, and two accounts are two."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from integrations import naming, queries
from integrations.actions import RevokeConnection
from integrations.catalogue.account import AccountClue, NamedAccount
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import frozen
from integrations.demo import PROVIDER
from integrations.oauth.secret import Secret
from integrations.oauth.wire import TokenSet
from integrations.tables import OAuthGrantRow
from joule.assembly.upkeep import account_upkeep_of
from joule.database.engine import Database
from joule.kernel.ids import OrgId, new_id
from joule.vault.vault import Vault
from tests.support.accounts import Office
from tests.support.clock import StoppedClock

SILENT = AccountClue(source="call", url="http://{tenant}/api/nowhere", name="name", id="id")
SAYING = AccountClue(
    source="call",
    url="http://{tenant}/api/contacts",
    name="contacts.0.name",
    id="contacts.0.id",
    needs=("contacts.read",),
)


def named_by(monkeypatch: pytest.MonkeyPatch, *clues: AccountClue) -> None:
    """From now on the demonstration's account is named there and nowhere else."""
    shelf = catalogue()
    told = replace(shelf.provider(PROVIDER), account=clues)
    changed = replace(shelf, providers=frozen({**shelf.providers, PROVIDER: told}))
    monkeypatch.setattr("integrations.catalogue.load._opened", [changed])


async def account_of(here: Office, connection: object) -> tuple[str, bool]:
    async with here.home.house.database.read(here.home.org) as session:
        view = await queries.connection(session, here.home.house.vault, here.home.org, connection)  # type: ignore[arg-type]
    return view.account, view.asks_name


async def test_what_could_not_be_learnt_while_connecting_is_asked_for_again(
    here: Office, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
):
    named_by(monkeypatch, SILENT)
    made = await here.connect("contacts.read")
    over = await here.connect("contacts.read")
    async with here.home.house.database.write(here.home.org) as session:  # an address would do for a name
        await session.execute(text("UPDATE oauth_grant SET account = NULL"))
    await here.do(RevokeConnection(principal=here.owner, connection=over.connection))
    assert await account_of(here, made.connection) == ("", True)
    upkeep = account_upkeep_of(here.home.house)

    assert (await upkeep.run()).named == 0  # not yet due
    named_by(monkeypatch, SAYING)
    clock.advance(timedelta(minutes=2))
    assert (await upkeep.run()).named == 1  # what was disconnected is asked nothing

    name, asks = await account_of(here, made.connection)
    assert (bool(name), asks) == (True, False)
    async with here.home.house.database.read(here.home.org) as session:
        query = text("SELECT kind FROM trace_event WHERE action = 'integrations.name_account' ORDER BY at")
        assert [*await session.scalars(query)] == ["action.intent", "action.result"]
        dumped = str((await session.execute(text("SELECT account, account_key FROM oauth_grant"))).all())
    assert name not in dumped
    clock.advance(timedelta(days=2))
    assert (await upkeep.run()).named == 0


async def test_a_provider_that_names_nobody_twice_is_left_in_peace(
    here: Office, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
):
    named_by(monkeypatch, SILENT)
    made = await here.connect("contacts.read")
    upkeep = account_upkeep_of(here.home.house)

    rounds = []
    for _ in range(3):
        clock.advance(timedelta(days=1))
        rounds.append((await upkeep.run()).named)

    assert rounds == [1, 0, 0]
    assert await account_of(here, made.connection) == (here.address, False)


SAME = (  # what was connected, what was consented to now, and whether that is the same account
    (NamedAccount(name="Ada", id="1"), NamedAccount(name="Ada", id="1"), True),
    (NamedAccount(name="Ada", id="1"), NamedAccount(name="Ada L.", id="1"), True),  # renamed there
    (NamedAccount(name="Ada", id="1"), NamedAccount(name="Ada", id="2"), False),  # of the same name
    (NamedAccount(name="Ada", id="1"), NamedAccount(name="Ada"), False),
    (NamedAccount(name="Ada"), NamedAccount(name="Ada", id="1"), False),
    (NamedAccount(name="Ada"), NamedAccount(name="Ada"), True),
    (NamedAccount(name="Ada"), NamedAccount(name="Eve"), False),
    (NamedAccount(), NamedAccount(), False),
    (NamedAccount(name="Blue Bike"), NamedAccount(name="Blue Bike", id="T1"), True),  # its tokens say the team
)


async def test_two_consents_are_of_one_account_by_its_id_and_by_its_name_only_where_there_is_none(
    database: Database, vault: Vault, clock: StoppedClock, org: OrgId
):
    tokens = TokenSet(access_token=Secret("x"), received_at=clock.now(), extra={"team": "T1"})
    async with database.write(org) as session:
        ring = await vault.keyring(session, org, create=True)

    for connected, consented, same in SAME:
        row = OAuthGrantRow(org_id=org, id=new_id(), family="acme", provider="acme")  # type: ignore[call-arg]
        naming.keep(ring, row, connected, tenant=None)
        older = tokens if connected.name == "Blue Bike" else None

        assert naming.is_same(ring, row, older, consented) is same, (connected, consented)
