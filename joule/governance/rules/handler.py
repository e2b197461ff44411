"""The only way in to organisations' own policies."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text

from joule.database.engine import WriteSession
from joule.governance.errors import PolicyInvalid
from joule.governance.policy import Policy, titles
from joule.governance.rules import _versions, actions
from joule.governance.rules._versions import SOURCE, Stored
from joule.governance.rules.errors import DraftUnusable
from joule.governance.rules.results import PolicyChanged, RolledBack, State
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import Conflict, Invalid, NotFound
from joule.kernel.handler import Method
from joule.kernel.ids import OrgId, new_id
from joule.kernel.permit import Admission, Permit
from joule.vault.vault import Vault

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('policies ' || CAST(:org AS text), 0))")
_NUMBER = text("SELECT coalesce(max(number), 0) + 1 FROM policy_version WHERE org_id = :org")
_ADD = text(
    "INSERT INTO policy_version (org_id, id, number, state, source, policies, saved_at, saved_by, changed_at, changed_by,"
    " decision_id) VALUES (:org, :id, :number, 'draft', :source, :policies, :at, :by, :at, :by, :decision)"
)
_SAVE = text(
    "UPDATE policy_version SET source = :source, policies = :policies, saved_at = :at, saved_by = :by, changed_at = :at,"
    " changed_by = :by, decision_id = :decision WHERE org_id = :org AND id = :id"
)
_MOVE = text(
    "UPDATE policy_version SET state = :state, replaces = coalesce(:replaces, replaces), changed_at = :at,"
    " changed_by = :by, decision_id = :decision WHERE org_id = :org AND id = :id"
)
_DROP = text("DELETE FROM policy_version WHERE org_id = :org AND id = :id")


class RulesHandler:
    """Drafts, tries, enforces and rolls back."""

    def __init__(self, *, admission: Admission, vault: Vault, clock: Clock, policy: Callable[[], Policy]) -> None:
        """`policy` gives the policies Joule comes with."""
        self._admission, self._vault, self._clock, self._policy = admission, vault, clock, policy

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            actions.DraftPolicy: self.draft_policy,
            actions.DiscardPolicy: self.discard_policy,
            actions.PublishPolicy: self.publish_policy,
            actions.EnforcePolicy: self.enforce_policy,
            actions.WithdrawPolicy: self.withdraw_policy,
            actions.RollBackPolicy: self.roll_back_policy,
        }

    async def draft_policy(self, permit: Permit, action: actions.DraftPolicy, session: WriteSession) -> PolicyChanged:
        self._admission.admit(permit, action)
        if len(action.text) > actions.LONGEST:
            raise Invalid("a draft is too long", advice=f"Keep it under {actions.LONGEST:,} characters.")
        try:
            self._policy().restricted(action.text, prefix="own.draft")
        except PolicyInvalid as problem:
            raise DraftUnusable() from problem
        org, policies = action.principal.org, len(titles(action.text))
        await session.execute(_LOCK, {"org": org})
        there = await _versions.in_state(session, org, State.DRAFT)
        version = there.id if there else new_id()
        number = there.number if there else int(await session.scalar(_NUMBER, {"org": org}) or 1)
        keyring = await self._vault.keyring(session, org, create=True)
        about = {
            "org": org,
            "id": version,
            "source": keyring.seal_text(action.text, row=version, field=SOURCE),
            "policies": policies,
            "at": self._clock.now(),
            "by": action.principal.person,
            "decision": permit.decision,
        }
        await session.execute(_SAVE if there else _ADD, about if there else {**about, "number": number})
        return PolicyChanged(version=version, number=number, state=State.DRAFT, policies=policies)

    async def discard_policy(
        self, permit: Permit, action: actions.DiscardPolicy, session: WriteSession
    ) -> PolicyChanged:
        self._admission.admit(permit, action)
        found = await self._expected(session, action.principal.org, action.version, State.DRAFT)
        await session.execute(_DROP, {"org": action.principal.org, "id": found.id})
        return _changed(found, State.RETIRED)

    async def publish_policy(
        self, permit: Permit, action: actions.PublishPolicy, session: WriteSession
    ) -> PolicyChanged:
        self._admission.admit(permit, action)
        found = await self._expected(session, action.principal.org, action.version, State.DRAFT)
        on_trial = await _versions.in_state(session, action.principal.org, State.TRIAL)
        if on_trial is not None:
            await self._move(session, permit, on_trial, State.RETIRED)
        await self._move(session, permit, found, State.TRIAL)
        return _changed(found, State.TRIAL)

    async def enforce_policy(
        self, permit: Permit, action: actions.EnforcePolicy, session: WriteSession
    ) -> PolicyChanged:
        self._admission.admit(permit, action)
        found = await self._expected(session, action.principal.org, action.version, State.TRIAL)
        before = await _versions.in_state(session, action.principal.org, State.ENFORCED)
        if before is not None:
            await self._move(session, permit, before, State.RETIRED)
        await self._move(session, permit, found, State.ENFORCED, replaces=before.id if before else None)
        return _changed(found, State.ENFORCED)

    async def withdraw_policy(
        self, permit: Permit, action: actions.WithdrawPolicy, session: WriteSession
    ) -> PolicyChanged:
        self._admission.admit(permit, action)
        found = await self._expected(session, action.principal.org, action.version, State.TRIAL)
        await self._move(session, permit, found, State.RETIRED)
        return _changed(found, State.RETIRED)

    async def roll_back_policy(
        self, permit: Permit, action: actions.RollBackPolicy, session: WriteSession
    ) -> RolledBack:
        self._admission.admit(permit, action)
        org = action.principal.org
        await session.execute(_LOCK, {"org": org})
        found = await _versions.in_state(session, org, State.ENFORCED)
        if found is None:
            raise NotFound("policy in force")
        await self._move(session, permit, found, State.RETIRED)
        former = await _versions.one(session, org, found.replaces) if found.replaces else None
        if former is not None:
            await self._move(session, permit, former, State.ENFORCED)
        return RolledBack(version=found.id, number=found.number, restored=former.number if former else None)

    async def _expected(self, session: WriteSession, org: OrgId, version: UUID, state: State) -> Stored:
        await session.execute(_LOCK, {"org": org})
        found = await _versions.one(session, org, version)
        if found is None:
            raise NotFound("policy version")
        if found.state is not state:
            raise Conflict("policy version")
        return found

    async def _move(
        self, session: WriteSession, permit: Permit, version: Stored, state: State, *, replaces: UUID | None = None
    ) -> None:
        who = permit.action.principal
        about = {"at": self._clock.now(), "by": who.person, "decision": permit.decision}
        await session.execute(
            _MOVE, {**about, "org": who.org, "id": version.id, "state": state.value, "replaces": replaces}
        )


def _changed(version: Stored, state: State) -> PolicyChanged:
    return PolicyChanged(version=version.id, number=version.number, state=state, policies=version.policies)
