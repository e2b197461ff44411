"""Under which keys the content of a chain is sealed, and the ring of them.

Each is sealed under two keys at once: that of its day, which ends with the retention the organisation chose, and that of
the task or person it belongs to, which ends with their erasure. When either is destroyed nothing opens any more. So a
whole day of an organisation ends with one key, and so do all commands of one person.

A chain says so in its `key_subject`: `task:<id>@<day>` of a task, `day:<day>/person:<id>` of what a person did by hand,
`day:<day>` of what the system did. Chains of older versions say `task:<id>`, and stand under that key alone.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.vault.errors import NoKey, Shredded
from joule.vault.keys import Keyring
from joule.vault.vault import Vault

_SUBJECT = text("SELECT key_subject FROM trace_chain WHERE org_id = :org AND task_id = :task")


@dataclass(frozen=True, kw_only=True)
class Sealing:
    """The subjects in the vault a chain is sealed under: that of its `owner`, and that of its `day`. "": none."""

    owner: str = ""
    day: str = ""

    @property
    def subject(self) -> str:
        """As the chain's row says it."""
        if not self.owner or not self.day:
            return self.owner or self.day
        if self.owner.startswith("task:"):
            return f"{self.owner}@{self.day.removeprefix('day:')}"
        return f"{self.day}/{self.owner}"


def of_task(task: TaskId, at: datetime) -> Sealing:
    """How the journal of a task that begins at `at` is sealed."""
    return Sealing(owner=f"task:{task}", day=day_of(at.date()))


def of_command(person: PersonId | None, at: datetime) -> Sealing:
    """How the journal of one command is sealed."""
    return Sealing(owner="" if person is None else of_person(person), day=day_of(at.date()))


def of_person(person: PersonId) -> str:
    """The subject of whatever a person did by hand."""
    return f"person:{person}"


def day_of(day: date) -> str:
    """The subject of one UTC day of an organisation."""
    return f"day:{day:%Y-%m-%d}"


def held(task: TaskId) -> str:
    """The subject under which the keys of one chain are kept while it is on hold, after its day has ended."""
    return f"held:{task}"


def read(subject: str) -> Sealing:
    """What a chain's `key_subject` says."""
    owner, at, day = subject.partition("@")
    if at:
        return Sealing(owner=owner, day=f"day:{day}")
    day, _, owner = subject.partition("/")
    return Sealing(owner=owner, day=day) if day.startswith("day:") else Sealing(owner=day)


async def open_ring(
    session: AsyncSession, vault: Vault, org: OrgId, sealing: Sealing, *, create: bool = False
) -> Keyring:
    """The ring of `sealing`, without asking whether it is held. Raises `NoKey` or `Shredded`."""
    if sealing.owner and sealing.day:
        return await vault.keyring(session, org, sealing.owner, under=sealing.day, create=create)
    return await vault.keyring(session, org, sealing.owner or sealing.day, create=create)


async def ring_of(session: AsyncSession, vault: Vault, org: OrgId, task: TaskId, subject: str) -> Keyring:
    """The ring of a chain whose `key_subject` is at hand (`ChainState.subject`). Raises `NoKey` or `Shredded`."""
    try:
        return await open_ring(session, vault, org, read(subject))
    except Shredded:
        try:
            return await vault.keyring(session, org, held(task))
        except NoKey:
            pass
        raise


async def ring(session: AsyncSession, vault: Vault, org: OrgId, task: TaskId) -> Keyring:
    """The ring that opens the journal of `task`. Raises `NotFound` without a journal, `NoKey` or `Shredded`."""
    subject = await session.scalar(_SUBJECT, {"org": org, "task": task})
    if subject is None:
        raise NotFound("task")
    return await ring_of(session, vault, org, task, str(subject))
