"""Holds what a model wrote against a JSON schema that others wrote: a catalogue, or a server. Fetches nothing.

What is told of a misfit names places and rules of the schema, never a value.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry

from joule.kernel.errors import Invalid

_MOST_TOLD = 5


def fitting(schema: Mapping[str, Any], arguments: Mapping[str, Any], *, tool: str) -> dict[str, Any]:
    """The arguments that were given at all: null means none. Raises `Invalid` saying where they do not fit."""
    properties = schema.get("properties") or {}
    given = {name: value for name, value in arguments.items() if value is not None}
    checker = Draft202012Validator(dict(schema), registry=Registry())
    try:
        misfits = sorted({told for error in checker.iter_errors(given) for told in _told(error, properties)})
    except Exception:  # noqa: BLE001 - whatever is wrong with a schema of others, it lets nothing through
        misfits = ["its schema cannot be used"]
    if misfits:
        raise Invalid(
            f"the arguments of {tool} do not fit: {', '.join(misfits[:_MOST_TOLD])}",
            advice="Call it again as its schema says.",
        )
    return given


def _told(error: ValidationError, properties: Mapping[str, Any]) -> Iterator[str]:
    """Where it does not fit. A name that somebody made up is not repeated."""
    place = next((str(each) for each in error.absolute_path if each in properties), "")
    if error.validator == "required" and not error.absolute_path:
        needed: Any = error.validator_value
        given: Any = error.instance
        yield from (f"{each} is missing" for each in needed if each not in (given or {}))
    elif error.validator == "additionalProperties":
        yield "one was given that it does not take"
    else:
        yield f"{place or 'arguments'} ({error.validator})"
