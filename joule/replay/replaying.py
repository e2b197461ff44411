"""Runs the agent again over a task's record, and says whether it would do the same today.

Reads the record and nothing else: no handler is in reach, no provider, no other row of the database.
"""

from collections.abc import Sequence
from time import perf_counter_ns
from uuid import UUID

from integrations.catalogue.load import catalogue
from joule.agent import graph, prompts
from joule.agent.connected import ASKED_FOR_ACCOUNTS
from joule.agent.tools import Toolbox
from joule.agent.work import bench_of, words_of, work
from joule.governance.policy import Policy
from joule.kernel.errors import ApprovalNeeded, JouleError, NotFound, Stopped
from joule.kernel.ids import OrgId, PersonId, ProjectId, TaskId
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import TaskSettings
from joule.replay.playback import Diverged, Playback
from joule.replay.report import Difference, Divergence, ReplayReport, Verdict
from joule.vault.keys import Keyring
from traces.reader import TaskEvent
from traces.recording import Recording
from traces.records import Kind, Row


async def replay(
    events: Sequence[TaskEvent],
    *,
    org: OrgId,
    task: TaskId,
    keyring: Keyring,
    policy: Policy,
    settings: TaskSettings,
    toolbox: Toolbox | None = None,
) -> ReplayReport:
    """Replay one conversation task from its opened rows. Raises `NotFound` for a task that is none."""
    began = perf_counter_ns()
    toolbox = toolbox or Toolbox()
    recording = Recording()
    for event in events:
        recording.take(_row(event))
    started = recording.started
    if started is None or started.attrs.get("task_kind") != "chat":
        raise NotFound("conversation task")
    if "request" not in started.content:
        differences = [Difference(kind=Divergence.ERASED, at="start", field="content")]
    else:
        playback = Playback(recording, policy=policy, keyring=keyring, words=words_of(started.content))
        differences = await _run(playback, recording, started, org, settings, toolbox)
    differences += _versions(started, recording, policy, toolbox) if not differences else []
    return ReplayReport(
        task=task,
        verdict=_verdict(differences),
        differences=tuple(differences),
        calls=len(recording.steps),
        events=len(events),
        duration_us=(perf_counter_ns() - began) // 1000,
    )


async def _run(
    playback: Playback, recording: Recording, started: Row, org: OrgId, settings: TaskSettings, toolbox: Toolbox
) -> list[Difference]:
    person = PersonId(UUID(started.attrs["person"]))
    role = next((step.intent.attrs["facts"]["role"] for step in recording.steps.values() if step.intent), "member")
    outcome, answer = "done", ""
    try:
        bench = bench_of(
            playback,
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
    return playback.missing() + _ending(recording, outcome, answer)


def _ending(recording: Recording, outcome: str, answer: str) -> list[Difference]:
    ended = recording.ended
    was = "waiting" if ended is None else str(ended.attrs["outcome"])
    if ended is None and outcome == "stopped":
        return []  # it died here, or is still at work: all that is on record was done the same
    if was != outcome:
        return [Difference(kind=Divergence.CALLS, at="end", field="outcome", recorded=was, now=outcome)]
    if ended is not None and outcome == "done" and ended.content.get("answer") != answer:
        return [Difference(kind=Divergence.ANSWER, at="end", field="answer")]
    return []


def _versions(started: Row, recording: Recording, policy: Policy, toolbox: Toolbox) -> list[Difference]:
    now = {"graph": graph.digest(), "prompt": prompts.digest(), "tools": toolbox.digest, "bundle": policy.digest}
    then = {name: started.attrs.get(name) for name in now}
    described = recording.step(ASKED_FOR_ACCOUNTS).end
    found = described.content.get("result") if described is not None else None
    if found and found["connections"]:
        then["catalogue"], now["catalogue"] = found["catalogue_version"], catalogue().version
    return [
        Difference(kind=Divergence.VERSION, at="start", field=name, recorded=str(then[name])[:12], now=value[:12])
        for name, value in now.items()
        if then[name] != value
    ]


def _verdict(differences: Sequence[Difference]) -> Verdict:
    kinds = {each.kind for each in differences}
    if Divergence.ERASED in kinds:
        return Verdict.NOT_REPLAYABLE
    return Verdict.IDENTICAL if kinds <= {Divergence.VERSION} else Verdict.DIVERGED


def _row(event: TaskEvent) -> Row:
    return Row(at=event.at, kind=Kind(event.kind), call=event.call, attrs=event.attrs, content=event.content)
