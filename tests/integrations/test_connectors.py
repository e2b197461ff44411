"""A connector that somebody else ships: off until its operator names it, then an account's tool like any other, under the gate."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from integrations import queries
from integrations.actions import DescribeConnections, ReadFromProvider, RevokeConnection, SetProviderRule
from integrations.broker.connectors import installed, told_of
from integrations.catalogue.load import catalogue
from integrations.demo import PROVIDER
from integrations.errors import ArgumentsRefused, ConnectionRevoked, NotAllowedHere, OperationUnknown
from integrations.testing import conformance
from joule.agent.connected import tools_of
from joule.kernel.errors import ApprovalNeeded
from joule.kernel.settings import Settings
from tests.support.accounts import Office, office
from tests.support.clock import StoppedClock

SAMPLE = "sample_crm"
FOLDER = Path(__file__).parent.parent / "support" / "connector"


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `pip install joule-sample-connector`."""
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.fixture
async def there(settings: Settings, clock: StoppedClock, on_path: None) -> AsyncIterator[Office]:
    """An office whose operator has named the connector."""
    async with office(settings, clock, connectors=SAMPLE) as found:
        yield found


async def connect(there: Office, *scopes: str) -> dict[str, object]:
    made = await there.connect(*scopes, products=(SAMPLE,))
    async with there.home.house.database.read(there.home.org) as session:
        views = await queries.connections(session, there.home.house.vault, there.home.org)
    return {view.provider: view.connection for view in views if view.grant == made.grant}


def counting(there: Office, connection: object, inputs: str = '{"limit": 5}') -> ReadFromProvider:
    return ReadFromProvider(
        **there.as_agent(),
        connection=connection,  # type: ignore[arg-type]
        provider=SAMPLE,
        operation="count_contacts",
        inputs=inputs,
    )


async def test_an_installed_connector_that_nobody_named_is_not_even_loaded(on_path: None, here: Office):
    (found,) = [each for each in installed() if each.name == SAMPLE]

    assert (found.package, found.version, found.enabled) == ("joule-sample-connector", "1.0", False)
    assert SAMPLE not in catalogue().providers
    assert SAMPLE not in {each.provider for each in (await here.do(DescribeConnections(**here.as_agent()))).connections}


async def test_the_sample_passes_the_published_suite(on_path: None):
    (found,) = [each for each in told_of([SAMPLE]) if each.name == SAMPLE]

    assert found.connector is not None, found.problem
    assert await conformance(found.connector) == {}


async def test_its_code_runs_under_the_gate_and_its_answer_is_projected_and_labelled(there: Office):
    made = await connect(there, "contacts.read")
    gate = await there.task()

    answer = await gate.perform(counting(there, made[SAMPLE]), call="act/0/0")

    found = json.loads(answer.data)
    assert set(found) == {"count", "pages"}
    assert found["pages"] == -(-found["count"] // 5) > 1  # with one page no code would have been needed
    assert answer.label.integrity == "untrusted"
    assert f"provider:{SAMPLE}" in answer.label.sources


async def test_it_is_offered_to_the_agent_as_a_tool(there: Office):
    made = await connect(there, "contacts.read")
    gate = await there.task()

    offered = await gate.perform(DescribeConnections(**there.as_agent()), call="context/connections")

    assert made
    assert f"{SAMPLE}_count_contacts" in {each.name for each in tools_of(offered)}


async def test_what_holds_for_every_account_holds_for_it(there: Office):
    made = await connect(there, "campaigns.read")
    gate = await there.task()
    with pytest.raises(ApprovalNeeded):  # the task waits for the permission
        await gate.perform(counting(there, made[SAMPLE]), call="act/0/0")
    made = await connect(there, "contacts.read")
    with pytest.raises(ArgumentsRefused):
        await gate.perform(counting(there, made[SAMPLE], '{"limit": 5000}'), call="act/1/0")
    await there.do(SetProviderRule(principal=there.owner, provider=SAMPLE, allowed=False))
    with pytest.raises(NotAllowedHere):
        await gate.perform(counting(there, made[SAMPLE]), call="act/2/0")
    await there.do(SetProviderRule(principal=there.owner, provider=SAMPLE, allowed=True))
    assert (await gate.perform(counting(there, made[SAMPLE]), call="act/3/0")).status == 200

    await there.do(RevokeConnection(principal=there.owner, connection=made[SAMPLE], whole_grant=True))  # type: ignore[arg-type]
    with pytest.raises(ConnectionRevoked):
        await gate.perform(counting(there, made[SAMPLE]), call="act/4/0")
    with pytest.raises(ConnectionRevoked):
        await gate.perform(
            ReadFromProvider(
                **there.as_agent(),
                connection=made[PROVIDER],  # type: ignore[arg-type]
                provider=PROVIDER,
                operation="read_contacts",
                inputs="{}",
            ),
            call="act/5/0",
        )


async def test_one_that_cannot_be_used_is_told_and_everything_else_goes_on(
    settings: Settings, clock: StoppedClock, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING, logger="joule.integrations"):
        async with office(settings, clock, connectors="nowhere") as found:
            made = await found.connect("contacts.read")

    assert made.connection
    assert "no package brings it" in caplog.text


async def test_when_the_house_is_closed_its_connectors_are_gone(settings: Settings, clock: StoppedClock, on_path: None):
    async with office(settings, clock, connectors=SAMPLE):
        assert SAMPLE in catalogue().providers

    assert SAMPLE not in catalogue().providers
    with pytest.raises(OperationUnknown):
        catalogue().operation(PROVIDER, "count_contacts")
