"""This room's only way in: chooses what is kept, holds it, and erases it, each with a receipt."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text

from joule.database.engine import Database, WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid, NotFound
from joule.kernel.handler import Method
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.kernel.permit import Admission, Permit
from joule.kernel.principal import Role
from joule.privacy import exporting, receipts
from joule.privacy._expiring import Expiring
from joule.privacy.actions import (
    Erased,
    EraseOrganisation,
    ErasePerson,
    EraseTask,
    ExportPerson,
    HoldLifted,
    HoldPlaced,
    LiftHold,
    PersonExport,
    PlaceHold,
    RetentionSet,
    SetRetention,
    Sweep,
    Swept,
    Went,
)
from joule.privacy.errors import NotTheirs, ProvidersUntold
from joule.privacy.parts import Rooms
from joule.vault.vault import Vault
from traces import reader, sealing
from traces.ending import erasing, holds, partitions, rules
from traces.ending.erasing import Cause
from traces.ending.holds import Scope
from traces.proof.signing import Signing

MAX_REASON = 500

_PERSON = text("SELECT 1 FROM person WHERE org_id = :org AND id = :person")
_ROWS = text("SELECT relation, rows FROM organisation_erase(:org)")


class PrivacyHandler:
    """Ends things, before their time and at it."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        signing: Signing,
        rooms: Rooms,
        retention: str,
    ) -> None:
        """`retention`: the class of the journal of organisations that have chosen none."""
        self._admission, self._database, self._vault, self._clock = admission, database, vault, clock
        self._signing, self._rooms, self._retention = signing, rooms, retention
        self._expiring = Expiring(vault=vault, default=retention)

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            SetRetention: self.set_retention,
            PlaceHold: self.place_hold,
            LiftHold: self.lift_hold,
            EraseTask: self.erase_task,
            ErasePerson: self.erase_person,
            EraseOrganisation: self.erase_organisation,
            Sweep: self.sweep,
            ExportPerson: self.export_person,
        }

    async def set_retention(self, permit: Permit, action: SetRetention, session: WriteSession) -> RetentionSet:
        """Raises `Invalid` for days that cannot be chosen."""
        self._admission.admit(permit, action)
        org, now = action.principal.org, self._clock.now()
        rule = await rules.choose(
            session,
            org,
            action.days,
            default=self._retention,
            by=action.principal.person,
            at=now,
            decision=permit.decision,
        )
        retention = rules.class_for(rule.days)
        await partitions.ensure(session, retention, now=now)  # else the first command of tomorrow could not be written
        return RetentionSet(days=rule.days, from_day=rule.from_day, retention=retention)

    async def place_hold(self, permit: Permit, action: PlaceHold, session: WriteSession) -> HoldPlaced:
        """Raises `NotFound` for a person or task there is not, `Invalid` without a reason or for a hold there is."""
        self._admission.admit(permit, action)
        org, reason = action.principal.org, " ".join(action.reason.split())
        if not reason or len(reason) > MAX_REASON:
            raise Invalid("a hold needs a reason", advice=f"Say why in 1 to {MAX_REASON} characters.")
        await self._must_be(session, org, action.scope, action.subject)
        hold = await holds.place(
            session,
            await self._vault.keyring(session, org),
            org,
            scope=action.scope,
            subject=action.subject,
            reason=reason,
            by=action.principal.person,
            at=self._clock.now(),
            decision=permit.decision,
        )
        return HoldPlaced(hold=hold.id)

    async def lift_hold(self, permit: Permit, action: LiftHold, session: WriteSession) -> HoldLifted:
        """Raises `NotFound`."""
        self._admission.admit(permit, action)
        now = self._clock.now()
        who = action.principal
        hold = await holds.lift(session, who.org, action.hold, by=who.person, at=now, decision=permit.decision)
        return HoldLifted(hold=hold.id, lifted_at=hold.lifted_at or now)

    async def erase_task(self, permit: Permit, action: EraseTask, session: WriteSession) -> Erased:
        """Raises `NotFound`, `NotTheirs` or `OnHold`."""
        self._admission.admit(permit, action)
        who = action.principal
        author = await self._rooms.author(session, who.org, action.task)
        if who.person != author and who.role not in {Role.OWNER, Role.ADMIN}:
            raise NotTheirs()
        went = await self._rooms.erase_task(session, permit, who, action.task)
        stays = ("steps", "others", "providers", "backups", "pages")
        return await self._receipt(session, permit, action, "task", action.task, went, stays)

    async def erase_person(self, permit: Permit, action: ErasePerson, session: WriteSession) -> Erased:
        """Raises `NotFound`, `OnHold`, or `LastOwner` for the last owner there is."""
        self._admission.admit(permit, action)
        who, person = action.principal, action.person
        await self._must_be(session, who.org, Scope.PERSON, person)
        await holds.may_end(session, who.org, persons=(person,))
        went: dict[str, int] = {}
        for erase in self._rooms.erase_person:
            for name, count in (await erase(session, permit, who, person, action.with_files)).items():
                went[name] = went.get(name, 0) + count
        went["keys"] = await erasing.erase(
            session,
            self._vault,
            who.org,
            sealing.of_person(person),
            cause=Cause.REQUEST,
            by=who.person,
            at=self._clock.now(),
            decision=permit.decision,
        )
        files = await self._rooms.brought_in(session, who.org, person)
        stays = ("ids", "steps", "others", *(("files",) if files else ()), "artifacts", "providers", "backups", "pages")
        return await self._receipt(session, permit, action, "person", person, went, stays)

    async def erase_organisation(self, permit: Permit, action: EraseOrganisation, session: WriteSession) -> Erased:
        """Raises `OnHold` while there is any hold at all, or `ProvidersUntold`."""
        self._admission.admit(permit, action)
        org = action.principal.org
        await holds.may_end(session, org, whole=True)
        untold = await self._rooms.untold(session, org)
        if untold and not action.leave_untold:
            raise ProvidersUntold(untold)
        went = dict(await self._rooms.end_outside(session, org))
        went["keys"] = await erasing.erase(
            session,
            self._vault,
            org,
            "",
            cause=Cause.REQUEST,
            by=action.principal.person,
            at=self._clock.now(),
            decision=permit.decision,
        )
        for relation, rows in (await session.execute(_ROWS, {"org": org})).all():
            went[f"rows.{relation}"] = int(rows)
        session.expunge_all()  # what was read of those rows is no row any more
        stays = ("steps", "providers", "backups", "pages")
        return await self._receipt(session, permit, action, "organisation", org, went, stays)

    async def sweep(self, permit: Permit, action: Sweep, session: WriteSession) -> Swept:
        """Nothing that is due is no error, nor is a hold: it is waited for."""
        self._admission.admit(permit, action)
        org, now = action.principal.org, self._clock.now()
        ended = await self._expiring.expire(session, org, now=now, decision=permit.decision)
        if ended.days:
            went = {"days": ended.days, "model_calls": ended.calls}
            stays = ("steps", *(("held",) if ended.kept else ()), "backups")
            await self._receipt(session, permit, action, "retention", None, went, stays)
        return Swept(days=ended.days, held=ended.kept, calls=ended.calls, more=ended.more)

    async def export_person(self, permit: Permit, action: ExportPerson) -> PersonExport:
        """Raises `NotFound` or `NotTheirs`. The package itself is made by `exporting.package`, after this is on record."""
        self._admission.admit(permit, action)
        who = action.principal
        if who.person != action.person and who.role not in {Role.OWNER, Role.ADMIN}:
            raise NotTheirs()
        async with self._database.read(who.org) as session:
            await self._must_be(session, who.org, Scope.PERSON, action.person)
            told = await exporting.told(session, self._rooms.tell_person, who.org, action.person)
        return PersonExport(person=action.person, holds=tuple(Went(what=k, count=len(v)) for k, v in told.items()))

    async def _receipt(
        self,
        session: WriteSession,
        permit: Permit,
        action: Action[Any],
        kind: str,
        subject: UUID | None,
        went: Mapping[str, int],
        stays: tuple[str, ...],
    ) -> Erased:
        receipt = await receipts.issue(
            session,
            await self._signing.signer(),
            action.principal.org,
            kind=kind,
            subject=subject,
            went=went,
            stays=stays,
            by=action.principal.person,
            at=self._clock.now(),
            decision=permit.decision,
        )
        told = tuple(Went(what=name, count=count) for name, count in went.items() if count)
        return Erased(receipt=receipt, went=told, stays=stays)

    async def _must_be(self, session: Any, org: OrgId, scope: Scope, subject: UUID | None) -> None:
        """Raise unless there is such a person or task."""
        if scope is Scope.ORGANISATION:
            if subject is not None:
                raise Invalid("a hold on the organisation names nothing else", advice="Leave the id out.")
        elif subject is None:
            raise Invalid("it does not say which", advice="Give the id of the person or task.")
        elif scope is Scope.PERSON:
            if await session.scalar(_PERSON, {"org": org, "person": PersonId(subject)}) is None:
                raise NotFound("person")
        else:
            state = await reader.chain_of(session, org, TaskId(subject))
            if state is None or not sealing.read(state.subject).owner:
                raise NotFound("task")
