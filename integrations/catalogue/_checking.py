"""Checks what a provider's file says beyond its shape. Raises `BadCatalogue`; a catalogue with a doubt does not load.

The rule behind most of it: no argument may be open-ended, and none may reach a place where it could change structure.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from integrations.catalogue.errors import BadCatalogue
from integrations.catalogue.model import Operation, Provider, Risk
from integrations.catalogue.projecting import steps
from integrations.catalogue.render import FILTERS, GAP, render
from joule.kernel.errors import JouleError

_PLAIN = re.compile(r"[A-Za-z0-9_().,:-]([A-Za-z0-9_().,:-]|%[0-9A-F]{2})*")
_EFFECTS = {
    "read": {Risk.R0, Risk.R1, Risk.R1P},
    "write_draft": {Risk.R2},
    "send": {Risk.R3, Risk.R4},
    "spend": {Risk.R4},
}


def check(provider: Provider) -> None:
    """Refuses a provider whose parts do not fit together."""
    for problem in _of_provider(provider):
        raise BadCatalogue(provider.id, problem)
    for operation in provider.operations.values():
        for problem in _of_operation(provider, operation):
            raise BadCatalogue(provider.id, f"operation {operation.id}: {problem}")


def _of_provider(provider: Provider) -> Iterator[str]:
    for scope in provider.scopes.values():
        if unknown := [name for name in scope.implies if name not in provider.scopes]:
            yield f"scope {scope.name} implies {unknown[0]}, which is not there"
    urls = (provider.authorization_url, provider.token_url, provider.introspection_url, provider.revocation.url)
    tenants = [operation for operation in provider.operations.values() if operation.host == "{tenant}"]
    if (tenants or any("{tenant}" in (url or "") for url in urls)) and provider.per_tenant_host is None:
        yield "it speaks of a tenant's host but gives no pattern for it"
    if provider.demo is False and any((url or "").startswith("http:") for url in urls):
        yield "only the demonstration may speak http"
    if provider.per_tenant_host and not re.fullmatch(provider.per_tenant_host, provider.tenant_example or ""):
        yield "the example of a tenant's host does not match its own pattern"
    if provider.per_tenant_host and re.fullmatch(provider.per_tenant_host, "evil.example/x") is not None:
        yield "the pattern for a tenant's host lets anything by"
    yield from _account_problems(provider)
    for entry in provider.unverified:
        field, _, part = entry.partition(":")[0].partition(".")
        if not _is_there(provider, field, part):
            yield f"it calls {field} unverified, which is not there"


def _account_problems(provider: Provider) -> Iterator[str]:
    for clue in provider.account:
        if unknown := [name for name in clue.needs if name not in provider.scopes]:
            yield f"its account is asked for with {unknown[0]}, which is not there"
        if clue.source == "introspection" and provider.introspection_url is None:
            yield "its account is asked for by an introspection it does not offer"
        if clue.url is not None and "{tenant}" in clue.url and provider.per_tenant_host is None:
            yield "its account is asked for at a tenant's host, and it has no tenants"
        if clue.url is not None and clue.url.startswith("http:") and not provider.demo:
            yield "only the demonstration may speak http"


def _is_there(provider: Provider, field: str, part: str) -> bool:
    if field in {"rate", "errors"}:  # said once for all operations
        return not part
    if field == "operations":
        return not part or part in provider.operations
    return hasattr(provider, field) and (not part or hasattr(getattr(provider, field), part))


def _of_operation(provider: Provider, operation: Operation) -> Iterator[str]:
    if operation.host != "{tenant}" and operation.host not in provider.hosts:
        yield "its host is not one of the provider's"
    if unknown := [name for alternative in operation.any_of for name in alternative if name not in provider.scopes]:
        yield f"it needs {unknown[0]}, which is not there"
    if operation.risk not in _EFFECTS[operation.effect]:
        yield f"risk {operation.risk} does not go with the effect {operation.effect}"
    if operation.effect == "read" and operation.method != "GET" and operation.idempotency != "safe":
        yield "a read that is not safe to repeat"
    yield from _arguments_problems(operation)
    yield from _template_problems(operation)
    if any(not steps(path) for path in operation.projection):
        yield "an empty path in its projection"
    try:
        render(provider, operation, operation.example, tenant_host=provider.tenant_example)
    except JouleError as error:
        yield f"its example cannot be sent: {error}"


def _arguments_problems(operation: Operation) -> Iterator[str]:
    schema = operation.schema()
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        yield "its arguments are no JSON Schema"
        return
    properties = schema["properties"]
    yield from (f"argument {name}: {why}" for name, rule in properties.items() for why in _open_ends(rule))
    named = {*operation.destinations, *operation.amounts, *schema.get("required", [])}
    if operation.paging:
        named |= {operation.paging.argument, operation.paging.size or operation.paging.argument}
    if unknown := named - properties.keys():
        yield f"it speaks of the argument {min(unknown)}, which is not there"
    if operation.effect == "spend" and not operation.amounts:
        yield "it spends but names no amount"


def _open_ends(rule: Mapping[str, Any]) -> Iterator[str]:
    kind = rule.get("type")
    if "enum" in rule or kind == "boolean":
        return
    if kind == "string":
        if "maxLength" not in rule:
            yield "a text without a longest length"
        if "pattern" in rule and not (rule["pattern"].startswith("^") and rule["pattern"].endswith("$")):
            yield "a pattern that is not anchored"
    elif kind in {"integer", "number"}:
        if not {"minimum", "maximum"} <= rule.keys():
            yield "a number without bounds"
    elif kind == "array":
        if "maxItems" not in rule or "items" not in rule:
            yield "a list without bounds"
        else:
            yield from _open_ends(rule["items"])
    else:
        yield "a type that is not allowed here"


def _template_problems(operation: Operation) -> Iterator[str]:
    properties = operation.arguments["properties"]
    required = set(operation.arguments.get("required", ()))
    for template in _texts((operation.query, operation.body, operation.headers)):
        for gap in GAP.finditer(template):
            embedded = gap.group(0) != template
            if embedded and gap.group(1) in properties and not _closed(properties[gap.group(1)]):
                yield f"{gap.group(1)} stands inside a longer text but may hold anything"
    for name, template in operation.structured.items():
        if not _PLAIN.fullmatch(name + GAP.sub("", template)):
            yield f"the structured parameter {name} holds what has no place in an address"
        for gap in GAP.finditer(template):
            if gap.group(1) in properties and not _closed(properties[gap.group(1)]):
                yield f"{gap.group(1)} stands in a structured parameter but may hold anything"
            if gap.group(1) not in required and "default" not in properties.get(gap.group(1), {}):
                yield f"{gap.group(1)} stands in a structured parameter but may be left out"
    everywhere = (operation.path, operation.query, operation.structured, operation.body, operation.headers)
    used = [gap for text in _texts(everywhere) for gap in GAP.finditer(text)]
    if unknown := [gap.group(1) for gap in used if gap.group(1) not in {*properties, "each"}]:
        yield f"its template names {unknown[0]}, which is no argument"
    if unused := properties.keys() - {gap.group(1) for gap in used}:
        yield f"the argument {min(unused)} goes nowhere"
    if any(gap.group(2) and gap.group(2) not in FILTERS for gap in used):
        yield "its template uses a filter that does not exist"
    for gap in GAP.finditer(operation.path):
        if gap.group(1) not in required and "default" not in properties.get(gap.group(1), {}):
            yield f"{gap.group(1)} stands in the path but may be left out"


def _closed(rule: Mapping[str, Any]) -> bool:
    """True if a value of it cannot hold a quote, a separator or anything else that means something to a parser."""
    if rule.get("type") == "array":
        return _closed(rule["items"])
    return rule.get("type") in {"integer", "boolean"} or "enum" in rule or "pattern" in rule


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
