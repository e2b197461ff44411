"""What the policy answers: yes, ask a person first, or no; always with the policies that decided."""

from collections.abc import Mapping
from dataclasses import dataclass

Facts = Mapping[str, bool | str]
"""What a decision was made from: closed words and yes-or-no only, so that it can stand in clear in the journal."""


@dataclass(frozen=True, kw_only=True)
class Allow:
    """It may happen."""

    policies: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Ask:
    """It may happen once a person has agreed. `reason` and `advice` are the policy's own words."""

    policies: tuple[str, ...]
    reason: str
    advice: str


@dataclass(frozen=True, kw_only=True)
class Deny:
    """It may not happen. `reason` and `advice` are the policy's own words."""

    policies: tuple[str, ...]
    reason: str
    advice: str


Decision = Allow | Ask | Deny
