"""In a standing house: deleting a conversation erases what was remembered from it, and a run under way cannot undo that."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from joule.assembly.memories import FOLLOWERS, erased
from joule.governance.gate import TaskGate
from joule.kernel.errors import ApprovalNeeded, JouleError, Refused
from joule.kernel.ids import DecisionId, TaskId, ThreadId, new_id
from joule.kernel.label import Integrity, Label
from joule.kernel.principal import Role
from joule.kernel.settings import Settings
from joule.tasks import queries as tasks
from joule.tasks.actions import DeleteMessage, DeleteThread, ForgetProject, Started, StartTask
from memory.errors import MemoryOff, SourceGone
from memory.items.actions import (
    ExportForTraining,
    GiveTrainingConsent,
    ListItems,
    ProposeItem,
    Remember,
    SwitchMemory,
    WithdrawTrainingConsent,
)
from memory.items.kinds import DataClass, SourceKind
from memory.items.queries import label_for_training
from memory.items.results import ExportedForTraining, Recalled, SourceSpan
from memory.knowledge.actions import AddDocument, DeleteDocument
from memory.knowledge.states import SourceKind as OfDocument
from tests.support.house import Home, home

WORDS = "Remember that we never shout"


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Home]:
    async with home(settings) as found:
        yield found


async def start(here: Home) -> Started:
    asked = StartTask(principal=here.owner, project=here.project, text=WORDS)
    started: Started = await here.house.commands.perform(asked)
    return started


async def gate_of(here: Home, task: TaskId) -> TaskGate:
    """As the agent has it while it works on a task."""
    journal = await here.house.journals.open(here.org, task, attempt=1, retention="90d")
    return here.house.gate.over(journal, words=WORDS)


def asked(here: Home, kind: Any, **fields: Any) -> Any:
    return kind(principal=here.owner.as_agent(), project=here.project, label=Label(), **fields)


async def listed(here: Home) -> list[str]:
    found: Recalled = await here.house.commands.perform(ListItems(principal=here.owner, project=here.project))
    return [each.text for each in found.items]


@pytest.mark.parametrize("whole", [False, True], ids=["the conversation", "the whole project's"])
async def test_what_was_said_in_a_conversation_is_forgotten_with_it(here: Home, whole: bool):
    gone, other = await start(here), await start(here)
    of_gone, of_other = await gate_of(here, gone.task), await gate_of(here, other.task)
    await of_gone.perform(asked(here, Remember, text="we never shout"), call="act/0/0")
    await of_gone.perform(asked(here, ProposeItem, text="Initech is best"), call="act/0/1")
    await of_other.perform(asked(here, ProposeItem, text="The fair is in May"), call="act/0/0")
    await here.house.commands.perform(Remember(principal=here.owner, project=here.project, text="Typed by hand"))
    assert set(await listed(here)) == {"we never shout", "Typed by hand"}

    deleting: Any = DeleteThread(principal=here.owner, thread=gone.thread)
    if whole:
        deleting = ForgetProject(principal=here.owner, project=here.project)
    receipt = await here.house.commands.perform(deleting)

    assert receipt.followed == (3 if whole else 2)
    assert await listed(here) == ["Typed by hand"]


async def test_a_key_in_a_message_is_covered_before_anything_of_it_is_kept(here: Home):
    key = "sk-" + "aB3dE6gH" * 4
    asked = StartTask(
        principal=here.owner, project=here.project, text=f"Use {key} and 4111 1111 1111 1111, ann@example.com"
    )
    started: Started = await here.house.commands.perform(asked)

    async with here.house.database.read(here.org) as session:
        seen = await tasks.task(session, here.house.vault, here.org, started.task)
        title = (await tasks.threads(session, here.house.vault, here.org, here.project))[0].title
    assert seen.request == f"Use {'•' * len(key)} and •••• •••• •••• 1111, ann@example.com"
    assert key[:10] not in title
    assert "user.authorization.credentials" in seen.label.categories
    assert "user.contact.email" in seen.label.categories


async def test_a_message_is_forgotten_with_what_later_messages_of_its_chat_made_from_it(here: Home):
    first = await start(here)
    second = await start(here)
    told = Label(integrity=Integrity.UNTRUSTED, sources=frozenset({f"message:{first.task}"}))  # as history tells it
    of_first, of_second = await gate_of(here, first.task), await gate_of(here, second.task)
    about: Any = {"principal": here.owner.as_agent(), "project": here.project, "label": told}
    await of_first.perform(asked(here, ProposeItem, text="Initech is best"), call="act/0/0")
    await of_second.perform(ProposeItem(text="Initech costs 900", **about), call="act/0/0")
    await of_second.perform(Remember(text="we never shout", **about), call="act/0/1")  # the person's own words

    receipt = await here.house.commands.perform(DeleteMessage(principal=here.owner, task=first.task))

    assert receipt.followed == 2
    assert await listed(here) == ["we never shout"]
    with pytest.raises(SourceGone):  # the run of the second message goes on, and cannot bring it back
        await of_second.perform(ProposeItem(text="Initech costs 901", **about), call="act/1/0")


async def test_a_run_that_goes_on_after_its_conversation_was_deleted_keeps_nothing(here: Home):
    gone, other = await start(here), await start(here)
    late, control = await gate_of(here, gone.task), await gate_of(here, other.task)
    await here.house.commands.perform(DeleteThread(principal=here.owner, thread=gone.thread))

    with pytest.raises(JouleError) as refused:
        await late.perform(asked(here, Remember, text="we never shout"), call="act/0/0")

    assert isinstance(refused.value, SourceGone)
    assert await listed(here) == []
    await control.perform(asked(here, Remember, text="we never shout"), call="act/0/0")
    assert await listed(here) == ["we never shout"]


async def test_memory_that_is_off_in_one_conversation_is_off_for_its_tasks_alone(here: Home):
    dark, light = await start(here), await start(here)
    switch = SwitchMemory(principal=here.owner, project=here.project, thread=dark.thread, on=False)
    await here.house.commands.perform(switch)

    with pytest.raises(MemoryOff):
        await (await gate_of(here, dark.task)).perform(asked(here, Remember, text="we never shout"), call="act/0/0")
    await (await gate_of(here, light.task)).perform(asked(here, Remember, text="we never shout"), call="act/0/0")

    shown = [await (await gate_of(here, each.task)).perform(asked(here, ListItems), call="c") for each in (dark, light)]
    assert [(each.off, len(each.items)) for each in shown] == [(True, 0), (False, 1)]


async def test_only_an_owner_lets_data_train_a_model_and_without_that_the_gate_lets_nothing_out(here: Home):
    await here.house.commands.perform(Remember(principal=here.owner, project=here.project, text="we never shout"))
    give = GiveTrainingConsent(principal=here.owner, data_class=DataClass.MEMORY)

    async def export() -> ExportedForTraining:
        async with here.house.database.read(here.org) as session:
            label = await label_for_training(session, here.org)
        asking = ExportForTraining(principal=here.owner, project=here.project, label=label)
        exported: ExportedForTraining = await here.house.commands.perform(asking)
        return exported

    with pytest.raises(Refused, match="unless an owner has said so"):
        await export()
    for role in (Role.ADMIN, Role.MEMBER, Role.SUPPORT):
        with pytest.raises(Refused):
            await here.house.commands.perform(replace(give, principal=replace(here.owner, role=role)))
    with pytest.raises(Refused):
        await here.house.commands.perform(replace(give, principal=here.owner.as_agent()))

    await here.house.commands.perform(give)
    assert [each.text for each in (await export()).items] == ["we never shout"]

    await here.house.commands.perform(WithdrawTrainingConsent(principal=here.owner, data_class=DataClass.MEMORY))
    with pytest.raises(Refused, match="unless an owner has said so"):
        await export()


async def test_what_a_person_quoted_from_an_accounts_document_goes_with_the_account(here: Home):
    connection, perform = new_id(), here.house.commands.perform
    about: Any = {"principal": here.owner, "project": here.project}
    of_account: Any = {"source": OfDocument.CONNECTION, "connection": connection, "external": "brief"}
    theirs = await perform(AddDocument(title="brief.md", content=b"# Brief\n\nFair in May.\n", **of_account, **about))
    ours = await perform(AddDocument(title="own.md", content=b"# Own\n\nFair in June.\n", **about))
    for document, text in ((theirs.document, "Fair in May."), (ours.document, "Fair in June.")):
        await perform(Remember(text=text, sources=(SourceSpan(kind=SourceKind.DOCUMENT, source=document),), **about))

    erasing = DeleteThread(principal=here.owner, thread=ThreadId(new_id()))
    permit = here.house.gate.permits.issue(erasing, decision=DecisionId(new_id()), task=TaskId(new_id()))
    async with here.house.database.write(here.org) as session:
        went = [await follow(session, permit, here.org, [f"connection:{connection}"]) for follow in FOLLOWERS]

    assert [(each["documents"], each["items"]) for each in went] == [(1, 1)]
    assert await listed(here) == ["Fair in June."]


async def test_a_subject_the_person_did_not_say_is_asked_about_like_a_text_they_did_not_say(here: Home):
    gate = await gate_of(here, (await start(here)).task)

    with pytest.raises(ApprovalNeeded):
        await gate.perform(asked(here, Remember, text="we never shout", subject="obey the report"), call="act/0/0")
    said = await gate.perform(asked(here, Remember, text="we never shout", subject="shout"), call="act/0/1")

    assert (said.state, said.label.integrity) == ("live", Integrity.TRUSTED)


async def test_a_deleted_document_is_known_as_erased_to_whoever_tells_the_agent_what_was_said_before(here: Home):
    about: dict[str, Any] = {"principal": here.owner, "project": here.project}
    goes, stays = [
        await here.house.commands.perform(AddDocument(title=f"{word}.md", content=f"# {word}\n".encode(), **about))
        for word in ("goes", "stays")
    ]
    await here.house.commands.perform(DeleteDocument(document=goes.document, **about))

    async with here.house.database.read(here.org) as session:
        found = await erased(session, here.org, goes.label.sources | stays.label.sources)

    assert set(found) == {f"document:{goes.document}"}
