"""Runs the agent again over a task's record, and says whether it would do the same today.

Reads the record and nothing else: no handler is in reach, no provider, no other row of the database.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from time import perf_counter_ns
from uuid import UUID

from integrations.catalogue.load import catalogue
from joule.agent import graph, prompts
from joule.agent.connected import ASKED_FOR_ACCOUNTS
from joule.agent.tools import Performs, Toolbox
from joule.agent.work import bench_of, words_of, work
from joule.governance import facts
from joule.governance.policy import Policy
from joule.kernel.errors import ApprovalNeeded, JouleError, NotFound, Stopped
from joule.kernel.ids import OrgId, PersonId, ProjectId, TaskId
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import TaskSettings
from joule.replay.comparing import shown
from joule.replay.playback import Diverged, Playback
from joule.replay.report import Difference, Divergence, ReplayReport, Verdict, Version
from joule.vault.keys import Keyring
from traces.reader import TaskEvent
from traces.recording import Recording
from traces.records import Kind, Row

_RECORDED_AS = {"policies": "bundle", "code": "code_version", "facts": "facts_schema"}


async def replay(
    events: Sequence[TaskEvent],
    *,
    org: OrgId,
    task: TaskId,
    keyring: Keyring | None,
    policy: Policy,
    settings: TaskSettings,
    toolbox: Toolbox | None = None,
    lenient: bool = False,
    reads: frozenset[str] = frozenset(),
    around: Callable[[Playback], Performs] | None = None,
) -> ReplayReport:
    """Replay one conversation task from its opened rows. Raises `NotFound` for a task that is none.

    `keyring` is what they were opened with; None when it has been destroyed, and with it what could be compared.
    `reads` are the fields of content that the report may show. `around` stands between the agent and the record: for
    measurements and tests, which answer late or listen.
    """
    began = perf_counter_ns()
    toolbox = toolbox or _own_tools()
    recording, places = Recording(), dict[str, int]()
    for event in events:
        recording.take(_row(event))
        if event.call is not None:
            places.setdefault(event.call, event.seq)
    started = recording.started
    if started is None or started.attrs.get("task_kind") != "chat":
        raise NotFound("conversation task")
    versions = _versions(started, recording, policy, toolbox)
    if keyring is None or "request" not in started.content:
        differences = [Difference(kind=Divergence.ERASED, at="start", field="content")]
    else:
        playback = Playback(
            recording,
            policy=policy,
            keyring=keyring,
            words=words_of(started.content),
            lenient=lenient,
            reads=reads,
            changed=frozenset(each.name for each in versions if not each.is_same),
        )
        gate: Performs = around(playback) if around else playback
        differences = await _run(playback, gate, recording, started, org, settings, toolbox, reads)
    if not differences:
        differences = [
            Difference(kind=Divergence.VERSION, at="start", field=each.name, recorded=each.recorded, now=each.now)
            for each in versions
            if not each.is_same
        ]
    return ReplayReport(
        task=task,
        verdict=_verdict(differences),
        differences=tuple(replace(each, seq=places.get(each.at)) for each in differences),
        calls=len(recording.steps),
        events=len(events),
        duration_us=(perf_counter_ns() - began) // 1000,
        lenient=lenient,
        versions=versions,
    )


async def _run(
    playback: Playback,
    gate: Performs,
    recording: Recording,
    started: Row,
    org: OrgId,
    settings: TaskSettings,
    toolbox: Toolbox,
    reads: frozenset[str],
) -> list[Difference]:
    person = PersonId(UUID(started.attrs["person"]))
    role = next((step.intent.attrs["facts"]["role"] for step in recording.steps.values() if step.intent), "member")
    outcome, answer = "done", ""
    try:
        bench = bench_of(
            gate,
            principal=Principal(org=org, person=person, role=Role(role), via=Via.AGENT),
            project=ProjectId(UUID(started.attrs["project"])),
            started=started.content,
        )
        answer = await work(bench, started=started.content, settings=settings, toolbox=toolbox)
    except Diverged:
        return playback.differences
    except ApprovalNeeded:
        outcome = "waiting"
    except Stopped:
        outcome = "stopped"
    except JouleError:
        outcome = "failed"
    return playback.finish(*playback.missing(), *_ending(recording, outcome, answer, reads))


def _ending(recording: Recording, outcome: str, answer: str, reads: frozenset[str]) -> list[Difference]:
    ended = recording.ended
    was = "waiting" if ended is None else str(ended.attrs["outcome"])
    if ended is None and outcome == "stopped":
        return []  # it died here, or is still at work: all that is on record was done the same
    if was != outcome:
        return [Difference(kind=Divergence.CALLS, at="end", field="outcome", recorded=was, now=outcome)]
    then = None if ended is None else ended.content.get("answer")
    if ended is None or outcome != "done" or then == answer:
        return []
    difference = Difference(kind=Divergence.ANSWER, at="end", field="answer", withheld="answer" not in reads)
    return [difference if difference.withheld else replace(difference, then_text=shown(then), now_text=shown(answer))]


def _versions(started: Row, recording: Recording, policy: Policy, toolbox: Toolbox) -> tuple[Version, ...]:
    """What the run depended on, then and now, in short."""
    now = {
        "code": _code(),
        "graph": graph.digest(),
        "prompt": prompts.digest(),
        "tools": toolbox.digest,
        "policies": policy.digest,
        "facts": str(facts.VERSION),
    }
    then = {name: str(started.attrs.get(_RECORDED_AS.get(name, name), "")) for name in now}
    described = recording.step(ASKED_FOR_ACCOUNTS).end
    found = described.content.get("result") if described is not None else None
    if found and found["connections"]:
        then["catalogue"], now["catalogue"] = str(found["catalogue_version"]), catalogue().version
    return tuple(Version(name=name, recorded=then[name][:12], now=now[name][:12]) for name in now)


@cache
def _own_tools() -> Toolbox:
    """The tools every agent has. Their schemas take longer to write down than a task takes to replay."""
    return Toolbox()


@cache
def _code() -> str:
    return f"v{version('joule-agent')}"


def _verdict(differences: Sequence[Difference]) -> Verdict:
    kinds = {each.kind for each in differences}
    if Divergence.ERASED in kinds:
        return Verdict.NOT_REPLAYABLE
    return Verdict.IDENTICAL if kinds <= {Divergence.VERSION} else Verdict.DIVERGED


def _row(event: TaskEvent) -> Row:
    return Row(at=event.at, kind=Kind(event.kind), call=event.call, attrs=event.attrs, content=event.content)
