"""This room's only way in: replays one task of the organisation that asks."""

from collections.abc import Callable, Mapping
from typing import Any

from joule.database.engine import Database
from joule.governance.policy import Policy
from joule.kernel.action import Action
from joule.kernel.errors import NotFound
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit
from joule.kernel.settings import TaskSettings
from joule.replay.actions import ReplayTask
from joule.replay.report import ReplayReport
from joule.vault.vault import Vault
from traces import reader


class ReplayHandler:
    """Replays. Holds no handler of another room, and no model."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        policy: Callable[[], Policy],
        settings: TaskSettings,
    ) -> None:
        """`policy` gives the policies in force; it is asked at each replay."""
        self._admission, self._database, self._vault = admission, database, vault
        self._policy, self._settings = policy, settings

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
            keyring = await self._vault.keyring(session, org, state.subject)
            events = await reader.events(session, keyring, org, action.task)
        return await replay(
            events,
            org=org,
            task=action.task,
            keyring=keyring,
            policy=self._policy(),
            settings=self._settings,
        )
