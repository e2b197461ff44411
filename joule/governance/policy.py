"""The policy decision point: Cedar over recorded facts.

Pure: the same facts give the same decision, whenever and wherever. Policies are parsed and checked against the schema
once, at load; what does not fit stops the start. Each action is judged by the policies that can name it, so that a
decision costs the same with ten policies as with a thousand about other things.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import cedarpy

from joule.governance.decision import Allow, Ask, Decision, Deny, Facts
from joule.governance.errors import PolicyInvalid
from joule.kernel.action import Action

_NO_POLICY = "no policy allows this"
UNDECIDED = Deny(
    policies=(), reason="the policies could not be evaluated", advice="An admin should run `joule policy check`."
)
_ENTITIES = cedarpy.Entities.from_json_str("[]")


@dataclass(frozen=True, kw_only=True)
class _Words:
    reason: str
    advice: str


class Policy:
    """A set of policies, ready to decide."""

    def __init__(self, text: str, *, actions: Iterable[type[Action[Any]]]) -> None:
        """`text` is Cedar; `actions` are all there are. Raises `PolicyInvalid`, never starts half-checked."""
        names = sorted({each.name for each in actions})
        schema = schema_for(names)
        parsed = _parse(text)
        outcome = cedarpy.validate_policies(text, schema)
        if not outcome.validation_passed:
            raise PolicyInvalid(
                f"the policies do not fit the schema: {outcome.errors[0]}",
                advice="Correct the policy; `joule policy check FILE` looks at it without starting anything.",
            )
        self.digest = hashlib.sha256(f"{schema}\0{text}".encode()).hexdigest()
        self._words = {name: _words(name, body) for name, body in parsed.items()}
        self._by_action = _slices(parsed, names)
        # The same question has the same answer, so a task that asks it again and again is answered at once.
        self._known = lru_cache(maxsize=8192)(self._judge)

    @property
    def reasons(self) -> dict[str, str]:
        """Each policy's own words for why it decides as it does, by its id."""
        return {name: words.reason for name, words in self._words.items()}

    def decide(self, action: str, *, principal: str, resource: tuple[str, str], facts: Facts) -> Decision:
        """Judge one action. `resource` is (type, id). Denies whatever is unknown or cannot be evaluated."""
        return self._known(action, principal, resource, tuple(facts.items()))

    def _judge(
        self, action: str, principal: str, resource: tuple[str, str], given: tuple[tuple[str, bool | str], ...]
    ) -> Decision:
        facts = dict(given)
        policies = self._by_action.get(action)
        if policies is None:
            return Deny(policies=(), reason=_NO_POLICY, advice="")
        allowed, reasons, broken = self._ask(policies, action, principal, resource, facts)
        if broken:
            return UNDECIDED
        if allowed:
            return Allow(policies=reasons)
        if not facts["approved"]:
            would, by, _ = self._ask(policies, action, principal, resource, {**facts, "approved": True})
            if would:
                words = self._words[by[0]]
                return Ask(policies=by, reason=words.reason, advice=words.advice)
        if not reasons:
            return Deny(policies=(), reason=_NO_POLICY, advice="")
        words = self._words[reasons[0]]
        return Deny(policies=reasons, reason=words.reason, advice=words.advice)

    def _ask(
        self, policies: cedarpy.PolicySet, action: str, principal: str, resource: tuple[str, str], facts: Facts
    ) -> tuple[bool, tuple[str, ...], bool]:
        answer = cedarpy.is_authorized(
            {
                "principal": {"type": "Joule::Person", "id": principal},
                "action": {"type": "Joule::Action", "id": action},
                "resource": {"type": f"Joule::{resource[0]}", "id": resource[1]},
                "context": dict(facts),
            },
            policies,
            _ENTITIES,
        )
        diagnostics = answer.diagnostics
        return answer.allowed, tuple(sorted(diagnostics.reasons)), bool(diagnostics.errors)


def schema_for(actions: Iterable[str]) -> str:
    """The Cedar schema: the shipped types, and one declaration for every action there is."""
    head = (files("joule.governance") / "policies" / "schema.cedarschema").read_text()
    lines = [
        f'action "{name}" appliesTo {{ principal: [Person], resource: [Organisation, Project], context: Facts }};'
        for name in actions
    ]
    return head.replace("// ACTIONS", "\n  ".join(lines))


def shipped() -> str:
    """The policies Joule comes with, all files joined in the order of their names."""
    folder = files("joule.governance") / "policies"
    texts = [
        each.read_text() for each in sorted(folder.iterdir(), key=lambda f: f.name) if each.name.endswith(".cedar")
    ]
    return "\n".join(texts)


def _parse(text: str) -> dict[str, Any]:
    """Policies by their own `@id`, as Cedar JSON."""
    try:
        found = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as problem:
        raise PolicyInvalid(
            f"the policies do not parse: {problem}", advice="Correct the syntax; see docs/policy.md."
        ) from problem
    if found["templates"] or not found["staticPolicies"]:
        raise PolicyInvalid("there is no policy, or a template among them", advice="Write plain policies.")
    named: dict[str, Any] = {}
    for body in found["staticPolicies"].values():
        name = body.get("annotations", {}).get("id")
        if not name or name in named:
            raise PolicyInvalid(
                f"a policy has no @id, or one used twice: {name}", advice="Give each policy an @id of its own."
            )
        named[name] = body
    return named


def _words(name: str, body: Mapping[str, Any]) -> _Words:
    annotations = body["annotations"]
    if not annotations.get("reason"):
        raise PolicyInvalid(
            f"the policy {name} does not say its reason", advice='Add @reason("…"): it is what a person is told.'
        )
    return _Words(reason=annotations["reason"], advice=annotations.get("advice") or "")


def _slices(parsed: Mapping[str, Any], actions: Iterable[str]) -> dict[str, cedarpy.PolicySet]:
    """For each action the policies whose scope does not rule it out; one set for all actions that have the same."""
    concerned = {
        action: tuple(name for name, body in parsed.items() if _may_concern(body["action"], action))
        for action in actions
    }
    made = {
        names: cedarpy.PolicySet.from_json_str(
            json.dumps({"templates": {}, "staticPolicies": {name: parsed[name] for name in names}, "templateLinks": []})
        )
        for names in set(concerned.values())
    }
    return {action: made[names] for action, names in concerned.items()}


def _may_concern(scope: Mapping[str, Any], action: str) -> bool:
    if scope["op"] == "All":
        return True
    entities = scope.get("entities") or [scope["entity"]]
    return any(entity["id"] == action for entity in entities)
