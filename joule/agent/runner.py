"""Runs one claimed task from its start, over its journal: the first run, a resumed one and a rescued one alike.

What is on record is not done again. The run ends with a row that says how, or leaves none when it could not write it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from integrations.actions import DescribeConnections
from integrations.mcp.actions import DescribeMcpTools
from joule.agent import graph, prompts
from joule.agent.task import Claim, End, Outcome, done, failed, stopped, waiting
from joule.agent.tools import Bench, Toolbox
from joule.agent.work import bench_of, label_codec, words_of, work
from joule.database.errors import DatabaseAway
from joule.governance import facts
from joule.governance.gate import Gate
from joule.governance.rules.rulebook import InForce
from joule.kernel.errors import ApprovalNeeded, Fenced, JouleError, JournalDown, LimitReached, Stopped
from joule.kernel.ids import OrgId
from joule.kernel.settings import TaskSettings
from sandbox.actions import RunPython
from traces.journal import TaskJournal
from traces.opening import Journals
from traces.records import Kind, Row


class Runner:
    """The agent, as a worker uses it."""

    def __init__(
        self,
        *,
        gate: Gate,
        journals: Journals,
        settings: TaskSettings,
        toolbox: Toolbox,
        code_behind: Callable[[OrgId], Awaitable[str | None]] | None = None,
    ) -> None:
        """`code_behind` says what code of an organisation runs behind just now; without it, or where it says None, no tool offers to run any."""
        self._gate, self._journals, self._settings, self._toolbox = gate, journals, settings, toolbox
        self._code_behind = code_behind

    async def run(self, claim: Claim) -> Outcome:
        """Run one attempt. Raises `Fenced`, `JournalDown` or `DatabaseAway` when it could not be written how it ended."""
        journal = await self._journals.open(claim.org, claim.task, attempt=claim.attempt, retention=claim.retention)
        try:
            return await self._run(claim, journal)
        finally:
            await journal.close()

    async def _run(self, claim: Claim, journal: TaskJournal) -> Outcome:
        if journal.recording.ended is not None:
            return _as_recorded(journal.recording.ended)
        rules, behind = await self._gate.in_force(claim.org), await self._behind(claim.org)
        started = await self._start(journal, claim, rules, runs_code=behind is not None)
        words = words_of(started)
        gate = self._gate.over(journal, words=words, stop=claim.stop, rules=rules, behind=behind or "")
        bench = bench_of(gate, principal=claim.principal, project=claim.project, started=started)
        try:
            async with asyncio.timeout(self._settings.max_seconds):
                answer = await work(bench, started=started, settings=self._settings, toolbox=self._toolbox)
        except (Fenced, JournalDown, DatabaseAway):
            raise
        except ApprovalNeeded:
            await journal.write(Kind.TASK_PAUSED, attrs={"outcome": "waiting"})
            return waiting()
        except Stopped:
            return await self._end(journal, bench, stopped(journal.recording.unfinished_text() or None))
        except TimeoutError:
            problem: JouleError = LimitReached("seconds", self._settings.max_seconds)
            return await self._end(journal, bench, self._failed(journal, problem))
        except JouleError as problem:
            return await self._end(journal, bench, self._failed(journal, problem), problem)
        return await self._end(journal, bench, done(answer))

    async def _behind(self, org: OrgId) -> str | None:
        """What code runs behind in this attempt; None where none can be run."""
        if self._code_behind is None or RunPython not in self._gate.methods:
            return None
        return await self._code_behind(org)

    async def _start(self, journal: TaskJournal, claim: Claim, rules: InForce, *, runs_code: bool) -> Mapping[str, Any]:
        """What the task began with: as recorded if it began before, else what it is claimed with now."""
        if journal.recording.started is not None:
            journal.note(Kind.TASK_RESUMED, attrs={"attempt": claim.attempt})
            return journal.recording.started.content
        content: dict[str, Any] = {
            "request": claim.request,
            "label": label_codec().dump_python(claim.label, mode="json"),
            "history": [
                {
                    "task": str(each.task),
                    "request": each.request,
                    "answer": each.answer,
                    "label": label_codec().dump_python(each.label, mode="json"),
                }
                for each in claim.history
            ],
        }
        if DescribeConnections in self._gate.methods:
            content["connections"] = True  # so that a replay asks for them, and one of an older record does not
        if DescribeMcpTools in self._gate.methods:
            content["mcp"] = True
        if runs_code:
            content["sandbox"] = {"thread": str(claim.thread)}
        journal.note(
            Kind.TASK_STARTED,
            attrs={
                "task_kind": "chat",
                "attempt": claim.attempt,
                "thread": str(claim.thread),
                "project": str(claim.project),
                "person": str(claim.principal.person),
                "code_version": f"v{version('joule-agent')}",
                "graph": graph.digest(),
                "prompt": prompts.digest(),
                "tools": self._toolbox.digest,
                "bundle": rules.policy.digest,
                "facts_schema": facts.VERSION,
            },
            content=content,
        )
        return content

    def _failed(self, journal: TaskJournal, problem: JouleError) -> Outcome:
        code = getattr(problem, "recorded_code", problem.code)
        return failed(code, answer=journal.recording.unfinished_text() or None)

    async def _end(
        self, journal: TaskJournal, bench: Bench, outcome: Outcome, problem: JouleError | None = None
    ) -> Outcome:
        label = label_codec().dump_python(bench.label, mode="json")
        content: dict[str, Any] = {"answer": outcome.answer or "", "label": label}
        if problem is not None:
            content["error"] = {"message": str(problem), "advice": problem.advice()}
        attrs = {"outcome": outcome.end.value, **({"code": outcome.code} if outcome.code else {})}
        await journal.write(Kind.TASK_ENDED, attrs=attrs, content=content)
        return replace(outcome, label=bench.label)


def _as_recorded(ended: Row) -> Outcome:
    answer = ended.content.get("answer") or None
    label = label_codec().validate_python(ended.content["label"], strict=False) if "label" in ended.content else None
    return Outcome(end=End(ended.attrs["outcome"]), answer=answer, code=ended.attrs.get("code"), label=label)
