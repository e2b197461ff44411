"""All that may be done with an organisation's own policies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from joule.governance.rules.results import PolicyChanged, RolledBack
from joule.kernel.action import Action, Effect, content

LONGEST = 100_000  # characters of one version


@dataclass(frozen=True, kw_only=True)
class DraftPolicy(Action[PolicyChanged]):
    """Save the organisation's draft, in place of the one there is. Raises `DraftUnusable`."""

    name: ClassVar[str] = "governance.draft_policy"
    effect: ClassVar[Effect] = Effect.WRITE

    text: str = content()


@dataclass(frozen=True, kw_only=True)
class DiscardPolicy(Action[PolicyChanged]):
    """Delete the draft. Raises `NotFound` when there is none of this id."""

    name: ClassVar[str] = "governance.discard_policy"
    effect: ClassVar[Effect] = Effect.DELETE

    version: UUID

    def relevant(self) -> Mapping[str, str]:
        return {"version": str(self.version)}


@dataclass(frozen=True, kw_only=True)
class PublishPolicy(Action[PolicyChanged]):
    """Put a draft on trial: judged beside those in force, recorded where it differs, refusing nothing.

    Ends the trial of another. Raises `NotFound`, `Conflict` when it is no draft.
    """

    name: ClassVar[str] = "governance.publish_policy"
    effect: ClassVar[Effect] = Effect.ACCESS

    version: UUID

    def relevant(self) -> Mapping[str, str]:
        return {"version": str(self.version)}


@dataclass(frozen=True, kw_only=True)
class EnforcePolicy(Action[PolicyChanged]):
    """Have the version on trial decide from now on, in place of the one in force. Raises `NotFound` or `Conflict`."""

    name: ClassVar[str] = "governance.enforce_policy"
    effect: ClassVar[Effect] = Effect.ACCESS

    version: UUID

    def relevant(self) -> Mapping[str, str]:
        return {"version": str(self.version)}


@dataclass(frozen=True, kw_only=True)
class WithdrawPolicy(Action[PolicyChanged]):
    """End the trial of a version. Raises `NotFound` or `Conflict`."""

    name: ClassVar[str] = "governance.withdraw_policy"
    effect: ClassVar[Effect] = Effect.ACCESS

    version: UUID

    def relevant(self) -> Mapping[str, str]:
        return {"version": str(self.version)}


@dataclass(frozen=True, kw_only=True)
class RollBackPolicy(Action[RolledBack]):
    """Take the version in force out of force, and bring the one before it back. Raises `NotFound` when there is none."""

    name: ClassVar[str] = "governance.roll_back_policy"
    effect: ClassVar[Effect] = Effect.ACCESS
