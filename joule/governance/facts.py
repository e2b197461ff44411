"""The facts a decision is made from, gathered from an action. Pure, closed, and recorded with the decision."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final
from uuid import UUID

from joule.governance.decision import Facts
from joule.governance.flow import Provenance
from joule.kernel.action import Action

VERSION: Final = 2
"""Raised when a fact is added, goes, or comes to mean something else; each task records the one it was decided by."""

FACTS: Final = frozenset(
    {"role", "via", "effect", "purpose", "integrity", "training", "provenance", "approved", "boundary"}
)
"""All that a policy may look at beside the action: exactly what `facts_of` gives."""


def facts_of(action: Action[Any], *, provenance: Provenance, approved: bool, boundary: str) -> Facts:
    """What the policy may know of an action. `boundary` is what code of its task runs behind, or "none"."""
    return {
        "role": action.principal.role.value,
        "via": action.principal.via.value,
        "effect": action.effect.value,
        "purpose": action.purpose.value,
        "integrity": action.label.integrity.value,
        "training": action.label.training.value,
        "provenance": provenance.value,
        "approved": approved,
        "boundary": boundary,
    }


def resource_of(action: Action[Any]) -> tuple[str, str]:
    """What the action is about: its project, else the organisation."""
    if action.project is not None:
        return "Project", str(action.project)
    return "Organisation", str(action.principal.org)


def ids_in(result: Any) -> Iterator[UUID]:
    """The ids our own code put into a result. Text that merely looks like an id does not count."""
    if isinstance(result, UUID):
        yield result
    elif isinstance(result, tuple):
        for each in result:
            yield from ids_in(each)
    elif is_dataclass(result) and not isinstance(result, type):
        for each in fields(result):
            yield from ids_in(getattr(result, each.name))
