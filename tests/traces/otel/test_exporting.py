"""What happened reaches the backend, once it was sealed: at least once, under the same ids, and nothing of what was said."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from joule.kernel.errors import JouleError
from joule.kernel.ids import TaskId
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from tests.support.clock import StoppedClock
from tests.support.collector import Collector, attributes, collecting
from tests.support.house import Home, home
from tests.support.scripted_model import Says, ScriptedModel
from traces.otel import names
from traces.otel.actions import ExportSpans
from traces.otel.errors import ExportFailed
from traces.otel.exporting import AT_ONCE
from traces.otel.projecting import trace_id
from traces.otel.queries import ExportState, export_state
from traces.otel.results import Exported

SECRET = "our next campaign is called Nightjar"
SCRIPT = (Says(calls=[("remember", {"text": SECRET, "kind": "fact"})]), Says(text=f"Noted: {SECRET}"))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture
async def here(settings: Settings, collector: Collector, clock: StoppedClock) -> AsyncIterator[Home]:
    chosen = settings.model_copy(update={"otel": settings.otel.model_copy(update={"endpoint": collector.url})})
    async with home(chosen, model=ScriptedModel(script=SCRIPT), clock=clock) as found:
        yield found


async def chat(here: Home) -> TaskId:
    claim = here.claim(f"Remember that {SECRET}")
    await here.run(claim)
    return claim.task


async def export(here: Home) -> Exported:
    system = Principal(org=here.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    return await here.house.commands.perform(ExportSpans(principal=system))


async def export_all(here: Home, clock: StoppedClock) -> int:
    """As the upkeep does, with what was sealed until now; how many batches."""
    clock.advance(timedelta(minutes=1))
    await here.house.proofs.sealing.seal(here.org)
    batches = 0
    while await here.house.exporting.is_due(here.org):
        await export(here)
        batches += 1
        assert batches < 20
    return batches


async def state(here: Home) -> ExportState | None:
    async with here.house.database.read(here.org) as session:
        return await export_state(session, here.org)


async def test_a_conversation_arrives_as_one_tree_without_its_words(
    here: Home, collector: Collector, clock: StoppedClock
) -> None:
    task = await chat(here)

    await export_all(here, clock)

    spans = [span for span in collector.spans if span.trace_id.hex() == trace_id(task)]
    assert [span.name for span in spans if not span.parent_span_id] == ["invoke_workflow chat"]
    assert {span.parent_span_id for span in spans} - {b""} <= {span.span_id for span in spans}
    (tool,) = [span for span in spans if span.name == "execute_tool remember"]
    assert attributes(tool)["joule.outcome"] == "done"
    (agent,) = [span for span in spans if span.name == "invoke_agent joule"]
    assert attributes(agent)[names.OUTPUT_TOKENS] == 10
    assert {metric.name for metric in collector.metrics} >= {"gen_ai.client.operation.duration", "joule.journal.lag"}
    everything = b"".join(collector.raw)
    assert b"invoke_workflow chat" in everything
    for told in (SECRET, "Nightjar", str(here.org), str(here.owner.person)):
        assert told.encode() not in everything, told


async def test_it_comes_to_an_end(here: Home, clock: StoppedClock) -> None:
    await chat(here)
    assert await export_all(here, clock) > 0

    assert await export_all(here, clock) == 0  # what exporting wrote was sealed meanwhile, and is no news


async def test_a_backend_that_is_down_for_an_hour_costs_nothing_and_loses_nothing(
    here: Home, collector: Collector, clock: StoppedClock
) -> None:
    collector.status = 400
    tasks = []
    for _ in range(3):
        tasks.append(await chat(here))
        clock.advance(timedelta(minutes=20))
        await here.house.proofs.sealing.seal(here.org)
        with pytest.raises(ExportFailed):
            await export(here)
        assert not await here.house.exporting.is_due(here.org)
    waiting = await state(here)

    collector.status = 200
    clock.advance(timedelta(hours=1))
    await export_all(here, clock)

    assert waiting is not None
    assert (waiting.failures, waiting.problem) == (3, "not_taken")
    assert waiting.waiting >= 3
    assert {trace_id(task) for task in tasks} <= {span.trace_id.hex() for span in collector.spans}
    now = await state(here)
    assert now is not None
    assert (now.failures, now.problem, now.exported_at) == (0, "", clock.now())


async def test_a_batch_whose_arrival_was_not_noted_comes_again_under_the_same_ids(
    here: Home, collector: Collector, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat(here)
    clock.advance(timedelta(minutes=1))
    await here.house.proofs.sealing.seal(here.org)

    async def cut_off(*_: object, **__: object) -> None:
        raise RuntimeError("killed here")

    with monkeypatch.context() as killed:
        killed.setattr(here.house.exporting, "_note", cut_off)
        with pytest.raises((RuntimeError, JouleError)):
            await export(here)
    once = [(span.trace_id, span.span_id) for span in collector.spans]
    collector.spans.clear()
    await export_all(here, clock)

    assert len(once) > 0
    again = [(span.trace_id, span.span_id) for span in collector.spans]
    assert again[: len(once)] == once


async def test_many_chains_of_one_head_come_in_batches(here: Home, collector: Collector, clock: StoppedClock) -> None:
    for n in range(AT_ONCE + 5):
        await here.upload(f"file-{n}.txt", b"words")

    assert await export_all(here, clock) >= 2
    uploads = [span for span in collector.spans if span.name == "joule.action memory.upload_file"]
    assert len({span.span_id for span in uploads}) == AT_ONCE + 5


async def test_without_a_backend_nothing_is_ever_due(settings: Settings) -> None:
    async with home(settings) as found:
        await found.house.proofs.sealing.seal(found.org)
        assert not found.house.exporting.is_on
        assert not await found.house.exporting.is_due(found.org)
