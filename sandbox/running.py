"""Runs code in a thread's session: files go in, the command is heard, and what it leaves in the out folder is kept."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from joule.kernel.errors import Invalid
from joule.kernel.ids import ProjectId, ThreadId
from joule.kernel.label import Label
from joule.kernel.permit import Permit
from sandbox import _labels, paths
from sandbox._output import HEAD, Heard, visible
from sandbox.actions import Plot, ReadWorkspace, RunPython, RunShell, WriteWorkspace
from sandbox.artifacts import chart
from sandbox.artifacts.collect import Found, RunLimits, collected
from sandbox.artifacts.shelf import Origin, Shelf
from sandbox.contract import Event, Exited, Sandbox
from sandbox.egress.door import Leave
from sandbox.egress.doors import Doors
from sandbox.errors import PathRefused, QuotaExceeded
from sandbox.files import Granted, ProjectFiles
from sandbox.results import Plotted, Ran, RefusedFile, WorkspaceText, WorkspaceWritten
from sandbox.sessions import FILES, Held, Sessions, Use

MOST_SHOWN = 40_000  # characters that are streamed while a command runs; its result has the beginning and the end
LARGEST_TEXT = 200_000  # characters that are written to, or bytes read from, the workspace as text
TOLD_EVERY = 0.2  # seconds
_Start = Callable[[Sandbox], AsyncIterator[Event]]


@dataclass(frozen=True, kw_only=True)
class Running:
    """Everything that happens in sandboxes, over the sessions of this process."""

    sessions: Sessions
    files: ProjectFiles
    shelf: Shelf
    limits: RunLimits
    doors: Doors

    async def python(self, permit: Permit, action: RunPython) -> Ran:
        return await self._run(permit, action, lambda sandbox: sandbox.run_python(action.code))

    async def shell(self, permit: Permit, action: RunShell) -> Ran:
        return await self._run(permit, action, lambda sandbox: sandbox.execute(("/bin/sh", "-c", action.command)))

    async def write(self, permit: Permit, action: WriteWorkspace) -> WorkspaceWritten:
        if len(action.text) > LARGEST_TEXT:
            raise QuotaExceeded("the text", limit=LARGEST_TEXT)
        content, use = action.text.encode(errors="replace"), _use(permit, action)
        async with self.sessions.using(use) as held:
            await self.sessions.goes_in(use, held, _labels.of_output(action.label))
            await held.sandbox.write(action.path, content)
        return WorkspaceWritten(
            session=held.id, fresh=held.fresh, path=action.path, size=len(content), label=held.label
        )

    async def read(self, permit: Permit, action: ReadWorkspace) -> WorkspaceText:
        async with self.sessions.using(_use(permit, action), make=False) as held:
            content = await held.sandbox.read(action.path, limit=LARGEST_TEXT)
            label = held.label.join(action.label)
        text = visible(content.decode(errors="replace"))
        cut = len(text) > HEAD
        return WorkspaceText(session=held.id, path=action.path, text=text[:HEAD], truncated=cut, label=label)

    async def plot(self, permit: Permit, action: Plot) -> Plotted:
        spec, label = chart.checked(action.spec), _labels.of_output(action.label)
        origin = _origin(permit, action, label)
        name = paths.checked(action.file_name.removesuffix(".json") + ".json")
        kept = await self.shelf.keep(origin, _one(Found(name=name, content=spec.encode())))
        if not kept.made:
            raise Invalid(
                f"the chart cannot be kept: {kept.refused[0].reason}", advice="Delete artifacts, then plot again."
            )
        return Plotted(artifact=kept.made[0], label=label)

    async def _run(self, permit: Permit, action: RunPython | RunShell, start: _Start) -> Ran:
        use = _use(permit, action)
        async with self.sessions.using(use) as held:
            await self._put_in(use, held, action.files)
            async with self.doors.during(held.id, self._leave(action, use, held)):
                heard, ended = await _followed(permit, start(held.sandbox))
            origin = replace(_origin(permit, action, held.label), session=held.id)
            kept = await self.shelf.keep(origin, collected(held.sandbox, self.limits))
        return Ran(
            session=held.id,
            fresh=held.fresh,
            boundary=held.backend.boundary.value,
            exit_code=ended.code,
            killed_by=None if ended.killed_by is None else ended.killed_by.value,
            milliseconds=round(ended.seconds * 1000),
            output=heard.text,
            truncated=heard.is_cut,
            artifacts=kept.made,
            refused=kept.refused,
            label=held.label,
        )

    def _leave(self, action: RunPython | RunShell, use: Use, held: Held) -> Leave:
        """For whom the way out is open while the command runs: what comes in is written down first."""

        async def heard(label: Label) -> None:
            await self.sessions.goes_in(use, held, label, runs=0)

        return Leave(
            principal=action.principal, project=use.project, task=use.task, label=lambda: held.label, heard=heard
        )

    async def _put_in(self, use: Use, held: Held, names: tuple[str, ...]) -> None:
        """Write down what goes in, then put it in: what was asked for, and in a new session what the one before had."""
        again = tuple(name for name in held.names if name not in names) if held.fresh else ()
        granted = await self.files.granted(use.org, use.project, use.reader, names, missing_ok=False)
        granted += await self.files.granted(use.org, use.project, use.reader, again, missing_ok=True)
        label = _labels.of_output(use.label, *(each.label for each in granted))
        await self.sessions.goes_in(use, held, label, tuple(each.name for each in granted))
        for each in granted:
            if held.there.get(each.name) != each.version:
                await self._put(held, each, must=each.name not in again)

    async def _put(self, held: Held, file: Granted, *, must: bool) -> None:
        path = f"{FILES}/{file.name}"
        try:
            if file.name in held.there:  # read-only: it is replaced, not written to
                async for _ in held.sandbox.execute(("/bin/rm", "-f", "--", path)):
                    pass
            await held.sandbox.write(path, file.content, read_only=True)
        except (PathRefused, QuotaExceeded):
            if must:
                raise
            return
        held.there[file.name] = file.version


async def _followed(permit: Permit, events: AsyncIterator[Event]) -> tuple[Heard, Exited]:
    """All that is said, shown as it comes, and how it ended. Stopped in the middle, the command ends with it."""
    heard, shown, ended = Heard(), 0, Exited(code=None)
    clock, pending, told_at = asyncio.get_running_loop().time, "", 0.0
    async with aclosing(cast(Any, events)) as following:
        async for event in following:
            if isinstance(event, Exited):
                ended = event
                break
            pending += heard.more(event.data)[: MOST_SHOWN - shown - len(pending)]
            if pending and clock() - told_at >= TOLD_EVERY:  # each telling is a row of the journal
                shown, told_at, text, pending = shown + len(pending), clock(), pending, ""
                await permit.progress(text)
    pending += heard.more(b"", last=True)
    if pending:
        await permit.progress(pending)
    return heard, ended


def _use(permit: Permit, action: Any) -> Use:
    who = action.principal
    return Use(
        org=who.org,
        project=_project(action),
        thread=action.thread,
        task=permit.task,
        decision=permit.decision,
        reader=who.person,
        label=action.label,
        behind=permit.boundary,
    )


def _origin(permit: Permit, action: Any, label: Label) -> Origin:
    thread: ThreadId = action.thread
    return Origin(
        org=action.principal.org,
        project=_project(action),
        thread=thread,
        author=action.principal.person,
        session=None,
        task=permit.task,
        decision=permit.decision,
        label=label,
    )


def _project(action: Any) -> ProjectId:
    if action.project is None:
        raise Invalid("code runs within a project", advice="Name the project it belongs to.")
    return cast(ProjectId, action.project)


async def _one(found: Found) -> AsyncIterable[Found | RefusedFile]:
    yield found
