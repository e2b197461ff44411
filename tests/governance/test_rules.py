"""An organisation's own policies: they can only restrict, are tried before they decide, and can always be taken back."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from joule.agent.task import End
from joule.database.server import ServerAddress
from joule.governance.errors import PolicyInvalid
from joule.governance.policy import LOCKED
from joule.governance.rules import queries
from joule.governance.rules.actions import (
    DiscardPolicy,
    DraftPolicy,
    EnforcePolicy,
    PublishPolicy,
    RollBackPolicy,
    WithdrawPolicy,
)
from joule.governance.rules.errors import DraftUnusable
from joule.governance.rules.results import PolicyChanged, State
from joule.kernel.errors import Conflict, NotFound, Refused
from joule.kernel.principal import Role
from joule.kernel.settings import DatabaseSettings, Settings, VaultSettings
from joule.tasks.actions import AnswerApproval, StartTask
from memory.actions import ListFiles, WriteFile
from tests.support.house import Home, home
from tests.support.postgres import TestServer
from tests.support.scripted_model import Says, ScriptedModel

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_FILES = (
    '@id("no files") @reason("we keep no files here") @advice("Use the shop\'s own drive.") forbid (principal, '
    'action == Joule::Action::"memory.write_file", resource);'
)
ASK_FIRST = (
    '@id("look first") @reason("somebody looks at every file first") forbid (principal, '
    'action == Joule::Action::"memory.write_file", resource) unless { context.approved };'
)
SCRIPT = [Says(calls=[("write_file", {"file_name": "plan.md", "text": "x"})]), Says(text="Done.")]


@pytest.fixture(scope="module")
def place(test_server: TestServer) -> Iterator[ServerAddress]:
    with test_server.clone() as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(place: ServerAddress, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder: Path = tmp_path_factory.mktemp("rules")
    settings = Settings(
        home=folder,
        environment="test",
        database=DatabaseSettings(url=place.app_url, owner_url=place.owner_url),
        vault=VaultSettings(key_file=folder / "keys" / "kek.json"),
    )
    async with home(settings, model=ScriptedModel(script=SCRIPT)) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clean(here: Home) -> AsyncIterator[None]:
    """Every test begins and ends without policies of the organisation's own."""
    yield
    for each in await seen(here):
        if each.state is State.DRAFT:
            await do(here, DiscardPolicy, version=each.version)
        elif each.state is State.TRIAL:
            await do(here, WithdrawPolicy, version=each.version)
    while any(each.state is State.ENFORCED for each in await seen(here)):
        await do(here, RollBackPolicy)


async def do(here: Home, kind: Any, *, role: Role = Role.OWNER, **fields: Any) -> Any:
    return await here.house.commands.perform(kind(principal=dataclasses.replace(here.owner, role=role), **fields))


async def seen(here: Home) -> list[queries.VersionView]:
    async with here.house.database.read(here.org) as session:
        return await queries.versions(session, here.house.vault, here.org)


async def enforced(here: Home, text: str) -> PolicyChanged:
    draft = await do(here, DraftPolicy, text=text)
    await do(here, PublishPolicy, version=draft.version)
    changed: PolicyChanged = await do(here, EnforcePolicy, version=draft.version)
    return changed


async def write(here: Home) -> Any:
    return await do(here, WriteFile, project=here.project, file_name="plan.md", text="x")


async def test_what_is_on_trial_refuses_nothing_and_is_recorded_where_it_differs(here: Home):
    draft = await do(here, DraftPolicy, text=NO_FILES)
    await do(here, PublishPolicy, version=draft.version)

    claim = here.claim("write plan.md")
    assert (await here.run(claim)).end is End.DONE

    rows = [each for each in await here.events(claim.task) if each.attrs.get("action") == "memory.write_file"]
    assert rows[0].attrs["decision"] == "allow"
    assert (rows[0].attrs["trial"], rows[0].attrs["trial_policies"]) == ("deny", [f"own.v{draft.number}.1"])
    assert not any("trial" in each.attrs for each in await here.events(claim.task) if each.call == "model/0")
    async with here.house.database.read(here.org) as session:
        since = next(each for each in await seen(here) if each.state is State.TRIAL).changed_at
        found = await queries.tried(session, here.org, since=since, now=here.house.clock.now())
        names = await queries.names(session, here.house.vault, here.org)
    assert [(each.action, each.decided, each.tried, each.times) for each in found] == [
        ("memory.write_file", "allow", "deny", 1)
    ]
    assert names[f"own.v{draft.number}.1"] == "no files"


async def test_what_is_enforced_refuses_people_and_their_agent_in_its_own_words(here: Home):
    await write(here)
    version = await enforced(here, NO_FILES)

    with pytest.raises(Refused, match="we keep no files here") as refused:
        await write(here)
    assert refused.value.policies == (f"own.v{version.number}.1",)
    assert refused.value.advice() == "Use the shop's own drive."
    claim = here.claim("write plan.md")
    await here.run(claim)
    kinds = [each.kind for each in await here.events(claim.task) if each.attrs.get("action") == "memory.write_file"]
    assert kinds == ["action.refused"]


async def test_a_policy_may_ask_that_a_person_agrees_to_what_the_agent_does(here: Home):
    await enforced(here, ASK_FIRST)

    claim = here.claim("write plan.md")
    assert (await here.run(claim)).end is End.WAITING

    asked = next(each for each in await here.events(claim.task) if each.kind == "approval.asked")
    assert asked.content["why"]["reason"] == "somebody looks at every file first"
    await write(here)  # by one's own hand: nobody else would be asked


async def test_what_a_person_says_when_they_decline_reaches_the_agent(here: Home):
    begun = await do(here, StartTask, project=here.project, thread=None, text="write something nice")
    claim = here.claim("write something nice", task=begun.task)
    assert (await here.run(claim)).end is End.WAITING
    asked = next(each for each in await here.events(claim.task) if each.kind == "approval.asked")

    await do(here, AnswerApproval, approval=UUID(asked.attrs["approval_id"]), approved=False, note="not before Monday")
    assert (await here.run(dataclasses.replace(claim, attempt=2))).end is End.DONE

    refused = next(each for each in await here.events(claim.task) if each.kind == "action.refused")
    assert refused.content["why"]["advice"] == "They said: not before Monday"


async def test_rolling_back_brings_the_version_before_back(here: Home):
    first = await enforced(here, NO_FILES)
    second = await enforced(here, ASK_FIRST)
    await write(here)

    back = await do(here, RollBackPolicy)

    assert (back.number, back.restored) == (second.number, first.number)
    with pytest.raises(Refused):
        await write(here)
    assert (await do(here, RollBackPolicy)).restored is None
    await write(here)
    with pytest.raises(NotFound):
        await do(here, RollBackPolicy)


async def test_only_owners_enforce_and_only_admins_and_owners_draft(here: Home):
    draft = await do(here, DraftPolicy, role=Role.ADMIN, text=NO_FILES)
    await do(here, PublishPolicy, role=Role.ADMIN, version=draft.version)
    for kind, fields in ((EnforcePolicy, {"version": draft.version}), (RollBackPolicy, {})):
        with pytest.raises(Refused):
            await do(here, kind, role=Role.ADMIN, **fields)
    for role in (Role.MEMBER, Role.SUPPORT):
        with pytest.raises(Refused):
            await do(here, DraftPolicy, role=role, text=ASK_FIRST)

    assert (await do(here, EnforcePolicy, version=draft.version)).state is State.ENFORCED


async def test_a_version_moves_only_the_one_way(here: Home):
    draft = await do(here, DraftPolicy, text=NO_FILES)
    with pytest.raises(Conflict):
        await do(here, EnforcePolicy, version=draft.version)
    again = await do(here, DraftPolicy, text=ASK_FIRST)
    assert (again.version, again.number) == (draft.version, draft.number)
    await do(here, PublishPolicy, version=draft.version)
    for kind in (PublishPolicy, DiscardPolicy):
        with pytest.raises(Conflict):
            await do(here, kind, version=draft.version)


async def test_what_cannot_be_read_any_more_refuses_all_but_the_way_back(here: Home, place: ServerAddress):
    import psycopg

    await enforced(here, NO_FILES)
    listed = ListFiles(principal=here.owner, project=here.project)
    await here.house.commands.perform(listed)
    with psycopg.connect(place.owner_url.replace("joule_owner", "postgres"), autocommit=True) as connection:
        connection.execute("UPDATE policy_version SET source = source || 'x' WHERE state = 'enforced'")

    with pytest.raises(Refused, match=LOCKED.reason):
        await here.house.commands.perform(listed)
    await do(here, RollBackPolicy)
    await here.house.commands.perform(listed)


async def test_a_draft_that_cannot_be_used_is_not_saved_and_its_author_is_told_why(here: Home):
    text = NO_FILES.replace("forbid", "permit")

    found = queries.checked(text, base=here.house.policy)

    assert "can only restrict" in found.problem
    with pytest.raises(DraftUnusable) as refused:
        await do(here, DraftPolicy, text=text)
    assert "no files" not in str(refused.value)
    assert State.DRAFT not in {each.state for each in await seen(here)}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("permit (principal, action, resource);", "can only restrict"),
        ('forbid (principal, action == Joule::Action::"governance.roll_back_policy", resource);', "never judge"),
        ('forbid (principal == Joule::Person::"p", action, resource);', "names one principal"),
        ("forbid (principal, action, resource is Joule::Project);", "names one resource"),
        ('forbid (principal, action, resource) when { principal == Joule::Person::"p" };', "looks at principal itself"),
        ('forbid (principal, action, resource) when { context.weather == "x" };', "do not fit the schema"),
        ("forbid (principal, action, resource) when { context == context };", "looks at context itself"),
        ("forbid (principal, action, resource", "do not parse"),
    ],
)
async def test_a_policy_that_widens_or_reads_what_is_not_recorded_is_refused_at_load(
    here: Home, text: str, problem: str
):
    base = here.house.policy
    told = f'@id("a") @reason("r") {text}'

    with pytest.raises(PolicyInvalid, match=problem):
        base.restricted(told, prefix="own.v1")
    base.restricted(NO_FILES, prefix="own.v1")


async def test_no_policy_of_its_own_shuts_an_organisation_out(here: Home):
    everything = '@id("a") @reason("nothing at all") forbid (principal, action, resource);'
    policy = here.house.policy.restricted(everything, prefix="own.v1")
    facts = {"role": "owner", "via": "person", "effect": "write", "purpose": "essential.service"}
    facts |= {"integrity": "trusted", "training": "denied", "provenance": "words"}

    def allowed(action: str, **more: str) -> bool:
        asked = {**facts, "approved": False, **more}
        return (
            type(policy.decide(action, principal="p", resource=("Organisation", "o"), facts=asked)).__name__ == "Allow"
        )

    assert not allowed("memory.create_project")
    assert allowed("governance.roll_back_policy", effect="access")
    assert allowed("identity.sign_out", effect="access")
    assert allowed("sandbox.sweep", via="system", role="system")
