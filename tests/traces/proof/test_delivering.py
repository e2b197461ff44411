"""Signed heads go where they are wanted: all of them, at least once, never endlessly, and never to a private address."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import boto3
import pytest
from moto import mock_aws

from integrations.broker.guard import Network
from integrations.broker.posting import post
from joule.assembly.proving import Bucket
from joule.assembly.upkeep import proof_upkeep_of
from joule.database.engine import Database
from joule.kernel.errors import Refused
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.sections import ProofSettings
from joule.kernel.settings import Settings
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.support.house import Home, home
from tests.support.provider_server import Json, ProviderServer
from tests.traces.proof.conftest import proofs_over
from tests.traces.proof.test_sealing import record
from traces import verify
from traces.opening import Journals
from traces.proof import queries
from traces.proof.actions import ChooseDelivery
from traces.proof.delivering import BUCKET, SignedHead
from traces.proof.errors import AddressRefused, DeliveryFailed
from traces.proof.queries import DeliveryState


async def state(here: Home) -> DeliveryState:
    async with here.house.database.read(here.org) as session:
        (found,) = await queries.deliveries(session, here.house.vault, here.org)
    return found


async def test_a_webhook_is_sent_every_head_and_again_after_it_was_away(settings: Settings):
    clock = StoppedClock()
    async with ProviderServer(Json()).running() as server:
        chosen = settings.model_copy(update={"proof": ProofSettings(webhook_port=server.port)})
        async with home(chosen, clock=clock) as here:
            upkeep = proof_upkeep_of(here.house)
            url = f"http://127.0.0.1:{server.port}/heads?of=us"
            await here.house.commands.perform(ChooseDelivery(principal=here.owner, url=url))
            await upkeep.seal()
            assert await upkeep.send() == 1
            assert ((await state(here)).waiting, (await state(here)).host) == (0, "127.0.0.1")

            # What sending wrote is sealed as well, and is no reason to send again.
            clock.advance(timedelta(minutes=1))
            assert await upkeep.seal() == 1
            assert await upkeep.send() == 0

            server.answers = [Json(status=503)]
            await here.upload("a.txt", b"words")
            await upkeep.seal()
            assert await upkeep.send() == 0
            away = await state(here)
            assert (away.failures, away.problem, away.waiting) == (1, "failed_there", 2)
            assert await upkeep.send() == 0  # not before its time
            assert len(server.requests) == 2

            server.answers = [Json()]
            clock.advance(timedelta(minutes=2))
            assert await upkeep.send() == 2
            assert ((await state(here)).waiting, (await state(here)).problem) == (0, "")
            (key,) = await here.house.proofs.signing.keys()

    told = [head for asked in (server.requests[0], server.requests[2]) for head in asked.body["heads"]]
    name = key.line.split("+")[0]
    heads = [verify.head_of(verify.verified(head["note"], name, [key.public], where="")) for head in told]
    assert [head["number"] for head in told] == [1, 2, 3]
    assert [later.previous for later in heads[1:]] == [(earlier.size, earlier.root) for earlier in heads[:-1]]
    assert b"words" not in b"".join(asked.raw for asked in server.requests)


async def test_owners_and_admins_choose_public_https_addresses_and_nobody_else_any(settings: Settings):
    async with home(settings) as here:
        perform, owner = here.house.commands.perform, here.owner
        for url in (
            "http://heads.example.com/",
            "https://10.0.0.7/heads",
            "https://[::1]/",
            "https://localhost/",
            "https://me:secret@heads.example.com/",
            "https://heads.example.com:8443/",
            "ftp://heads.example.com/",
        ):
            with pytest.raises(AddressRefused):
                await perform(ChooseDelivery(principal=owner, url=url))
        good = "https://heads.example.com/joule"
        for role in (Role.MEMBER, Role.SUPPORT):
            with pytest.raises(Refused):
                await perform(
                    ChooseDelivery(
                        principal=Principal(org=here.org, person=owner.person, role=role, via=Via.PERSON), url=good
                    )
                )
        assert (await perform(ChooseDelivery(principal=owner, url=good))).on
        assert (await state(here)).host == "heads.example.com"

        assert not (await perform(ChooseDelivery(principal=owner, url=""))).on
        async with here.house.database.read(here.org) as session:
            assert await queries.deliveries(session, here.house.vault, here.org) == []


async def test_a_name_that_leads_to_a_private_address_is_sent_nothing() -> None:
    @dataclass
    class Leads:
        to: str

        async def addresses(self, host: str, port: int) -> Sequence[str]:
            return [self.to]

    for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "fd00::1"):
        network = Network(resolver=Leads(address))
        assert await post(network, "https://heads.example.com/", {}, headers={}) == "address_refused"
        await network.close()


@dataclass(kw_only=True)
class Carrying:
    """A way out that notes what it carried, and fails as told."""

    carried: list[int] = field(default_factory=list)
    fails: Exception | None = None

    async def carry(self, org: OrgId, address: str, heads: Sequence[SignedHead]) -> None:
        self.carried += [head.number for head in heads]
        if self.fails is not None:
            raise self.fails


async def test_heads_that_arrived_are_sent_again_when_that_could_not_be_written_down(
    journals: Journals, database: Database, vault: Vault, clock: StoppedClock, org: OrgId
):
    """A worker killed between sending and noting it leaves the cursor where it was."""
    way = Carrying(fails=ZeroDivisionError())
    proving = proofs_over(database, vault, clock, bucket=way)
    await record(journals, org)
    await proving.sealing.seal(org)
    with pytest.raises(ZeroDivisionError):
        await proving.delivery.deliver(org, BUCKET, decision=DecisionId(new_id()))

    way.fails = None
    assert await proving.delivery.due(org) == [BUCKET]
    await proving.delivery.deliver(org, BUCKET, decision=DecisionId(new_id()))

    assert way.carried == [1, 1]
    assert await proving.delivery.due(org) == []


async def test_a_bucket_gets_an_object_for_each_head(
    journals: Journals,
    database: Database,
    vault: Vault,
    clock: StoppedClock,
    org: OrgId,
    monkeypatch: pytest.MonkeyPatch,
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        proving = proofs_over(database, vault, clock, bucket=Bucket(client, bucket="heads"))
        await record(journals, org)
        await proving.sealing.seal(org)
        with pytest.raises(DeliveryFailed):
            await proving.delivery.deliver(org, BUCKET, decision=DecisionId(new_id()))
        client.create_bucket(Bucket="heads")

        delivered = await proving.delivery.deliver(org, BUCKET, decision=DecisionId(new_id()))

        (stored,) = client.list_objects_v2(Bucket="heads")["Contents"]
        note = client.get_object(Bucket="heads", Key=stored["Key"])["Body"].read().decode()
    async with database.read(org) as session:
        (head,) = await queries.newest_heads(session, org)
        (now,) = await queries.deliveries(session, vault, org)
    assert stored["Key"] == f"joule-heads/{org}/90d/{head.day}/1"
    assert note == head.note
    assert (delivered.heads, delivered.more, now.waiting, now.failures) == (1, False, 0, 0)
