"""This room's only way in: replays one task of the organisation that asks."""

from collections.abc import Callable, Mapping
from typing import Any

from joule.database.engine import Database
from joule.governance.policy import Policy
from joule.governance.rules.rulebook import Rulebook
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit
from joule.kernel.settings import TaskSettings
from joule.replay.access import MayRead
from joule.replay.actions import ReplayTask
from joule.replay.report import ReplayReport
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault
from traces import reader, sealing


class ReplayHandler:
    """Replays. Holds no handler of another room, and no model."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        policy: Callable[[], Policy],
        rulebook: Rulebook,
        settings: TaskSettings,
        may_read: MayRead,
    ) -> None:
        """`policy` gives those Joule comes with, `rulebook` organisations' own; `may_read` says who sees content."""
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._policy, self._rulebook, self._settings, self._may_read = policy, rulebook, settings, may_read

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {ReplayTask: self.replay_task}

    async def replay_task(self, permit: Permit, action: ReplayTask) -> ReplayReport:
        self._admission.admit(permit, action)
        from joule.replay.replaying import replay  # the agent's graph is loaded only by who replays

        org = action.principal.org
        async with self._database.read(org) as session:
            state = await reader.chain_of(session, org, action.task)
            if state is None:
                raise NotFound("task")
            try:
                keyring = await sealing.ring_of(session, self._vault, org, action.task, state.subject)
            except (NoKey, Shredded):
                keyring = None
            events = await reader.events(session, keyring, org, action.task)
            reads = await self._may_read(session, action.principal, action.task) if action.values else frozenset()
        rules = await self._rulebook.of(org, self._policy())
        return await replay(
            events,
            org=org,
            task=action.task,
            keyring=keyring,
            policy=rules.policy,
            settings=self._settings,
            lenient=action.lenient,
            reads=reads,
        )
