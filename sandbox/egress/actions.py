"""All that can be done about the way out of sandboxes.

Each request of code is an action of its own, with a journal of its own: decided, and written down before anything is
sent. The secret that goes with it is no part of the action: the agent, the sandbox and the record never have it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from joule.kernel.action import Action, Effect, content
from joule.kernel.label import Purpose
from sandbox.egress.results import HostListed, HostUnlisted, Reached, Secret


@dataclass(frozen=True, kw_only=True)
class ReachOut(Action[Reached]):
    """Pass one request of a sandbox's code on. `of_task` is the task whose code asks, `reply` where the answer is laid."""

    name: ClassVar[str] = "sandbox.reach_out"
    effect: ClassVar[Effect] = Effect.SEND

    session: UUID
    of_task: UUID
    reply: UUID
    host: str
    port: int
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = content(default=())
    body: bytes = content(default=b"")

    def relevant(self) -> Mapping[str, str]:
        return {"host": self.host}

    def measures(self, result: Reached) -> Mapping[str, int | str]:
        return {
            "session": str(self.session),
            "of_task": str(self.of_task),
            "status": result.status,
            "sent_bytes": result.sent,
            "received_bytes": result.received,
        }


@dataclass(frozen=True, kw_only=True)
class ListOutsideHost(Action[HostListed]):
    """Let code in this organisation's sandboxes reach one host on one port; `header` and `secret` are attached on the way."""

    name: ClassVar[str] = "sandbox.list_outside_host"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    host: str
    port: int = 443
    header: str = ""
    secret: Secret | None = content(default=None)  # noqa: RUF009 - a field

    def relevant(self) -> Mapping[str, str]:
        return {"host": self.host}


@dataclass(frozen=True, kw_only=True)
class RemoveOutsideHost(Action[HostUnlisted]):
    """Let code reach a host no longer. Its secret is erased."""

    name: ClassVar[str] = "sandbox.remove_outside_host"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    host: UUID
