"""A small real room for tests of the gate: one action of each kind of effect, a handler, a table and its policies."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import psycopg
from sqlalchemy import text

from joule.database.engine import WriteSession
from joule.kernel.action import Action, Effect
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit


@dataclass(frozen=True, kw_only=True)
class Rung:
    """That a bell rang, and how often it had in all."""

    tone: str
    times: int


@dataclass(frozen=True, kw_only=True)
class _Ring(Action[Rung]):
    tone: str = "c"

    def relevant(self) -> Mapping[str, str]:
        return {"tone": self.tone}


@dataclass(frozen=True, kw_only=True)
class Listen(Action[Rung]):
    name: ClassVar[str] = "bells.listen"
    effect: ClassVar[Effect] = Effect.READ
    tone: str = "c"


@dataclass(frozen=True, kw_only=True)
class Hum(Action[Rung]):
    name: ClassVar[str] = "bells.hum"
    effect: ClassVar[Effect] = Effect.MODEL
    tone: str = "c"


@dataclass(frozen=True, kw_only=True)
class Note(Action[Rung]):
    """Writes a row."""

    name: ClassVar[str] = "bells.note"
    effect: ClassVar[Effect] = Effect.WRITE
    tone: str = "c"

    def relevant(self) -> Mapping[str, str]:
        return {"tone": self.tone}


@dataclass(frozen=True, kw_only=True)
class Ring(Action[Rung]):
    """Rings out loud: cannot be taken back."""

    name: ClassVar[str] = "bells.ring"
    effect: ClassVar[Effect] = Effect.SEND
    tone: str = "c"

    def relevant(self) -> Mapping[str, str]:
        return {"tone": self.tone}


ACTIONS: tuple[type[Action[Any]], ...] = (Listen, Hum, Note, Ring)

POLICY = """
@id("bells.allowed") @reason("members ring") permit (
  principal,
  action in [Joule::Action::"bells.listen", Joule::Action::"bells.hum",
             Joule::Action::"bells.note", Joule::Action::"bells.ring"],
  resource
) when { context.role == "member" };
@id("bells.ask") @reason("an admin asks first") @advice("say yes") permit (
  principal,
  action in [Joule::Action::"bells.listen", Joule::Action::"bells.hum",
             Joule::Action::"bells.note", Joule::Action::"bells.ring"],
  resource
) when { context.role == "admin" && context.approved };
@id("bells.never") @reason("support never rings") forbid (principal, action, resource)
when { context.role == "support" };
"""


def make_table(owner_url: str) -> None:
    """The room's table, protected like every other."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE bell (org_id uuid NOT NULL, decision_id uuid NOT NULL, tone text NOT NULL, "
            "PRIMARY KEY (org_id, decision_id))"
        )
        connection.execute("ALTER TABLE bell ENABLE ROW LEVEL SECURITY")
        connection.execute("ALTER TABLE bell FORCE ROW LEVEL SECURITY")
        connection.execute(
            "CREATE POLICY tenant ON bell USING (org_id = NULLIF(current_setting('joule.org', true), '')::uuid)"
        )
        connection.execute("GRANT SELECT, INSERT ON bell TO joule_app")


@dataclass(kw_only=True)
class BellsHandler:
    """Rings, and remembers what rang. `before` runs inside each effect: tests crash or wait there."""

    admission: Admission
    rang: list[str] = field(default_factory=list)
    before: Any = None

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {Listen: self.listen, Hum: self.hum, Note: self.note, Ring: self.ring}

    async def listen(self, permit: Permit, action: Listen) -> Rung:
        self.admission.admit(permit, action)
        return await self._rung(action)

    async def hum(self, permit: Permit, action: Hum) -> Rung:
        self.admission.admit(permit, action)
        for piece in ("hm", "mm"):
            await permit.progress(piece)
        return await self._rung(action)

    async def note(self, permit: Permit, action: Note, session: WriteSession) -> Rung:
        self.admission.admit(permit, action)
        await session.execute(
            text("INSERT INTO bell (org_id, decision_id, tone) VALUES (:org, :decision, :tone)"),
            {"org": action.principal.org, "decision": permit.decision, "tone": action.tone},
        )
        return await self._rung(action)

    async def ring(self, permit: Permit, action: Ring) -> Rung:
        self.admission.admit(permit, action)
        return await self._rung(action)

    async def _rung(self, action: Any) -> Rung:
        self.rang.append(f"{action.name}:{action.tone}")
        if self.before is not None:
            outcome = self.before(action)
            if asyncio.iscoroutine(outcome):
                await outcome
        return Rung(tone=action.tone, times=len(self.rang))
