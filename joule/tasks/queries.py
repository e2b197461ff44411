"""What a signed-in person may see of their organisation's threads and tasks. Nothing here changes a row."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from joule.agent.task import Exchange
from joule.database.engine import ReadSession
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, ProjectId, TaskId, ThreadId
from joule.kernel.label import Label
from joule.tasks._store import LABEL, subject_of
from joule.tasks.state import State
from joule.tasks.tables import TaskRow, ThreadRow
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault

Erased = Callable[[AsyncSession, OrgId, Collection[str]], Awaitable[Collection[str]]]
"""Which of these sources, as labels name them, have been erased."""

ERASED_ANSWER = "(This answer is not repeated: what it was made from has been deleted.)"


@dataclass(frozen=True, kw_only=True)
class ThreadLine:
    """A thread in a list."""

    thread: ThreadId
    project: ProjectId
    title: str = field(repr=False)
    author: PersonId
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """What may be known about a task without reading a word of it."""

    task: TaskId
    thread: ThreadId
    project: ProjectId
    author: PersonId
    state: State
    code: str | None
    attempt: int
    retention: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    stop_requested_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """A task with its words. `request` is None when its key was shredded."""

    facts: TaskFacts
    follows: TaskId | None
    replaces: TaskId | None
    alternatives: tuple[TaskId, ...]  # all tasks at this place in the thread, oldest first, this one among them
    request: str | None = field(repr=False)
    answer: str | None = field(repr=False)
    label: Label = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ThreadView:
    """One branch of a thread, oldest task first."""

    line: ThreadLine
    tasks: tuple[TaskView, ...]


async def threads(
    session: ReadSession, vault: Vault, org: OrgId, project: ProjectId, *, limit: int = 100
) -> list[ThreadLine]:
    """The threads of a project, the one used last first."""
    chosen = (
        select(ThreadRow)
        .where(col(ThreadRow.org_id) == org, col(ThreadRow.project_id) == project)
        .order_by(col(ThreadRow.updated_at).desc())
        .limit(limit)
    )
    rows = (await session.execute(chosen)).scalars().all()
    if not rows:
        return []
    keyring = await vault.keyring(session, org)
    return [_line(row, keyring.open_text(row.title, row=row.id, field="title")) for row in rows]


async def thread(
    session: ReadSession, vault: Vault, org: OrgId, thread: ThreadId, *, leaf: TaskId | None = None
) -> ThreadView:
    """A thread as one branch: the one that ends in or leads through `leaf`, else the newest. Raises `NotFound`."""
    row = await session.get(ThreadRow, (org, thread))
    if row is None:
        raise NotFound("thread")
    keyring = await vault.keyring(session, org)
    chosen = (
        select(TaskRow).where(col(TaskRow.org_id) == org, col(TaskRow.thread_id) == thread).order_by(col(TaskRow.id))
    )
    tasks: Sequence[TaskRow] = (await session.execute(chosen)).scalars().all()
    siblings: dict[UUID | None, list[TaskRow]] = {}
    for each in tasks:
        siblings.setdefault(each.follows, []).append(each)
    views = [await _view(session, vault, each, siblings[each.follows]) for each in branch(tasks, leaf)]
    return ThreadView(line=_line(row, keyring.open_text(row.title, row=row.id, field="title")), tasks=tuple(views))


def branch(tasks: Sequence[TaskRow], through: TaskId | None = None) -> list[TaskRow]:
    """The branch that leads through a task and on to its newest end; of the newest task when none is named.

    `tasks` are all tasks of one thread in the order of their ids. Raises `NotFound` when the task is not among them.
    """
    if not tasks:
        return []
    by_id: Mapping[UUID, TaskRow] = {each.id: each for each in tasks}
    here = by_id.get(through) if through is not None else tasks[-1]
    if here is None:
        raise NotFound("task")
    found = [here]
    while found[0].follows is not None and found[0].follows in by_id:
        found.insert(0, by_id[found[0].follows])
    while after := [each for each in tasks if each.follows == found[-1].id]:
        found.append(after[-1])
    return found


async def task(session: ReadSession, vault: Vault, org: OrgId, task: TaskId) -> TaskView:
    """One task with its words. Raises `NotFound`."""
    row = await _row(session, org, task)
    chosen = (
        select(TaskRow)
        .where(
            col(TaskRow.org_id) == org,
            col(TaskRow.thread_id) == row.thread_id,
            col(TaskRow.follows).is_not_distinct_from(row.follows),
        )
        .order_by(col(TaskRow.id))
    )
    return await _view(session, vault, row, (await session.execute(chosen)).scalars().all())


async def facts(session: ReadSession, org: OrgId, task: TaskId) -> TaskFacts:
    """What support sees of a task: no words. Raises `NotFound`."""
    return facts_of(await _row(session, org, task))


async def label_before(session: ReadSession, org: OrgId, task: TaskId) -> Label | None:
    """The label of the answer before this one in its branch; None for the first. Raises `NotFound`."""
    row = await _row(session, org, task)
    before = await session.get(TaskRow, (org, row.follows)) if row.follows is not None else None
    return None if before is None else LABEL.validate_python(before.label)


async def recent(session: ReadSession, org: OrgId, *, state: State | None = None, limit: int = 50) -> list[TaskFacts]:
    """The newest tasks of the organisation, without words."""
    chosen = select(TaskRow).where(col(TaskRow.org_id) == org)
    if state is not None:
        chosen = chosen.where(col(TaskRow.state) == state.value)
    rows = (await session.execute(chosen.order_by(col(TaskRow.id).desc()).limit(limit))).scalars().all()
    return [facts_of(row) for row in rows]


async def waiting(session: ReadSession, org: OrgId, *, author: PersonId | None = None) -> list[TaskFacts]:
    """Tasks that wait for a person's answer, the oldest first."""
    chosen = select(TaskRow).where(col(TaskRow.org_id) == org, col(TaskRow.state) == State.WAITING.value)
    if author is not None:
        chosen = chosen.where(col(TaskRow.author) == author)
    rows = (await session.execute(chosen.order_by(col(TaskRow.id)).limit(200))).scalars().all()
    return [facts_of(row) for row in rows]


_BEFORE = text(
    "WITH RECURSIVE earlier AS ("
    " SELECT id, follows, 0 AS depth FROM task WHERE org_id = :org AND id = :task"
    " UNION ALL"
    " SELECT task.id, task.follows, depth + 1 FROM task JOIN earlier ON task.id = earlier.follows"
    " WHERE task.org_id = :org AND depth < :most)"
    " SELECT id FROM earlier WHERE depth > 0 ORDER BY depth"
)


async def history(
    session: AsyncSession, vault: Vault, org: OrgId, task: TaskId, *, most: int, characters: int, erased: Erased
) -> tuple[Exchange, ...]:
    """What was said before `task` in its branch: the newest `most` exchanges that fit, oldest first.

    Only tasks with an answer count; one whose key was shredded is left out, as if it had never been said. An answer
    that was made from something that is erased since is not told again: people keep it, the agent does not. Each names
    itself as a source of what is made from it.
    """
    found: list[Exchange] = []
    left = characters
    identifiers = (await session.execute(_BEFORE, {"org": org, "task": task, "most": most})).scalars().all()
    for identifier in identifiers:
        row = await _row(session, org, TaskId(identifier))
        request, answer = await words_of(session, vault, row)
        if request is None or answer is None:
            continue
        label = LABEL.validate_python(row.label)
        if await erased(session, org, label.sources):
            answer, label = ERASED_ANSWER, Label()
        label = replace(label, sources=label.sources | {f"message:{identifier}"})
        left -= len(request) + len(answer)
        if left < 0:
            break
        found.append(Exchange(task=TaskId(identifier), request=request, answer=answer, label=label))
    return tuple(reversed(found))


async def words(session: AsyncSession, vault: Vault, org: OrgId, task: TaskId) -> tuple[str | None, str | None]:
    """The request and the answer of a task; both None when its key was shredded. Raises `NotFound`."""
    return await words_of(session, vault, await _row(session, org, task))


async def _row(session: AsyncSession, org: OrgId, task: TaskId) -> TaskRow:
    row = await session.get(TaskRow, (org, task))
    if row is None:
        raise NotFound("task")
    return row


async def words_of(session: AsyncSession, vault: Vault, row: TaskRow) -> tuple[str | None, str | None]:
    """The words of a task whose row is at hand already."""
    try:
        keyring = await vault.keyring(session, OrgId(row.org_id), subject_of(TaskId(row.id)))
    except (NoKey, Shredded):
        return None, None
    request = keyring.open_text(row.request, row=row.id, field="request")
    if row.answer is None:
        return request, None
    return request, keyring.open_text(row.answer, row=row.id, field="answer")


async def _view(session: AsyncSession, vault: Vault, row: TaskRow, siblings: Sequence[TaskRow]) -> TaskView:
    request, answer = await words_of(session, vault, row)
    return TaskView(
        facts=facts_of(row),
        follows=TaskId(row.follows) if row.follows else None,
        replaces=TaskId(row.replaces) if row.replaces else None,
        alternatives=tuple(TaskId(each.id) for each in siblings),
        request=request,
        answer=answer,
        label=LABEL.validate_python(row.label),
    )


def _line(row: ThreadRow, title: str) -> ThreadLine:
    return ThreadLine(
        thread=ThreadId(row.id),
        project=ProjectId(row.project_id),
        title=title,
        author=PersonId(row.author),
        updated_at=row.updated_at,
    )


def facts_of(row: TaskRow) -> TaskFacts:
    """What a row says without its words."""
    return TaskFacts(
        task=TaskId(row.id),
        thread=ThreadId(row.thread_id),
        project=ProjectId(row.project_id),
        author=PersonId(row.author),
        state=State(row.state),
        code=row.code,
        attempt=row.attempt,
        retention=row.retention,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        stop_requested_at=row.stop_requested_at,
    )
