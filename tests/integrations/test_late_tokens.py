"""Tokens that arrive after the account was disconnected are ended at the provider, not kept."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from integrations._late import Late
from integrations.actions import RevokeConnection, TellProvider
from integrations.catalogue.load import catalogue
from integrations.errors import ConnectionRevoked
from integrations.oauth.secret import Secret
from integrations.oauth.wire import TokenOutcome, TokenSet
from integrations.results import SyncedThing
from integrations.revoking import Revoking
from integrations.tables import ConnectionRow, OAuthGrantRow, ProviderClientRow, RevocationRow
from joule.database.engine import Database
from joule.kernel.ids import DecisionId, OrgId, PersonId, TaskId, new_id
from joule.kernel.permit import Permits
from joule.kernel.principal import Principal, Role, Via
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.support.provider_server import Asked, Json
from tests.support.rotating import Connected, Ground, ground

DECISION = DecisionId(new_id())


class Nothing:
    """Nothing was kept from any account."""

    async def listed(self, *_: object) -> tuple[SyncedThing, ...]:
        return ()

    async def erase(self, *_: object) -> None: ...


@pytest.fixture
async def here(database: Database, vault: Vault, clock: StoppedClock) -> AsyncIterator[Ground]:
    async with ground(database, vault, clock) as found:
        yield found


async def revoke(here: Ground, at: Connected, *, whole_grant: bool = False) -> None:
    revoking = Revoking(
        database=here.database, vault=here.vault, clock=here.clock, endpoints=here.endpoints, synced=Nothing()
    )
    owner = Principal(org=at.org, person=PersonId(new_id()), role=Role.OWNER, via=Via.PERSON)
    action = RevokeConnection(principal=owner, connection=at.connection, whole_grant=whole_grant)
    async with here.database.write(at.org) as session:
        permit = Permits(clock=here.clock).issue(action, decision=DECISION, task=TaskId(new_id()))
        await revoking.revoke(session, action, permit=permit)


class Held:
    """The provider's answer to a refresh, held back until the test lets it go."""

    def __init__(self, here: Ground) -> None:
        self.here, self.came, self.go = here, asyncio.Event(), asyncio.Event()

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        self.came.set()
        await self.go.wait()
        reply: Json = self.here.provider.at_oauth_token(asked)
        return await reply.send(writer, asked)


async def test_a_refresh_that_lands_after_the_disconnection_is_itself_revoked(
    here: Ground, org: OrgId, clock: StoppedClock
):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=61))
    held = Held(here)
    here.provider.will(held)
    caller = asyncio.create_task(here.refreshing.usable(org, at.connection, decision=DECISION))
    await held.came.wait()
    await revoke(here, at)

    held.go.set()

    with pytest.raises(ConnectionRevoked):
        await caller
    assert here.provider.refresh is None
    assert here.provider.alive == set()
    row = await here.row(at)
    assert (row.status, row.tokens, row.generation) == ("revoked", None, 1)
    async with here.database.read(org) as session:
        found = (await session.execute(select(RevocationRow.cause, RevocationRow.state))).all()
    assert sorted(map(tuple, found)) == [("late_refresh", "done"), ("person", "pending")]


async def test_late_tokens_the_provider_would_not_hear_of_are_ended_by_the_job_that_follows(
    here: Ground, org: OrgId, clock: StoppedClock
):
    at = await here.connect(org)
    clock.advance(timedelta(minutes=61))
    held = Held(here)
    here.provider.will(held, Json(status=503), Json(status=503))
    caller = asyncio.create_task(here.refreshing.usable(org, at.connection, decision=DECISION))
    await held.came.wait()
    await revoke(here, at)
    held.go.set()
    with pytest.raises(ConnectionRevoked):
        await caller
    assert here.provider.refresh is not None

    async with here.database.read(org) as session:
        late = await session.scalar(select(RevocationRow.id).where(RevocationRow.cause == "late_refresh"))
    revoking = Revoking(
        database=here.database, vault=here.vault, clock=here.clock, endpoints=here.endpoints, synced=Nothing()
    )
    system = Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    assert late is not None
    told = await revoking.tell(
        TellProvider(principal=system, revocation=late), decision=DECISION, task=TaskId(new_id())
    )

    assert told.state == "done"
    assert here.provider.refresh is None


class Whole:
    """The endpoints of a provider at which ending one token ends all there is; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[TokenSet] = []

    async def opening(self) -> "Whole":
        return self

    async def refresh(self, tokens: TokenSet) -> TokenSet:
        raise AssertionError("nobody renews these")

    async def revoke(self, tokens: TokenSet) -> tuple[TokenOutcome, ...]:
        self.told.append(tokens)
        return (TokenOutcome(token="access", outcome="revoked", detail="told"),)


@pytest.mark.parametrize(
    ("provider", "other_lives", "own_app", "told"),
    [
        ("google_ads", True, True, 0),
        ("google_ads", False, True, 1),
        ("google_ads", False, False, 0),  # a shared app: another organisation may have connected the same account
        ("meta_ads_pages", True, True, 0),
        ("hubspot", True, False, 1),
    ],
)
async def test_late_tokens_are_not_ended_where_that_would_end_another_living_grant(
    here: Ground, org: OrgId, provider: str, other_lives: bool, own_app: bool, told: int
):
    other, whole = await here.connect(org), Whole()
    async with here.database.write(org) as session:
        row = await session.get(OAuthGrantRow, (org, other.grant))
        assert row is not None
        family = catalogue().provider(provider).family
        row.family, row.status = family, "active" if other_lives else "needs_reconnecting"
        if own_app:
            session.add(_app(org, provider, here))
    late = Late(database=here.database, vault=here.vault, clock=here.clock)
    tokens = TokenSet(access_token=Secret("late-token"), received_at=here.clock.now())

    await late.end(org, new_id(), provider, whole.opening, tokens, decision=DECISION, cause="unfinished")

    assert len(whole.told) == told
    async with here.database.read(org) as session:
        kept = (await session.execute(select(RevocationRow.state, RevocationRow.tokens, RevocationRow.outcomes))).one()
    assert (kept.state, kept.tokens) == ("done", None)
    word = "access:revoked:told" if told else "access:unsupported:would_end_others"
    assert list(kept.outcomes) == [word]


@pytest.mark.parametrize(("others", "told"), [(b"k" * 32, 0), (b"o" * 32, 1)])
async def test_late_tokens_of_one_account_are_ended_though_another_account_lives(
    here: Ground, org: OrgId, others: bytes, told: int
):
    mine, other, whole = await here.connect(org), await here.connect(org), Whole()
    async with here.database.write(org) as session:
        for grant, key in ((mine.grant, b"k" * 32), (other.grant, others)):
            row = await session.get(OAuthGrantRow, (org, grant))
            assert row is not None
            row.family, row.account_key = "google", key
            row.status = "active" if grant == other.grant else "needs_reconnecting"
        session.add(_app(org, "google_ads", here))
    late = Late(database=here.database, vault=here.vault, clock=here.clock)
    tokens = TokenSet(access_token=Secret("late-token"), received_at=here.clock.now())

    await late.end(org, mine.grant, "google_ads", whole.opening, tokens, decision=DECISION)

    assert len(whole.told) == told


def _app(org: OrgId, provider: str, here: Ground) -> ProviderClientRow:
    """The organisation's own app."""
    now = here.clock.now()
    return ProviderClientRow(
        org_id=org,
        id=new_id(),
        provider=provider,
        client_id=b"sealed",
        generation=1,
        created_at=now,
        updated_at=now,
        decision_id=DECISION,
    )


async def test_one_of_several_products_ends_alone_and_the_provider_is_not_told(here: Ground, org: OrgId):
    at = await here.connect(org, products=("demo_crm", "hubspot"))
    async with here.database.read(org) as session:
        both = (await session.execute(select(ConnectionRow.id, ConnectionRow.provider))).all()
    other = next(each for each, provider in both if provider == "hubspot")

    await revoke(here, at)

    assert (await here.row(at)).status == "active"
    assert await here.refreshing.usable(org, other, decision=DECISION)
    with pytest.raises(ConnectionRevoked):
        await here.refreshing.usable(org, at.connection, decision=DECISION)


async def test_ending_the_whole_consent_ends_every_product(here: Ground, org: OrgId):
    at = await here.connect(org, products=("demo_crm", "hubspot"))

    await revoke(here, at, whole_grant=True)

    row = await here.row(at)
    assert (row.status, row.tokens) == ("revoked", None)
    async with here.database.read(org) as session:
        states = set((await session.execute(select(ConnectionRow.status))).scalars())
    assert states == {"revoked"}
