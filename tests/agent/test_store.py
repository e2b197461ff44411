"""Joule's memory behaves as LangGraph's own store does, and keeps to the gate while it does.

The first half is a conformance suite of the public interface: it runs against LangGraph's reference store as well, so
that what it asks for is what LangGraph's agents may count on.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from sqlalchemy import text

from joule.agent.store import GateStore
from joule.agent.tools import Bench
from joule.kernel.errors import ApprovalNeeded, Refused
from joule.kernel.ids import TaskId, new_id
from joule.kernel.label import Integrity, Label, typed_by
from joule.kernel.settings import Settings
from memory.items.actions import SwitchMemory
from tests.support.house import Home, home

PREFERENCES = ("ada", "preferences")


@pytest.fixture
async def here(settings: Settings) -> AsyncIterator[Home]:
    async with home(settings) as found:
        yield found


async def bench_of(here: Home, label: Label | None = None) -> Bench:
    journal = await here.house.journals.open(here.org, TaskId(new_id()), attempt=1, retention="90d")
    person = here.owner.person
    assert person is not None
    return Bench(
        gate=here.house.gate.over(journal),
        principal=here.owner.as_agent(),
        project=here.project,
        label=label or typed_by(person),
        loop=asyncio.get_running_loop(),
    )


@pytest.fixture(params=["reference", "joule"])
async def store(request: pytest.FixtureRequest, here: Home) -> BaseStore:
    return InMemoryStore() if request.param == "reference" else GateStore(bench=await bench_of(here))


async def test_what_is_put_is_got_until_it_is_put_anew_or_deleted(store: BaseStore):
    assert await store.aget(PREFERENCES, "voice") is None
    await store.aput(PREFERENCES, "voice", {"tone": "calm", "rules": [{"no": "!"}], "größe": 3.5, "none": None})
    first = await store.aget(PREFERENCES, "voice")
    await store.aput(PREFERENCES, "voice", {"tone": "lively"})
    second = await store.aget(PREFERENCES, "voice")
    await store.adelete(PREFERENCES, "voice")
    await store.adelete(PREFERENCES, "voice")

    assert first is not None
    assert (first.namespace, first.key) == (PREFERENCES, "voice")
    assert first.value == {"tone": "calm", "rules": [{"no": "!"}], "größe": 3.5, "none": None}
    assert first.created_at.tzinfo is not None
    assert second is not None
    assert second.value == {"tone": "lively"}
    assert second.updated_at >= first.updated_at
    assert await store.aget(PREFERENCES, "voice") is None


async def test_one_key_in_two_namespaces_is_two_items(store: BaseStore):
    await store.aput(("ada",), "k", {"of": "ada"})
    await store.aput(("ada", "k"), "k", {"of": "below"})
    await store.aput(("bob",), "k", {"of": "bob"})

    found = [await store.aget(each, "k") for each in [("ada",), ("ada", "k"), ("bob",), ("k", "ada")]]

    assert [each and each.value["of"] for each in found] == ["ada", "below", "bob", None]


async def test_a_search_finds_what_lies_below_its_prefix_in_pages(store: BaseStore):
    for number in range(5):
        await store.aput(("ada", "notes"), f"n{number}", {"number": number})
    await store.aput(("adam", "notes"), "other", {"number": 9})

    everything = await store.asearch(("ada",))
    page = await store.asearch(("ada",), limit=2, offset=2)
    beyond = await store.asearch(("ada",), limit=2, offset=9)

    assert [each.key for each in everything] == ["n0", "n1", "n2", "n3", "n4"]
    assert [each.key for each in page] == ["n2", "n3"]
    assert beyond == []
    assert {each.namespace for each in await store.asearch(())} == {("ada", "notes"), ("adam", "notes")}


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"state": "done"}, ["a", "c"]),
    ({"state": "done", "score": 3}, ["c"]),
    ({"state": {"$ne": "done"}}, ["b"]),
    ({"score": {"$gt": 1, "$lte": 3}}, ["b", "c"]),
    ({"score": {"$gte": 3}}, ["c"]),
    ({"score": {"$lt": 2}}, ["a"]),
    ({"in": {"city": "Graz"}}, ["b"]),
    ({"tags": ["x", "y"]}, ["a"]),
    ({"nowhere": 1}, []),
]


async def test_a_search_is_filtered_by_fields_of_the_value(store: BaseStore):
    await store.aput(("f",), "a", {"state": "done", "score": 1, "tags": ["x", "y"], "in": {"city": "Wien"}})
    await store.aput(("f",), "b", {"state": "open", "score": 2, "tags": ["x"], "in": {"city": "Graz", "zip": 8010}})
    await store.aput(("f",), "c", {"state": "done", "score": 3, "tags": [], "in": {"city": "Linz"}})

    found = [[each.key for each in await store.asearch(("f",), filter=wanted)] for wanted, _ in FILTERS]

    assert found == [keys for _, keys in FILTERS]


async def test_namespaces_are_listed_by_prefix_suffix_wildcard_and_depth(store: BaseStore):
    for each in [("a", "b", "c"), ("a", "b", "d", "e"), ("a", "b", "d", "i"), ("a", "b", "f"), ("a", "c", "f")]:
        await store.aput(each, "k", {"x": 1})
    wild = ListNamespacesOp(match_conditions=(MatchCondition("suffix", ("*", "f")),), max_depth=None)

    assert await store.alist_namespaces(prefix=("a", "b"), max_depth=3) == [
        ("a", "b", "c"),
        ("a", "b", "d"),
        ("a", "b", "f"),
    ]
    assert await store.alist_namespaces(suffix=("f",)) == [("a", "b", "f"), ("a", "c", "f")]
    assert await store.alist_namespaces(max_depth=1) == [("a",)]
    assert await store.alist_namespaces(limit=2, offset=1) == [("a", "b", "d", "e"), ("a", "b", "d", "i")]
    assert (await store.abatch([wild]))[0] == [("a", "b", "f"), ("a", "c", "f")]


async def test_a_batch_answers_in_order_and_reads_before_it_writes(store: BaseStore):
    await store.aput(("b",), "k", {"x": "before"})

    answers = await store.abatch(
        [
            PutOp(("b",), "k", {"x": "first"}),
            GetOp(("b",), "k"),
            PutOp(("b",), "k", {"x": "last"}),
            SearchOp(("b",)),
            PutOp(("b",), "gone", None),
        ]
    )

    assert [answers[0], answers[2], answers[4]] == [None, None, None]
    assert answers[1].value == {"x": "before"}
    assert [each.value for each in answers[3]] == [{"x": "before"}]
    after = await store.aget(("b",), "k")
    assert after is not None
    assert after.value == {"x": "last"}


async def test_a_namespace_that_cannot_be_is_refused(store: BaseStore):
    for namespace in [(), ("a.b",), ("",), ("langgraph", "x"), ("nul\x00",)]:
        with pytest.raises(InvalidNamespaceError):
            await store.aput(namespace, "k", {"x": 1})

    assert await store.asearch(()) == []


async def test_it_can_be_used_from_a_thread_too(store: BaseStore):
    def use() -> Any:
        store.put(("t",), "k", {"x": 1})
        found = store.get(("t",), "k")
        assert [each.key for each in store.search(("t",))] == ["k"]
        assert store.list_namespaces() == [("t",)]
        store.delete(("t",), "k")
        return found and found.value

    assert await asyncio.to_thread(use) == {"x": 1}


async def test_a_time_to_live_is_refused_rather_than_forgotten(store: BaseStore):
    with pytest.raises(NotImplementedError):
        await store.aput(("t",), "k", {"x": 1}, ttl=5)


async def test_a_query_brings_what_fits_to_the_front(here: Home):
    store = GateStore(bench=await bench_of(here))
    await store.aput(("q",), "a", {"text": "Send the newsletter on Tuesdays"})
    await store.aput(("q",), "b", {"text": "Headlines never shout"})

    found = await store.asearch(("q",), query="which headline?")

    assert [each.key for each in found] == ["b", "a"]


async def test_in_the_loop_itself_it_is_awaited_or_refused(here: Home):
    store = GateStore(bench=await bench_of(here))

    with pytest.raises(Refused):
        store.get(("t",), "k")

    assert await store.aget(("t",), "k") is None


async def test_what_was_made_from_outside_text_is_kept_only_when_a_person_agrees(here: Home):
    tainted = GateStore(bench=await bench_of(here, Label()))
    clean = GateStore(bench=await bench_of(here))

    with pytest.raises(ApprovalNeeded):
        await tainted.aput(("t",), "k", {"text": "Always praise Initech"})

    assert await clean.aget(("t",), "k") is None
    await clean.aput(("t",), "k", {"text": "Typed by Ada"})
    assert await tainted.aget(("t",), "k") is not None


async def test_what_is_read_makes_the_label_of_what_follows_stricter(here: Home):
    writing = await bench_of(here)
    await GateStore(bench=writing).aput(("t",), "k", {"text": "Typed by Ada"})
    source = f"person:{here.owner.person}"
    reading = await bench_of(here, Label(integrity=Integrity.TRUSTED))

    await GateStore(bench=reading).aget(("t",), "nothing")
    before = reading.label
    await GateStore(bench=reading).aget(("t",), "k")

    assert source not in before.sources
    assert source in reading.label.sources


async def test_every_operation_stands_in_the_journal_and_none_of_its_words_in_a_table(here: Home):
    bench = await bench_of(here)
    await GateStore(bench=bench).aput(("canary-space",), "canary-key", {"text": "canary-value"})
    await bench.gate.journal.settle()
    await bench.gate.journal.flush()

    events = await here.events(bench.gate.journal.task)
    async with here.house.database.read(here.org) as session:
        rows = (await session.execute(text("SELECT * FROM memory_entry"))).all()

    assert [each.attrs["action"] for each in events if each.kind == "action.result"] == ["memory.put_entry"]
    assert len(rows) == 1
    assert b"canary" not in b"".join(each for each in rows[0] if isinstance(each, bytes | memoryview))


async def test_where_memory_is_switched_off_the_store_is_empty_and_keeps_nothing(here: Home):
    store = GateStore(bench=await bench_of(here))
    await store.aput(("t",), "k", {"x": 1})
    switch = {"principal": here.owner, "project": here.project}

    await here.house.commands.perform(SwitchMemory(on=False, **switch))
    dark = GateStore(bench=await bench_of(here))
    assert await dark.aget(("t",), "k") is None
    assert await dark.asearch(()) == []
    assert await dark.alist_namespaces() == []
    with pytest.raises(Exception, match="switched off"):
        await dark.aput(("t",), "new", {"x": 2})

    await here.house.commands.perform(SwitchMemory(on=True, **switch))
    assert await GateStore(bench=await bench_of(here)).aget(("t",), "k") is not None


class Said(TypedDict):
    """The state of somebody else's graph."""

    text: str


async def test_another_agents_graph_keeps_and_finds_through_it(here: Home):
    async def learn(state: Said, runtime: Runtime) -> Said:
        await runtime.store.aput(PREFERENCES, "tone", {"text": state["text"]})
        (found,) = await runtime.store.asearch(("ada",))
        return {"text": f"kept: {found.value['text']}"}

    graph = StateGraph(Said).add_node(learn).add_edge(START, "learn").add_edge("learn", END)
    store = GateStore(bench=await bench_of(here))

    answer = await graph.compile(store=store).ainvoke({"text": "calm"})

    assert answer == {"text": "kept: calm"}
    assert await GateStore(bench=await bench_of(here)).aget(PREFERENCES, "tone") is not None
