"""Asks the policies that are in force, and notes what others, on trial beside them, would have said.

Whatever keeps them from saying it, the answer is no.
"""

from dataclasses import dataclass
from typing import Any, TypedDict

from joule.governance.decision import Allow, Ask, Decision, Deny, Facts
from joule.governance.facts import resource_of
from joule.governance.policy import UNDECIDED, Policy
from joule.governance.rules.rulebook import InForce
from joule.kernel.action import Action
from joule.kernel.ids import OrgId
from joule.kernel.stop import Stop

_UNKNOWN = Deny(policies=(), reason="no policy allows this", advice="")
_FOREIGN = Deny(policies=(), reason="it is not about this organisation", advice="")


class Circumstances(TypedDict, total=False):
    """What a task's gate is told of the task, where it is known."""

    stop: Stop | None
    rules: InForce | None  # those just found in force
    behind: str  # what code of this task runs behind


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A decision, and what the journal says of how it came about."""

    decision: Decision
    about: dict[str, Any]


def judged(action: Action[Any], facts: Facts, *, by: InForce, org: OrgId, known: bool) -> Judged:
    """Decide `action`. `known`: somebody performs such actions; `org`: whose task wishes it."""
    if not known:
        decision: Decision = _UNKNOWN
    elif action.principal.org != org:
        decision = _FOREIGN
    else:
        decision = _asked(by.policy, action, facts)
    about: dict[str, Any] = {"facts": facts, "policies": list(decision.policies), "bundle": by.policy.digest}
    if by.trial is not None:
        tried = _asked(by.trial, action, facts)
        if word(tried) != word(decision):
            about |= {"trial": word(tried), "trial_policies": list(tried.policies)}
    return Judged(decision=decision, about=about)


def word(decision: Decision) -> str:
    """The decision in one word: allow, ask or deny."""
    if isinstance(decision, Allow):
        return "allow"
    return "ask" if isinstance(decision, Ask) else "deny"


def _asked(policy: Policy, action: Action[Any], facts: Facts) -> Decision:
    try:
        who, about = str(action.principal.person), resource_of(action)
        return policy.decide(action.name, principal=who, resource=about, facts=facts)
    except Exception:  # noqa: BLE001 - there is no failure of a policy that allows anything
        return UNDECIDED
