"""Approvals: asked once, answered once, spent once.

An approval is bound by a keyed commitment to the action, its arguments, who it is for, the policies that asked and the
labels of what it was made from. Under it nothing else can be done, and it not a second time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.errors import Conflict, NotFound
from joule.kernel.ids import DecisionId, OrgId, PersonId, TaskId
from joule.kernel.label import Label
from joule.vault.keys import Keyring

LIFETIME = timedelta(hours=24)
GRANT_LIFETIME = timedelta(days=14)  # how long a task waits for a permission at a provider
STEP_UP = "integrations.step_up/"  # what such a question is about: this, and the id of the connected account
NOTE = "note"  # the field a note is sealed as, in the row of its approval


class Answer(StrEnum):
    """Where an approval stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    SPENT = "spent"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An approval as it stands."""

    id: UUID
    answer: Answer
    binding: bytes
    answered_by: UUID | None
    note: bytes | None  # what the person wrote to their answer, sealed under the task's key; see `NOTE`


_INSERT = text(
    "INSERT INTO approval (org_id, id, task_id, decision_id, call, action, binding, state, asked_at, expires_at) "
    "VALUES (:org, :id, :task, :decision, :call, :action, :binding, 'asked', :at, :until)"
)
_FIND = text("SELECT state, binding, expires_at, answered_by, note FROM approval WHERE org_id = :org AND id = :id")
_ANSWER = text(
    "UPDATE approval SET state = :state, answered_at = :at, answered_by = :by, note = :note "
    "WHERE org_id = :org AND id = :id AND state = 'asked' AND expires_at > :at RETURNING task_id"
)
_GRANT = text(
    "UPDATE approval SET state = :state, answered_at = :at, answered_by = :by "
    "WHERE org_id = :org AND action = ANY(:actions) AND state = 'asked' AND expires_at > :at RETURNING task_id"
)
_WAITED_FOR = text(
    "SELECT DISTINCT action FROM approval"
    " WHERE org_id = :org AND action LIKE :about AND state = 'asked' AND expires_at > :at"
)
_TASK = text("SELECT task_id FROM approval WHERE org_id = :org AND id = :id")
_SPEND = text(
    "UPDATE approval SET state = 'spent' WHERE org_id = :org AND id = :id AND state = 'approved' "
    "AND expires_at > :at AND binding = :binding"
)
_LAPSE = text(
    "UPDATE approval SET expires_at = :at WHERE org_id = :org AND task_id = :task AND state IN ('asked', 'approved') "
    "AND expires_at > :at"
)
_GIVE_BACK = text("UPDATE approval SET state = 'approved' WHERE org_id = :org AND id = :id AND state = 'spent'")
_FORGET = text("DELETE FROM approval WHERE org_id = :org AND task_id = ANY(:tasks)")
_LABEL: TypeAdapter[Label] = TypeAdapter(Label)


def bind(keyring: Keyring, action: Action[Any], *, policies: str) -> bytes:
    """The commitment an approval of `action` is bound to. `policies` is the digest of the policies that asked."""
    label = sorted(f"{name}={value!r}" for name, value in _plain(action.label).items())
    return keyring.commitment(
        "approval",
        action.binding(),
        str(action.principal.person).encode(),
        policies.encode(),
        "\n".join(label).encode(),
    )


def _plain(label: Label) -> dict[str, Any]:
    found: dict[str, Any] = _LABEL.dump_python(label, mode="json")
    return {name: sorted(value) if isinstance(value, list) else value for name, value in found.items()}


async def ask(
    session: WriteSession,
    *,
    org: OrgId,
    approval: UUID,
    task: TaskId,
    decision: DecisionId,
    call: str,
    action: str,
    binding: bytes,
    at: datetime,
    lifetime: timedelta = LIFETIME,
) -> None:
    """Put a question. It lapses after `lifetime`."""
    await session.execute(
        _INSERT,
        {
            "org": org,
            "id": approval,
            "task": task,
            "decision": decision,
            "call": call,
            "action": action,
            "binding": binding,
            "at": at,
            "until": at + lifetime,
        },
    )


async def find(session: AsyncSession, *, org: OrgId, approval: UUID, at: datetime) -> Asked:
    """The approval as it stands at `at`. Raises `NotFound`."""
    row = (await session.execute(_FIND, {"org": org, "id": approval})).one_or_none()
    if row is None:
        raise NotFound("approval")
    answer = Answer.WAITING if row.state == "asked" else Answer(row.state)
    if answer in {Answer.WAITING, Answer.APPROVED} and row.expires_at <= at:
        answer = Answer.EXPIRED
    return Asked(id=approval, answer=answer, binding=bytes(row.binding), answered_by=row.answered_by, note=row.note)


async def task_of(session: AsyncSession, org: OrgId, approval: UUID) -> TaskId:
    """The task that waits for this answer. Raises `NotFound`."""
    task = await session.scalar(_TASK, {"org": org, "id": approval})
    if task is None:
        raise NotFound("approval")
    return TaskId(task)


async def answer(
    session: WriteSession,
    org: OrgId,
    approval: UUID,
    *,
    by: PersonId,
    approved: bool,
    at: datetime,
    note: bytes | None = None,
) -> TaskId:
    """Answer a question, once. The task to go on with. `note` is sealed under the task's key.

    Raises `Conflict` when it was answered or has lapsed.
    """
    state = "approved" if approved else "declined"
    task = await session.scalar(_ANSWER, {"org": org, "id": approval, "state": state, "by": by, "at": at, "note": note})
    if task is None:
        await find(session, org=org, approval=approval, at=at)
        raise Conflict("approval")
    return TaskId(task)


async def granted(
    session: WriteSession,
    org: OrgId,
    *,
    connections: Iterable[UUID],
    by: PersonId | None,
    at: datetime,
    ended: bool = False,
) -> Sequence[TaskId]:
    """Answer every question that waits for a permission of these connected accounts. The tasks to go on with.

    `ended`: the accounts were disconnected, so nobody can give it any more. Such a question counts as spent.
    """
    about, state = [f"{STEP_UP}{each}" for each in connections], "spent" if ended else "approved"
    found = await session.execute(_GRANT, {"org": org, "actions": about, "by": by, "at": at, "state": state})
    return sorted({TaskId(each) for each in found.scalars().all()})


async def waited_for(session: AsyncSession, org: OrgId, *, at: datetime) -> frozenset[UUID]:
    """The connected accounts of which a permission is waited for."""
    found = await session.execute(_WAITED_FOR, {"org": org, "about": f"{STEP_UP}%", "at": at})
    return frozenset(UUID(each.removeprefix(STEP_UP)) for each in found.scalars())


async def give_back(session: WriteSession, *, org: OrgId, approval: UUID) -> None:
    """Make a spent approval good again, because what it was spent on did not happen. It keeps its end."""
    await session.execute(_GIVE_BACK, {"org": org, "id": approval})


async def spend(session: WriteSession, *, org: OrgId, approval: UUID, binding: bytes, at: datetime) -> bool:
    """Use an approval up. False when it is not there to be used: spent, lapsed, or for something else."""
    done = await session.execute(_SPEND, {"org": org, "id": approval, "binding": binding, "at": at})
    return bool(getattr(done, "rowcount", 0) == 1)


async def lapse(session: WriteSession, org: OrgId, task: TaskId, *, at: datetime) -> None:
    """End what is still open for a task that has ended: nobody can answer it, and no answer can be used, after `at`."""
    await session.execute(_LAPSE, {"org": org, "task": task, "at": at})


async def forget(session: WriteSession, org: OrgId, tasks: Sequence[TaskId]) -> None:
    """Delete what people were asked on behalf of these tasks, which are being deleted themselves."""
    await session.execute(_FORGET, {"org": org, "tasks": list(tasks)})


def words_of(asked: Asked, keyring: Keyring) -> tuple[str, str]:
    """Why an approval does not let the action happen, and what to do: the person's own words where they left some."""
    reasons = {Answer.DECLINED: "a person declined it", Answer.EXPIRED: "nobody agreed in time"}
    reason = reasons.get(asked.answer, "what was agreed to is not what would be done now")
    if asked.note is None:
        return reason, "Ask again if it is still wanted."
    return reason, f"They said: {keyring.open_text(asked.note, row=asked.id, field=NOTE)}"
