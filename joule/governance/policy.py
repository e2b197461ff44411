"""The policy decision point: Cedar over recorded facts.

Pure: the same facts give the same decision, whenever and wherever. Policies are parsed and checked against the schema
once, at load; what does not fit stops the start. Each action is judged by the policies that can name it, so that a
decision costs the same with ten policies as with a thousand about other things.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files
from typing import Any

import cedarpy

from joule.governance.decision import Allow, Ask, Decision, Deny, Facts
from joule.governance.errors import PolicyInvalid
from joule.governance.reading import facts_read
from joule.kernel.action import Action

_NO_POLICY = "no policy allows this"
UNDECIDED = Deny(
    policies=(), reason="the policies could not be evaluated", advice="An admin should run `joule policy check`."
)
_ENTITIES = cedarpy.Entities.from_json_str("[]")


LOCKED = Deny(
    policies=(),
    reason="your organisation's own policies cannot be read",
    advice="An owner can roll them back on the Policy page, or with `joule policy rollback`.",
)
# What an organisation's own policies never judge, so that no draft can shut its authors, or the law, out.
UNTOUCHED = (
    *("governance.", "privacy.", "replay.", "identity.sign_", "identity.end_", "identity.issue_sign_in_link"),
    *("traces.revoke_access", "traces.decline_access", "traces.acknowledge_access", "integrations.revoke_connection"),
)
_OWN_HANDS = frozenset({"person", "agent"})  # Joule's own upkeep is not theirs to forbid


@dataclass(frozen=True, kw_only=True)
class _Words:
    reason: str
    advice: str


class Policy:
    """A set of policies, ready to decide."""

    def __init__(self, text: str, *, actions: Iterable[type[Action[Any]]]) -> None:
        """`text` is Cedar; `actions` are all there are. Raises `PolicyInvalid`, never starts half-checked."""
        self._names = frozenset(each.name for each in actions)
        self._schema = schema_for(sorted(self._names))
        self._parsed = _parsed(text, self._schema)
        self.digest = hashlib.sha256(f"{self._schema}\0{text}".encode()).hexdigest()
        self._words = {name: _words(name, body) for name, body in self._parsed.items()}
        self._slice = lru_cache(maxsize=None)(partial(_slice, self._parsed))  # one an action, made when first asked for
        self._own: dict[str, cedarpy.PolicySet] = {}  # the same with an organisation's own, where those say anything
        self._locked = False
        self._remember()

    def restricted(self, text: str, *, prefix: str) -> "Policy":
        """These policies and an organisation's own, which can only forbid, or ask for an agreement.

        Its n-th policy is called `<prefix>.<n>` from then on: what people call theirs stays out of the journal.
        Raises `PolicyInvalid`.
        """
        own = _parsed(text, self._schema)
        for name, body in own.items():
            _words(name, body)
            _expect_restriction(name, body)
        named = {f"{prefix}.{n}": body for n, body in enumerate(own.values(), start=1)}
        twin = copy(self)
        twin.digest = hashlib.sha256(f"{self.digest}\0{prefix}\0{text}".encode()).hexdigest()
        twin._words = {**self._words, **{name: _words(name, body) for name, body in named.items()}}
        twin._parsed = {**self._parsed, **named}
        concerned = [
            action
            for action in sorted(self._names)
            if not action.startswith(UNTOUCHED) and any(_may_concern(each["action"], action) for each in named.values())
        ]
        twin._own = {action: _slice(twin._parsed, action) for action in concerned}
        twin._remember()
        return twin

    def locked(self) -> "Policy":
        """These policies for an organisation whose own cannot be read: what those might judge is denied."""
        twin = copy(self)
        twin.digest = hashlib.sha256(f"{self.digest}\0locked".encode()).hexdigest()
        twin._locked = True
        twin._remember()
        return twin

    def reads(self, action: str) -> frozenset[str] | None:
        """The facts that a decision about `action` is made from; None for an action that nobody declared."""
        if action not in self._names:
            return None
        return self._reads(action)

    def _remember(self) -> None:
        # The same question has the same answer, so a task that asks it again and again is answered at once.
        self._known = lru_cache(maxsize=8192)(self._judge)
        self._reads = lru_cache(maxsize=1024)(self._facts_read)

    def _facts_read(self, action: str) -> frozenset[str]:
        concerned = (name for name, body in self._parsed.items() if _may_concern(body["action"], action))
        return frozenset({"approved"}).union(*(facts_read(name, self._parsed[name]) for name in concerned))

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
        if action not in self._names:
            return Deny(policies=(), reason=_NO_POLICY, advice="")
        policies = self._slice(action)
        if facts.get("via") in _OWN_HANDS:
            if self._locked and not action.startswith(UNTOUCHED):
                return LOCKED
            if action in self._own:
                policies = self._own[action]
                # What people do by their own hand they agree to by doing it: nobody else would be asked.
                facts["approved"] = facts["approved"] or facts["via"] == "person"
        allowed, reasons, broken = self._ask(policies, action, principal, resource, facts)
        if broken:
            return UNDECIDED
        if allowed:
            return Allow(policies=reasons)
        if not facts["approved"]:
            would, by, _ = self._ask(policies, action, principal, resource, {**facts, "approved": True})
            if would:  # what forbids it until then says why, else what permits it after
                words = self._words[(*reasons, *by)[0]]
                return Ask(policies=(*reasons, *by), reason=words.reason, advice=words.advice)
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


def titles(text: str) -> list[str]:
    """The `@id` of each policy of a text, in order. Raises `PolicyInvalid`."""
    return list(_parse(text))


@lru_cache(maxsize=64)
def _parsed(text: str, schema: str) -> Mapping[str, Any]:
    """Policies by their own `@id`, as Cedar JSON, in the order they were written. Raises `PolicyInvalid`."""
    parsed = _parse(text)
    outcome = cedarpy.validate_policies(text, schema)
    if not outcome.validation_passed:
        raise PolicyInvalid(
            f"the policies do not fit the schema: {outcome.errors[0]}",
            advice="Correct the policy; `joule policy check FILE` looks at it without starting anything.",
        )
    for name, body in parsed.items():
        facts_read(name, body)
    return parsed


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as problem:
        raise PolicyInvalid(
            f"the policies do not parse: {problem}", advice="Correct the syntax; see docs/policy.md."
        ) from problem
    if found["templates"] or not found["staticPolicies"]:
        raise PolicyInvalid("there is no policy, or a template among them", advice="Write plain policies.")
    named: dict[str, Any] = {}
    for _, body in sorted(found["staticPolicies"].items(), key=lambda each: (len(each[0]), each[0])):
        name = body.get("annotations", {}).get("id")
        if not name or name in named:
            wrong = f"an @id is used twice: {name}" if name else "a policy has no @id"
            raise PolicyInvalid(wrong, advice="Give each policy an @id of its own.")
        named[name] = body
    return named


def _words(name: str, body: Mapping[str, Any]) -> _Words:
    annotations = body["annotations"]
    if not annotations.get("reason"):
        raise PolicyInvalid(
            f"the policy {name} does not say its reason", advice='Add @reason("…"): it is what a person is told.'
        )
    return _Words(reason=annotations["reason"], advice=annotations.get("advice") or "")


def _expect_restriction(name: str, body: Mapping[str, Any]) -> None:
    if body["effect"] != "forbid":
        raise PolicyInvalid(
            f"the policy {name} is a permit, and an organisation's own can only restrict",
            advice="Write a forbid. To have people asked first, write: forbid (…) unless { context.approved };",
        )
    named = _named(body["action"])
    untouched = sorted(each for each in named if each.startswith(UNTOUCHED))
    if untouched:
        raise PolicyInvalid(
            f"the policy {name} names {untouched[0]}, which an organisation's own policies never judge",
            advice="Leave it out: signing in, erasing, replaying and these policies themselves always stay possible.",
        )


def _slice(parsed: Mapping[str, Any], action: str) -> cedarpy.PolicySet:
    """The policies whose scope does not rule the action out."""
    chosen = {name: body for name, body in parsed.items() if _may_concern(body["action"], action)}
    return cedarpy.PolicySet.from_json_str(json.dumps({"templates": {}, "staticPolicies": chosen, "templateLinks": []}))


def _may_concern(scope: Mapping[str, Any], action: str) -> bool:
    return scope["op"] == "All" or action in _named(scope)


def _named(scope: Mapping[str, Any]) -> list[str]:
    """The actions that a scope names; none when it is about all."""
    if scope["op"] == "All":
        return []
    return [str(entity["id"]) for entity in scope.get("entities") or [scope["entity"]]]
