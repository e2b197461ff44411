"""What can be done to keep connected accounts sound. None of it is ever asked for by an agent."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from integrations.care.results import IssuerAccepted, KeysRotated, Looked, Named
from joule.kernel.action import Action, Effect
from joule.kernel.label import Purpose


@dataclass(frozen=True, kw_only=True)
class RotateKeys(Action[KeysRotated]):
    """Put connections and apps under data keys made at `before` or later: at most `batch` rows and `batch` accounts.

    Do it again until nothing is `left`. Whatever was sealed meanwhile is under the new keys already; what was done stays
    done when it is interrupted.
    """

    name: ClassVar[str] = "integrations.rotate_keys"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    before: datetime
    batch: int = 100


@dataclass(frozen=True, kw_only=True)
class LookAtGrant(Action[Looked]):
    """Ask a provider whether a grant still lives and what it covers, where it can be asked."""

    name: ClassVar[str] = "integrations.look_at_grant"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    grant: UUID


@dataclass(frozen=True, kw_only=True)
class NameAccount(Action[Named]):
    """Ask a provider whose account a grant is for, where that is not known yet."""

    name: ClassVar[str] = "integrations.name_account"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True

    grant: UUID


@dataclass(frozen=True, kw_only=True)
class AcceptIssuer(Action[IssuerAccepted]):
    """Forget what a provider published about itself, so that what it publishes now is accepted at the next consent."""

    name: ClassVar[str] = "integrations.accept_issuer"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    provider: str
