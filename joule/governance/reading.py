"""Which recorded facts a policy reads. Pure.

A decision can be judged again later only from what was written down with it, so a policy that looks at anything else is
refused before it decides anything: who in particular is asking and which project it is about are not recorded facts.
"""

from collections.abc import Mapping
from typing import Any

from joule.governance.errors import PolicyInvalid
from joule.governance.facts import FACTS

_ADVICE = f"A policy may look at the action, and at these of `context`: {', '.join(sorted(FACTS))}."


def facts_read(name: str, body: Mapping[str, Any]) -> frozenset[str]:
    """The facts that the policy `name`, as Cedar JSON, looks at. Raises `PolicyInvalid` when it looks at more."""
    for whom in ("principal", "resource"):
        if body[whom]["op"] != "All":
            raise PolicyInvalid(f"the policy {name} names one {whom}, which no decision records", advice=_ADVICE)
    found: set[str] = set()
    for condition in body["conditions"]:
        _walk(name, condition["body"], found)
    return frozenset(found)


def _walk(name: str, node: Any, found: set[str]) -> None:
    if isinstance(node, list):
        for each in node:
            _walk(name, each, found)
        return
    if not isinstance(node, dict):
        return
    variable = node.get("Var")
    if isinstance(variable, str) and variable != "action":
        raise PolicyInvalid(f"the policy {name} looks at {variable} itself, which no decision records", advice=_ADVICE)
    for word in (".", "has"):
        looked = node.get(word)
        if isinstance(looked, dict) and looked.get("left") == {"Var": "context"}:
            fact = str(looked["attr"])
            if fact not in FACTS:
                raise PolicyInvalid(f"the policy {name} looks at {fact}, which no decision records", advice=_ADVICE)
            found.add(fact)
            return
    for part in ("Value", "Slot"):
        if part in node:
            return
    for each in node.values():
        _walk(name, each, found)
