"""The only way in to access: asks, answers, ends it, and writes down each read before it can happen.

What policy allows by role is narrowed here to what holds between two people and one task: nobody answers their own
request, support reads under a live grant of its own alone, and what is over stays over.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.handler import Method
from joule.kernel.ids import PersonId, TaskId, new_id
from joule.kernel.permit import Admission, Permit
from joule.kernel.principal import Role
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault
from traces import reader, sealing
from traces.grants import _store
from traces.grants._store import ASKED, BREAK_GLASS, REQUEST
from traces.grants.actions import (
    MOST_BREAK_GLASS_HOURS,
    MOST_HOURS,
    AcknowledgeAccess,
    BreakGlass,
    DeclineAccess,
    ExportAudit,
    ExportTimeline,
    ForgetAccess,
    GrantAccess,
    ReadContent,
    RequestAccess,
    RevokeAccess,
    SecondBreakGlass,
    WithdrawAccess,
)
from traces.grants.errors import AccessOver, BadRequestForAccess, NoAccess
from traces.grants.parts import EVERYTHING, Part
from traces.grants.results import (
    AccessAsked,
    AccessEnded,
    AccessForgotten,
    AccessOpened,
    ContentOpened,
    ExportStarted,
)
from traces.grants.tables import REASON, ContentAccessRow, ContentReadRow

log = logging.getLogger("joule.traces")

LONGEST_REASON = 1_000  # characters


class GrantsHandler:
    """Asks for, gives, ends and uses access to content."""

    def __init__(self, *, admission: Admission, vault: Vault, clock: Clock) -> None:
        self._admission, self._vault, self._clock = admission, vault, clock

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            RequestAccess: self.request_access,
            BreakGlass: self.break_glass,
            SecondBreakGlass: self.second_break_glass,
            GrantAccess: self.grant_access,
            DeclineAccess: self.decline_access,
            RevokeAccess: self.revoke_access,
            WithdrawAccess: self.withdraw_access,
            AcknowledgeAccess: self.acknowledge_access,
            ReadContent: self.read_content,
            ExportAudit: self.export_audit,
            ExportTimeline: self.export_timeline,
            ForgetAccess: self.forget_access,
        }

    async def request_access(self, permit: Permit, action: RequestAccess, session: WriteSession) -> AccessAsked:
        self._admission.admit(permit, action)
        return await self._ask(permit, action, session, kind=REQUEST, most=MOST_HOURS)

    async def break_glass(self, permit: Permit, action: BreakGlass, session: WriteSession) -> AccessAsked:
        self._admission.admit(permit, action)
        return await self._ask(permit, action, session, kind=BREAK_GLASS, most=MOST_BREAK_GLASS_HOURS)

    async def second_break_glass(self, permit: Permit, action: SecondBreakGlass, session: WriteSession) -> AccessOpened:
        self._admission.admit(permit, action)
        row = await self._waiting(session, action, action.access, BREAK_GLASS)
        log.warning("a break-glass was opened: access %s to task %s", row.id, row.task_id)
        return self._open(permit, row, _who(action), parts=row.asked_parts, hours=row.asked_hours)

    async def grant_access(self, permit: Permit, action: GrantAccess, session: WriteSession) -> AccessOpened:
        self._admission.admit(permit, action)
        row = await self._waiting(session, action, action.access, REQUEST)
        parts = [part.value for part in action.parts] or row.asked_parts
        hours = row.asked_hours if action.hours is None else action.hours
        if not set(parts) <= set(row.asked_parts):
            raise BadRequestForAccess(
                "more would be granted than was asked for", advice="Grant what was asked or less."
            )
        _check_hours(hours, MOST_HOURS)
        return self._open(permit, row, _who(action), parts=parts, hours=hours)

    async def decline_access(self, permit: Permit, action: DeclineAccess, session: WriteSession) -> AccessEnded:
        self._admission.admit(permit, action)
        row = await self._waiting(session, action, action.access, REQUEST)
        row.answered_by, row.answered_at = _who(action), self._clock.now()
        return self._end(permit, row, _who(action), "declined")

    async def revoke_access(self, permit: Permit, action: RevokeAccess, session: WriteSession) -> AccessEnded:
        self._admission.admit(permit, action)
        return self._end(permit, await self._row(session, action, action.access), _who(action), "revoked")

    async def withdraw_access(self, permit: Permit, action: WithdrawAccess, session: WriteSession) -> AccessEnded:
        self._admission.admit(permit, action)
        row = await self._row(session, action, action.access)
        if _who(action) not in _store.people_of(row):
            raise NotFound("request for access")
        return self._end(permit, row, _who(action), "withdrawn")

    async def acknowledge_access(self, permit: Permit, action: AcknowledgeAccess, session: WriteSession) -> AccessEnded:
        self._admission.admit(permit, action)
        row = await self._row(session, action, action.access)
        if row.seen_at is None:
            row.seen_by, row.seen_at, row.decision_id = _who(action), self._clock.now(), permit.decision
        return AccessEnded(access=row.id, task=TaskId(row.task_id))

    async def read_content(self, permit: Permit, action: ReadContent, session: WriteSession) -> ContentOpened:
        self._admission.admit(permit, action)
        org, role, now = action.principal.org, action.principal.role, self._clock.now()
        if await reader.chain_of(session, org, action.task) is None:
            raise NotFound("task")
        access: UUID | None = None
        parts: Collection[Part] = action.parts or EVERYTHING
        if role is Role.SUPPORT:
            access, parts = await self._under_a_grant(session, action)
        elif role not in {Role.OWNER, Role.ADMIN}:
            raise NoAccess(action.name, reason="the role of this person has no access to content")
        read = ContentReadRow(
            org_id=org,
            id=new_id(),
            task_id=action.task,
            access_id=access,
            reader_id=_who(action),
            role=role.value,
            parts=[part.value for part in Part if part in parts],
            at=now,
            forget_at=now + _store.KEPT,
            decision_id=permit.decision,
        )
        session.add(read)
        await session.flush()
        return ContentOpened(
            read=read.id, task=action.task, parts=tuple(part for part in Part if part in parts), access=access
        )

    async def export_audit(self, permit: Permit, action: ExportAudit) -> ExportStarted:
        self._admission.admit(permit, action)
        return ExportStarted(at=self._clock.now())

    async def export_timeline(self, permit: Permit, action: ExportTimeline) -> ExportStarted:
        self._admission.admit(permit, action)
        return ExportStarted(at=self._clock.now())

    async def forget_access(self, permit: Permit, action: ForgetAccess, session: WriteSession) -> AccessForgotten:
        self._admission.admit(permit, action)
        return await _store.forget(session, action.principal.org, now=self._clock.now())

    async def _ask(
        self, permit: Permit, action: RequestAccess | BreakGlass, session: WriteSession, *, kind: str, most: int
    ) -> AccessAsked:
        org, now, who = action.principal.org, self._clock.now(), _who(action)
        reason = action.reason.strip()
        if not action.parts or not 0 < len(reason) <= LONGEST_REASON:
            raise BadRequestForAccess(
                "a request names at least one part of the content and says what for",
                advice=f"Choose what you need to read, and write why in at most {LONGEST_REASON} characters.",
            )
        _check_hours(action.hours, most)
        state = await reader.chain_of(session, org, action.task)
        if state is None:
            raise NotFound("task")
        try:
            keyring = await sealing.ring_of(session, self._vault, org, action.task, state.subject)
        except (NoKey, Shredded) as gone:
            raise BadRequestForAccess(
                "the content of this task has been erased", advice="There is nothing left to read; its steps stay."
            ) from gone
        await _store.end_lapsed(session, org, action.task, by=who, now=now, decision=permit.decision)
        if await _store.has_open(session, org, action.task, who, kind):
            raise AccessOver()
        access = new_id()
        row = ContentAccessRow(
            org_id=org,
            id=access,
            task_id=action.task,
            kind=kind,
            state=ASKED,
            asked_by=who,
            asked_at=now,
            asked_parts=[part.value for part in Part if part in action.parts],
            asked_hours=action.hours,
            reason=keyring.seal_text(reason, row=access, field=REASON),
            parts=[],
            forget_at=now + _store.KEPT,
            decision_id=permit.decision,
        )
        session.add(row)
        await session.flush()
        return AccessAsked(access=access, task=action.task)

    async def _under_a_grant(self, session: WriteSession, action: ReadContent) -> tuple[UUID, Collection[Part]]:
        """The live grant that allows this read, locked so that a revocation comes before it or after, never between."""
        now = self._clock.now()
        for row in await _store.live(session, action.principal.org, action.task, _who(action), now=now):
            granted = {Part(each) for each in row.parts}
            if granted.issuperset(action.parts):
                return row.id, action.parts or granted
        raise NoAccess(action.name, reason="the organisation has not granted this, or the grant is over")

    async def _row(self, session: WriteSession, action: Action[Any], access: UUID) -> ContentAccessRow:
        row = await _store.locked(session, action.principal.org, access)
        if row is None:
            raise NotFound("request for access")
        return row

    async def _waiting(self, session: WriteSession, action: Action[Any], access: UUID, kind: str) -> ContentAccessRow:
        """A request that still waits for an answer from this person, who is not the one who asked."""
        row = await self._row(session, action, access)
        if row.kind != kind:
            raise NotFound("request for access")
        if row.state != ASKED or row.asked_at + _store.WAITS[kind] <= self._clock.now():
            raise AccessOver()
        if row.asked_by == _who(action):
            raise NoAccess(
                action.name,
                reason="nobody answers their own request",
                advice="It takes a second person: ask a colleague.",
            )
        return row

    def _open(
        self, permit: Permit, row: ContentAccessRow, by: PersonId, *, parts: list[str], hours: int
    ) -> AccessOpened:
        now = self._clock.now()
        row.state, row.parts, row.answered_by, row.answered_at = "granted", list(parts), by, now
        row.expires_at = now + timedelta(hours=hours)
        row.forget_at, row.decision_id = row.expires_at + _store.KEPT, permit.decision
        return AccessOpened(
            access=row.id,
            task=TaskId(row.task_id),
            parts=tuple(Part(each) for each in parts),
            expires_at=row.expires_at,
        )

    def _end(self, permit: Permit, row: ContentAccessRow, by: PersonId, state: str) -> AccessEnded:
        if row.state in _store.OPEN:
            row.state, row.ended_by, row.ended_at = state, by, self._clock.now()
            row.forget_at, row.decision_id = self._clock.now() + _store.KEPT, permit.decision
        return AccessEnded(access=row.id, task=TaskId(row.task_id))


def _who(action: Action[Any]) -> PersonId:
    if action.principal.person is None:
        raise NoAccess(action.name, reason="nobody in particular asks for this")
    return action.principal.person


def _check_hours(hours: int, most: int) -> None:
    if not 1 <= hours <= most:
        raise BadRequestForAccess(
            f"access is for 1 to {most} hours", advice=f"Choose a time of at most {most} hours; it can be asked again."
        )
