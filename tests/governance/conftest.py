"""A gate over the bells room, on a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from joule.database.engine import Database
from joule.governance.gate import Gate, TaskGate
from joule.governance.policy import Policy
from joule.kernel.ids import OrgId, PersonId, TaskId, new_id
from joule.kernel.permit import Permits
from joule.kernel.principal import Principal, Role, Via
from joule.vault.vault import Vault
from tests.support import bells
from tests.support.bells import BellsHandler
from tests.support.clock import StoppedClock
from traces.journal import TaskJournal
from traces.opening import Journals


@dataclass(kw_only=True)
class Tower:
    """Everything a test of the gate uses."""

    gate: Gate
    journals: Journals
    handler: BellsHandler
    permits: Permits
    database: Database
    vault: Vault
    clock: StoppedClock
    org: OrgId
    open: Callable[..., Awaitable[TaskGate]]

    def someone(self, role: Role = Role.MEMBER, via: Via = Via.AGENT) -> Principal:
        return Principal(org=self.org, person=PersonId(new_id()), role=role, via=via)


@pytest.fixture
async def tower(
    database: Database, vault: Vault, clock: StoppedClock, org: OrgId, owner_url: str
) -> AsyncIterator[Tower]:
    bells.make_table(owner_url)
    permits = Permits(clock=clock)
    handler = BellsHandler(admission=permits)
    policy = Policy(bells.POLICY, actions=bells.ACTIONS)
    gate = Gate(policy=policy, permits=permits, handlers=[handler], clock=clock)
    journals = Journals(database=database, vault=vault, clock=clock)
    opened: list[TaskJournal] = []

    async def open_task(task: TaskId | None = None, *, attempt: int = 1, words: str = "") -> TaskGate:
        journal = await journals.open(org, task or TaskId(new_id()), attempt=attempt, retention="90d")
        opened.append(journal)
        return gate.over(journal, words=words)

    yield Tower(
        gate=gate,
        journals=journals,
        handler=handler,
        permits=permits,
        database=database,
        vault=vault,
        clock=clock,
        org=org,
        open=open_task,
    )
    for journal in opened:
        await journal.close()
