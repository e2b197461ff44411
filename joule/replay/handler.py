"""This room's only way in: replays tasks of the organisation that asks, and judges its decisions again."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database, WriteSession
from joule.governance.policy import Policy
from joule.governance.rules.rulebook import Rulebook
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.handler import Method
from joule.kernel.ids import OrgId
from joule.kernel.permit import Admission, Permit
from joule.kernel.settings import TaskSettings
from joule.replay import _what_ifs
from joule.replay.access import MayRead
from joule.replay.actions import (
    LONGEST_SPAN,
    AskWhatIfOfTask,
    BeginWhatIf,
    ForgetWhatIfs,
    GoOnWithWhatIf,
    ReplayTask,
)
from joule.replay.judging import TaskWhatIf, decisions_of
from joule.replay.report import ReplayReport
from joule.replay.results import WhatIfProgress, WhatIfsForgotten
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
        return {
            ReplayTask: self.replay_task,
            AskWhatIfOfTask: self.what_if_of_task,
            BeginWhatIf: self.begin_what_if,
            GoOnWithWhatIf: self.go_on_with_what_if,
            ForgetWhatIfs: self.forget_what_ifs,
        }

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

    async def what_if_of_task(self, permit: Permit, action: AskWhatIfOfTask) -> TaskWhatIf:
        self._admission.admit(permit, action)
        org = action.principal.org
        async with self._database.read(org) as session:
            events = await reader.events(session, None, org, action.task)
            policy, number = await self._asked(session, org, action.version)
        if not events:
            raise NotFound("task")
        return TaskWhatIf(task=action.task, number=number, lines=decisions_of(events, policy))

    async def begin_what_if(self, permit: Permit, action: BeginWhatIf, session: WriteSession) -> WhatIfProgress:
        self._admission.admit(permit, action)
        if not 1 <= action.days <= LONGEST_SPAN:
            raise Invalid(
                f"a what-if looks back 1 to {LONGEST_SPAN} days", advice="Choose a number of days in between."
            )
        policy, number = await self._asked(session, action.principal.org, action.version)
        return await _what_ifs.begin(session, permit, action, policy, number, at=self._clock.now())

    async def go_on_with_what_if(self, permit: Permit, action: GoOnWithWhatIf, session: WriteSession) -> WhatIfProgress:
        self._admission.admit(permit, action)
        org = action.principal.org
        row = await _what_ifs.locked(session, org, action.what_if)
        policy, number = await self._asked(session, org, row.version)
        return await _what_ifs.go_on(session, permit, row, policy, number, at=self._clock.now())

    async def forget_what_ifs(self, permit: Permit, action: ForgetWhatIfs, session: WriteSession) -> WhatIfsForgotten:
        self._admission.admit(permit, action)
        return WhatIfsForgotten(reports=await _what_ifs.forget(session, action.principal.org, before=self._clock.now()))

    async def _asked(self, session: AsyncSession, org: OrgId, version: UUID | None) -> tuple[Policy, int]:
        """The policies with one version of the organisation's own, or those in force."""
        if version is not None:
            return await self._rulebook.with_version(session, org, self._policy(), version)
        rules = await self._rulebook.of(org, self._policy())
        return rules.policy, rules.number
