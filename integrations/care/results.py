"""What the actions of this part give back. No token and no key is in any of it."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class KeysRotated:
    """How far a rotation has come. `rows` are those under the organisation's key, `grants` those with keys of their own."""

    rows: int
    grants: int
    left: int


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a provider says of a grant. `unasked`: it cannot be asked, or has no word on this kind of token."""

    grant: UUID
    found: Literal["alive", "renewed", "dead", "unasked"]


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a provider says of whose account it is. `unasked`: it could not be asked, or the account is over."""

    grant: UUID
    found: Literal["named", "unsaid", "unasked"]


@dataclass(frozen=True, kw_only=True)
class IssuerAccepted:
    """How many pins were forgotten."""

    provider: str
    pins: int
