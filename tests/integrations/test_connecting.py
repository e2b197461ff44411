"""A consent is bound to who began it, in which browser, for which provider; and works once."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from integrations import glance, queries
from integrations.actions import (
    BeginConnection,
    DescribeConnections,
    DraftAtProvider,
    ReadFromProvider,
    RevokeConnection,
    SendToProvider,
    SetProviderClient,
    SetProviderRule,
    kind_of,
)
from integrations.catalogue.load import catalogue
from integrations.demo import PROVIDER
from integrations.errors import (
    ArgumentsRefused,
    ConsentDeclined,
    ConsentUnusable,
    NoClient,
    NotAllowedHere,
    OperationUnknown,
    ReadOnlyConnection,
)
from integrations.results import Secret
from joule.kernel.errors import ApprovalNeeded, Invalid, Refused
from joule.kernel.ids import new_id
from joule.kernel.label import Integrity
from joule.kernel.principal import Role
from tests.support.accounts import Office
from tests.support.clock import StoppedClock

READING = ("contacts.read", "campaigns.read")


async def view(here: Office, connection: Any) -> queries.ConnectionView:
    async with here.home.house.database.read(here.home.org) as session:
        return await queries.connection(session, here.home.house.vault, here.home.org, connection)


async def test_an_account_is_connected_and_shows_what_was_asked_and_what_was_given(here: Office):
    made = await here.connect(*READING, "notes.write", ticked=READING, return_to="/admin/integrations")

    assert made.granted == READING
    assert made.missing == ("notes.write",)
    assert made.return_to == "/admin/integrations"
    shown = await view(here, made.connection)
    assert (shown.status, shown.scope_source, shown.is_over) == ("active", "response", False)
    assert shown.requested == (*READING, "notes.write")
    assert shown.connected_by == here.owner.person


@pytest.mark.parametrize("wrong", ["browser", "person", "provider", "state", "late", "twice"])
async def test_rule_04_a_callback_that_does_not_belong_here_connects_nothing(
    here: Office, clock: StoppedClock, wrong: str
):
    brought = await here.consent(await here.begin(*READING), *READING)
    more: dict[str, Any] = {}
    if wrong == "browser":
        more = {"session": new_id()}
    elif wrong == "person":
        more = {"principal": here.somebody(Role.ADMIN)}
    elif wrong == "provider":
        more = {"provider": "hubspot"}
    elif wrong == "state":
        more = {"state": Secret("x" * 43)}
    elif wrong == "late":
        clock.advance(timedelta(minutes=10, seconds=1))
    else:
        await here.finish(brought)

    with pytest.raises(ConsentUnusable):
        await here.finish(brought, **more)

    async with here.home.house.database.read(here.home.org) as session:
        found = await queries.connections(session, here.home.house.vault, here.home.org)
    assert len(found) == (1 if wrong == "twice" else 0)


async def test_rule_05_a_link_that_somebody_else_tried_is_used_up(here: Office):
    brought = await here.consent(await here.begin(*READING), *READING)
    with pytest.raises(ConsentUnusable, match="another browser"):
        await here.finish(brought, session=new_id())

    with pytest.raises(ConsentUnusable, match="used before"):
        await here.finish(brought)


async def test_the_same_callback_in_the_right_browser_connects(here: Office):
    brought = await here.consent(await here.begin(*READING), *READING)

    assert (await here.finish(brought)).granted == READING


async def test_a_declined_consent_says_so_and_connects_nothing(here: Office):
    brought = await here.consent(await here.begin(*READING), answer="deny")

    with pytest.raises(ConsentDeclined):
        await here.finish(brought)


@pytest.mark.parametrize("path", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "admin"])
async def test_rule_08_the_way_back_is_within_joule(here: Office, path: str):
    with pytest.raises(Invalid):
        await here.begin(*READING, return_to=path)


async def test_each_provider_has_a_way_back_of_its_own(here: Office):
    with pytest.raises(Invalid):
        await here.begin(*READING, redirect_uri="http://127.0.0.1:8100/integrations/callback/hubspot")


async def test_a_provider_nobody_registered_joule_at_says_where_to(here: Office):
    asked = {"provider": "hubspot", "redirect_uri": "https://joule.test/integrations/callback/hubspot"}

    with pytest.raises(NoClient) as told:
        await here.begin("crm.objects.contacts.read", **asked)

    assert "register" in told.value.advice()
    await here.do(
        SetProviderClient(
            principal=here.owner, provider="hubspot", client_id="mine", client_secret=Secret("canary-secret")
        )
    )
    page = await here.begin("crm.objects.contacts.read", **asked)
    assert "client_id=mine" in page.url.get_secret_value()
    assert "code_challenge_method=S256" in page.url.get_secret_value()


async def test_what_the_organisation_does_not_allow_is_not_asked_for(here: Office):
    await here.do(SetProviderRule(principal=here.owner, provider=PROVIDER, allowed=True, scopes=("campaigns.read",)))

    with pytest.raises(NotAllowedHere):
        await here.begin(*READING)

    assert await here.begin("campaigns.read")
    await here.do(SetProviderRule(principal=here.owner, provider=PROVIDER, allowed=False))
    with pytest.raises(NotAllowedHere):
        await here.begin("campaigns.read")


@pytest.mark.parametrize("role", [Role.MEMBER, Role.SUPPORT])
async def test_only_owners_and_admins_connect(here: Office, role: Role):
    with pytest.raises(Refused):
        await here.begin(*READING, principal=here.somebody(role))


async def test_the_agent_never_connects_nor_disconnects(here: Office):
    made, task = await here.connect(*READING), await here.task()

    for n, action in enumerate(
        (
            RevokeConnection(**here.as_agent(), connection=made.connection),
            BeginConnection(
                **here.as_agent(), provider=PROVIDER, scopes=READING, session=here.session, redirect_uri="https://x"
            ),
            SetProviderRule(**here.as_agent(), provider=PROVIDER, allowed=True),
        )
    ):
        with pytest.raises(Refused) as told:
            await task.perform(action, call=f"act/{n}/0")
        assert not isinstance(told.value, ApprovalNeeded)


async def test_the_agent_reads_what_was_granted_and_what_comes_back_is_an_outsiders(here: Office):
    made, task = await here.connect(*READING), await here.task()

    offered = await task.perform(DescribeConnections(**here.as_agent()), call="context/connections")
    answer = await task.perform(
        ReadFromProvider(
            **here.as_agent(),
            connection=made.connection,
            provider=PROVIDER,
            operation="read_contacts",
            inputs=json.dumps({}),
        ),
        call="act/0/0",
    )

    assert [each.connection for each in offered.connections] == [made.connection]
    assert "read_contacts" in offered.connections[0].operations
    assert answer.status == 200
    assert answer.label.integrity is Integrity.UNTRUSTED
    assert f"connection:{made.connection}" in answer.label.sources
    assert (await view(here, made.connection)).used_at is not None


async def test_what_was_not_granted_makes_the_agent_wait_for_a_person(here: Office):
    made, task = await here.connect("campaigns.read"), await here.task()
    reading = {"connection": made.connection, "provider": PROVIDER, "operation": "read_contacts", "inputs": "{}"}

    with pytest.raises(ApprovalNeeded):
        await task.perform(ReadFromProvider(**here.as_agent(), **reading), call="act/0/0")

    more = await here.connect("contacts.read", ticked=READING, connection=made.connection)
    assert (more.connection, more.grant) == (made.connection, made.grant)
    assert set(more.granted) == set(READING)
    answer = await (await here.task()).perform(ReadFromProvider(**here.as_agent(), **reading), call="act/0/0")
    assert answer.status == 200


async def test_rule_29_a_declined_step_up_leaves_the_connection_as_it_was(here: Office):
    made = await here.connect("campaigns.read")
    brought = await here.consent(await here.begin("contacts.read", connection=made.connection), answer="deny")
    with pytest.raises(ConsentDeclined):
        await here.finish(brought)

    shown = await view(here, made.connection)

    assert (shown.status, shown.granted, shown.epoch) == ("active", ("campaigns.read",), 1)


async def test_a_call_that_breaks_a_rule_of_the_room_is_not_made(here: Office):
    made = await here.connect(*READING, read_only=True)
    base = {"principal": here.owner, "connection": made.connection, "provider": PROVIDER}
    wrong: tuple[tuple[Any, str, str, type[Exception]], ...] = (
        (ReadFromProvider, "add_note", "{}", OperationUnknown),  # it is no reading
        (ReadFromProvider, "no_such", "{}", OperationUnknown),
        (ReadFromProvider, "read_contacts", "[]", ArgumentsRefused),
        (ReadFromProvider, "read_contacts", '{"evil": 1}', ArgumentsRefused),
    )

    for kind, operation, inputs, expected in wrong:
        with pytest.raises((expected, OperationUnknown)):
            await here.do(kind(**base, operation=operation, inputs=inputs))

    await here.do(SetProviderRule(principal=here.owner, provider=PROVIDER, allowed=False))
    with pytest.raises(NotAllowedHere):
        await here.do(ReadFromProvider(**base, operation="read_contacts", inputs="{}"))


async def test_sending_is_always_asked_about_and_a_read_only_account_sends_nothing(here: Office):
    made = await here.connect("contacts.read", "notes.write", read_only=True)
    for kind, expected in ((DraftAtProvider, ReadOnlyConnection), (SendToProvider, ApprovalNeeded)):
        operation = next(each for each in catalogue().provider(PROVIDER).operations.values() if kind_of(each) is kind)
        named = " ".join(str(operation.example[name]) for name in operation.destinations)
        task = await here.task(words=f"in {made.connection} for {named}")

        with pytest.raises(expected):
            await task.perform(
                kind(
                    **here.as_agent(),
                    connection=made.connection,
                    provider=PROVIDER,
                    operation=operation.id,
                    inputs=json.dumps(dict(operation.example)),
                ),
                call="act/0/0",
            )


async def test_no_token_code_or_secret_is_in_the_database_or_the_journal_in_clear(here: Office):
    page = await here.begin(*READING)
    brought = await here.consent(page, *READING)
    made = await here.finish(brought)
    house = here.home.house
    async with house.database.read(here.home.org) as session:
        tokens = (await glance.look(house.database, house.vault, here.home.org, made.connection)).usable.tokens
        refresh = tokens.refresh_token
        assert refresh is not None
        secrets = [tokens.access_token.reveal(), refresh.reveal(), brought["code"], brought["state"]]
        tables = ("oauth_grant", "connection", "pending_authorization", "trace_event", "trace_content")
        dumped = [str((await session.execute(text(f"SELECT t::text FROM {t} t"))).all()) for t in tables]

    assert not [secret for secret in secrets for each in dumped if secret in each or secret.encode().hex() in each]


async def test_an_account_without_a_name_is_called_by_its_shop_or_instance(here: Office):
    named = await here.connect("contacts.read")
    here.demo.state.authorizing.account = ""
    nameless = await here.connect("contacts.read")

    async with here.home.house.database.read(here.home.org) as session:
        views = await queries.connections(session, here.home.house.vault, here.home.org)

    called = {view.connection: view.account for view in views}
    assert called[nameless.connection] == here.address
    assert called[named.connection] not in {"", here.address}
