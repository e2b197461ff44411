"""Knows which permission of a connected account a task waits for, from its own journal; and lets it wait no longer."""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from integrations.stepping import Lacking
from joule.database.engine import ReadSession, WriteSession
from joule.governance import approvals
from joule.governance.approvals import Answer
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId
from joule.tasks import granting, queries
from joule.tasks.dispatch import Dispatcher, Queue
from joule.vault.vault import Vault
from traces import reader, sealing


@dataclass(frozen=True, kw_only=True)
class WaitingTasks:
    """What the tasks of an organisation wait for."""

    vault: Vault
    clock: Clock
    dispatcher: Dispatcher = field(default_factory=Queue)

    async def disconnected(
        self, session: WriteSession, org: OrgId, connections: Collection[UUID], *, by: PersonId | None
    ) -> None:
        """Have the tasks that wait for a permission of these accounts go on without it."""
        await granting.go_on(
            session,
            org,
            connections=connections,
            by=by,
            at=self.clock.now(),
            dispatcher=self.dispatcher,
            ended=True,
        )

    async def waited_for(self, session: AsyncSession, org: OrgId) -> frozenset[UUID]:
        """The connected accounts of which some task waits for a permission."""
        return await approvals.waited_for(session, org, at=self.clock.now())

    async def lacking(self, session: ReadSession, org: OrgId, question: UUID) -> Lacking:
        """The open question. Raises `NotFound` for one that is answered, has lapsed or is about something else."""
        task = await approvals.task_of(session, org, question)
        found = await approvals.find(session, org=org, approval=question, at=self.clock.now())
        if found.answer is not Answer.WAITING:
            raise NotFound("approval")
        facts = await queries.facts(session, org, task)
        ring = await sealing.ring(session, self.vault, org, task)
        events = await reader.events(session, ring, org, task)
        asked = next((each for each in events if each.attrs.get("approval_id") == str(question)), None)
        grant = None if asked is None else asked.content.get("grant")
        if not grant:
            raise NotFound("approval")
        return Lacking(
            task=task,
            person=facts.author,
            connection=UUID(grant["connection"]),
            scopes=tuple(str(each) for each in grant["scopes"]),
            back=f"/projects/{facts.project}/threads/{facts.thread}",
        )
