"""Disconnecting completes: dead here at once, then told to the provider, with an honest end for every token."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from integrations import grants, queries
from integrations.actions import ReadFromProvider, RevokeConnection
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Revocation, frozen
from integrations.demo import PROVIDER
from integrations.errors import ConnectionRevoked
from integrations.receipts import Receipt
from integrations.revoking import MOST_ATTEMPTS
from integrations.tables import ConnectionRow
from integrations.upkeep import Kept
from joule.assembly.upkeep import account_upkeep_of
from joule.kernel.errors import NotFound, Refused
from joule.kernel.ids import new_id
from joule.kernel.principal import Role
from joule.vault.errors import Shredded
from memory.items.actions import Recall, Remember
from memory.items.kinds import SourceKind
from memory.items.results import SourceSpan
from tests.support.accounts import Office
from tests.support.clock import StoppedClock

READING = ("contacts.read", "campaigns.read")


async def told(here: Office) -> Kept:
    return await account_upkeep_of(here.home.house).run()


async def shown(here: Office, connection: object) -> queries.ConnectionView:
    async with here.home.house.database.read(here.home.org) as session:
        return await queries.connection(session, here.home.house.vault, here.home.org, connection)  # type: ignore[arg-type]


async def call(here: Office, connection: object) -> object:
    task = await here.task()
    return await task.perform(
        ReadFromProvider(
            **here.as_agent(),
            connection=connection,  # type: ignore[arg-type]
            provider=PROVIDER,
            operation="read_contacts",
            inputs="{}",
        ),
        call="act/0/0",
    )


async def receipt_of(here: Office, connection: object) -> dict[str, Any]:
    async with here.home.house.database.read(here.home.org) as session:
        given = json.loads(await queries.receipt(session, here.home.house.vault, here.home.org, connection))  # type: ignore[arg-type]
    said: dict[str, Any] = json.loads(given["receipt"])
    return said


async def test_rule_21_a_disconnected_account_is_refused_at_the_next_call_and_its_tokens_cannot_be_opened(here: Office):
    made = await here.connect(*READING)
    assert await call(here, made.connection)

    gone = await here.do(RevokeConnection(principal=here.owner, connection=made.connection))

    with pytest.raises(ConnectionRevoked):
        await call(here, made.connection)
    assert gone.revocation is not None
    async with here.home.house.database.read(here.home.org) as session:
        with pytest.raises(Shredded):
            await here.home.house.vault.keyring(session, here.home.org, grants.subject(made.grant))


async def test_the_provider_is_told_and_the_receipt_says_what_became_of_each_token(here: Office):
    made = await here.connect(*READING)
    await here.do(RevokeConnection(principal=here.owner, connection=made.connection))
    assert (await shown(here, made.connection)).telling == "pending"

    assert (await told(here)).told == 1

    view = await shown(here, made.connection)
    assert view.telling == "done"
    assert {(each.token, each.outcome) for each in view.outcomes} <= {
        ("refresh", "revoked"),
        ("access", "revoked"),
        ("access", "already_dead"),
    }
    async with here.home.house.database.read(here.home.org) as session:
        given = json.loads(await queries.receipt(session, here.home.house.vault, here.home.org, made.connection))
    receipt = Receipt(
        document=given["receipt"].encode(),
        signature=bytes.fromhex(given["signature"]),
        public_key=bytes.fromhex(given["public_key"]),
    )
    said = json.loads(receipt.document)
    assert receipt.is_genuine()
    assert said["provider_told"] is True
    assert said["tokens"][0] == {"token": "refresh", "outcome": "revoked", "detail": "told"}
    assert not Receipt(
        document=receipt.document.replace(b"revoked", b"ignored"),
        signature=receipt.signature,
        public_key=receipt.public_key,
    ).is_genuine()


async def test_a_receipt_never_says_told_of_a_provider_that_has_no_way_to_be_told(
    here: Office, monkeypatch: pytest.MonkeyPatch
):
    made = await here.connect("contacts.read")
    shelf = catalogue()
    mute = replace(shelf.provider(PROVIDER), revocation=Revocation(kind="none", kills="Nothing from here."))
    deaf = replace(shelf, providers=frozen({**shelf.providers, PROVIDER: mute}))
    monkeypatch.setattr("integrations.catalogue.load._opened", [deaf])

    await here.do(RevokeConnection(principal=here.owner, connection=made.connection))
    await told(here)

    async with here.home.house.database.read(here.home.org) as session:
        given = json.loads(await queries.receipt(session, here.home.house.vault, here.home.org, made.connection))
    said = json.loads(given["receipt"])
    assert said["provider_told"] is False
    assert {each["outcome"] for each in said["tokens"]} == {"unsupported"}


async def test_the_receipt_names_tasks_that_are_in_the_journal(here: Office):
    made = await here.connect(*READING)
    await here.do(RevokeConnection(principal=here.owner, connection=made.connection))
    await told(here)

    async with here.home.house.database.read(here.home.org) as session:
        given = json.loads(await queries.receipt(session, here.home.house.vault, here.home.org, made.connection))
        names = json.loads(given["receipt"])["journal"]
        query = text("SELECT count(*) FROM trace_event WHERE task_id = :task")
        found = [await session.scalar(query, {"task": task}) for task in names.values()]

    assert len(found) == 2
    assert all(found)


async def test_rule_21_a_provider_that_cannot_be_reached_is_told_later_and_the_account_is_dead_all_the_same(
    here: Office, clock: StoppedClock
):
    made = await here.connect(*READING)
    async with here.home.house.database.write(here.home.org) as session:
        await session.execute(text("UPDATE oauth_grant SET tenant = NULL"))  # where it is, nobody knows any more
    await here.do(RevokeConnection(principal=here.owner, connection=made.connection))

    await told(here)

    view = await shown(here, made.connection)
    assert (view.status, view.telling, view.has_receipt) == ("revoked", "pending", True)
    assert {each.outcome for each in view.outcomes} == {"failed"}
    with pytest.raises(ConnectionRevoked):
        await call(here, made.connection)
    assert (await told(here)).told == 0  # not yet due
    for _ in range(MOST_ATTEMPTS):
        clock.advance(timedelta(hours=9))
        await told(here)
    view = await shown(here, made.connection)
    assert (view.telling, view.has_receipt) == ("gave_up", True)
    said = await receipt_of(here, made.connection)
    assert (said["final"], said["state"], said["provider_told"]) == (True, "gave_up", False)


async def test_nothing_can_be_disconnected_twice_and_nothing_unknown(here: Office):
    made = await here.connect(*READING)
    await here.do(RevokeConnection(principal=here.owner, connection=made.connection))

    with pytest.raises(ConnectionRevoked):
        await here.do(RevokeConnection(principal=here.owner, connection=made.connection))
    with pytest.raises(NotFound):
        await here.do(RevokeConnection(principal=here.owner, connection=made.grant))


async def test_the_database_itself_keeps_it_from_coming_back(here: Office):
    made = await here.connect(*READING)
    await here.do(RevokeConnection(principal=here.owner, connection=made.connection))

    for table in ("connection", "oauth_grant"):
        with pytest.raises(Exception, match="what was revoked stays revoked"):
            async with here.home.house.database.write(here.home.org) as session:
                await session.execute(text(f"UPDATE {table} SET status = 'active', revoked_at = NULL"))


async def test_only_owners_and_admins_disconnect(here: Office):
    made = await here.connect(*READING)

    for role in (Role.MEMBER, Role.SUPPORT):
        with pytest.raises(Refused):
            await here.do(RevokeConnection(principal=here.somebody(role), connection=made.connection))

    assert await here.do(RevokeConnection(principal=here.somebody(Role.ADMIN), connection=made.connection))


@pytest.mark.parametrize("delete", [False, True])
async def test_what_was_kept_from_the_account_stays_or_goes_as_chosen(here: Office, delete: bool):
    made = await here.connect(*READING)
    project = here.home.project
    read = SourceSpan(kind=SourceKind.CONNECTION, source=made.connection)
    await here.do(Remember(principal=here.owner, project=project, text="Typed from the account", sources=(read,)))

    gone = await here.do(RevokeConnection(principal=here.owner, connection=made.connection, delete_synced=delete))

    assert gone.found.items == 1
    assert gone.deleted.items == int(delete)
    synced = (await receipt_of(here, made.connection))["synced"]
    assert (synced["things"], synced["deleted"], synced["kept"]) == (1, int(delete), int(not delete))
    (thing,) = synced["named"]
    assert (thing["kind"], thing["connection"]) == ("item", str(made.connection))
    assert (thing["became"], "Typed" in str(synced)) == ("deleted" if delete else "kept", False)
    await told(here)
    assert (await receipt_of(here, made.connection))["synced"] == synced
    left = await here.do(Recall(principal=here.owner, project=project, query="typed", limit=5))
    assert len(left.items) == int(not delete)


async def test_no_token_is_left_anywhere_once_the_provider_has_been_told(here: Office):
    made = await here.connect(*READING)
    await here.do(RevokeConnection(principal=here.owner, connection=made.connection))
    await told(here)

    async with here.home.house.database.read(here.home.org) as session:
        kept = await session.scalar(text("SELECT count(*) FROM oauth_grant WHERE tokens IS NOT NULL"))
        waiting = await session.scalar(text("SELECT count(*) FROM revocation WHERE tokens IS NOT NULL"))
        living = await session.scalar(
            text("SELECT count(*) FROM data_key WHERE state <> 'shredded' AND subject ~ '^(grant|revocation):'")
        )

    assert (kept, waiting, living) == (0, 0, 0)


async def test_a_product_that_ends_alone_has_a_receipt_that_says_so_until_its_consent_ends_too(here: Office):
    made = await here.connect(*READING)
    async with here.home.house.database.write(here.home.org) as session:
        (mine,) = (await session.execute(select(ConnectionRow))).scalars()
        other = new_id()
        told_of = {name: getattr(mine, name) for name in ConnectionRow.model_fields}
        session.add(ConnectionRow(**{**told_of, "id": other, "provider": "hubspot"}))

    gone = await here.do(RevokeConnection(principal=here.owner, connection=made.connection))

    alone = await receipt_of(here, made.connection)
    assert (gone.revocation, (await shown(here, made.connection)).telling) == (None, "shared")
    assert (alone["state"], alone["provider_told"], alone["keys_destroyed_at"]) == ("shared", False, None)
    assert [each["ended_at"] is None for each in alone["connections"]] == [False, True]
    await here.do(RevokeConnection(principal=here.owner, connection=other))
    await told(here)
    both = await receipt_of(here, made.connection)
    assert (both["state"], [each["ended_at"] is None for each in both["connections"]]) == ("done", [False, False])
    assert both == await receipt_of(here, other)
