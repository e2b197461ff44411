"""Checks what an operation is given against its schema, and fills in what may be left out.

Stricter than JSON Schema where that is loose: a pattern must match the whole value (a trailing newline does not slip by),
invisible and unencodable characters are refused everywhere, and the whole must stay small.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from integrations.catalogue.errors import ArgumentsRefused
from integrations.catalogue.model import Operation, thawed

MAX_BYTES = 65_536
_LAYOUT = "\n\t"
_JOINERS = "\u200c\u200d"  # Persian, Hindi and emoji need them; they change no structure
_UNSEEN = {"Cc", "Cf", "Cs"}


def checked(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the operation takes them, defaults filled in. Raises `ArgumentsRefused` naming where and why."""
    given = {str(name): thawed(value) for name, value in arguments.items() if value is not None}
    _small(given)
    schema = operation.schema()
    for error in _Strict(schema).iter_errors(given):
        raise ArgumentsRefused(_where(error, schema), _rule(error))
    _visible(given)
    defaults = {name: rule["default"] for name, rule in schema["properties"].items() if "default" in rule}
    return {**defaults, **{name: _whole(value) for name, value in given.items()}}


def visible(text: str) -> bool:
    """True if every character can be seen or is layout: no controls, no direction overrides, no half characters."""
    return all(
        character in _LAYOUT or character in _JOINERS or unicodedata.category(character) not in _UNSEEN
        for character in text
    )


def _small(given: Mapping[str, Any]) -> None:
    try:
        size = len(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentsRefused("", "they are not plain JSON") from error
    if size > MAX_BYTES:
        raise ArgumentsRefused("", f"together they are larger than {MAX_BYTES} bytes")


def _visible(given: Any, name: str = "") -> None:
    for where, text in _texts(given, name):
        if not visible(text):
            raise ArgumentsRefused(where, "it holds characters that cannot be seen or sent")


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, name or str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, name)


def _whole(value: Any) -> Any:
    """3.0 is an integer to JSON Schema; on the wire it must be written 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _where(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """The argument's name if it is one of ours; a name somebody made up is not repeated."""
    return next((str(part) for part in error.absolute_path if part in schema["properties"]), "")


def _rule(error: ValidationError) -> str:
    words = {
        "additionalProperties": "one was given that the operation does not know",
        "required": "one that is needed is missing",
        "pattern": "it is not of the form the operation wants",
        "maxLength": f"it is longer than {error.validator_value} characters",
        "minLength": "it is too short",
        "maximum": f"it is more than {error.validator_value}",
        "minimum": f"it is less than {error.validator_value}",
        "maxItems": f"it has more than {error.validator_value} entries",
        "minItems": "it has too few entries",
        "enum": "it is not one of the values allowed",
        "type": f"it must be of type {error.validator_value}",
    }
    return words.get(str(error.validator), "it does not fit the operation's schema")


def _full_match(_validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """What is too long is refused for that; no pattern is ever tried on it, so none can be made to take long."""
    if not isinstance(instance, str) or len(instance) > schema.get("maxLength", len(instance)):
        return
    if not re.fullmatch(pattern, instance, re.ASCII):
        yield ValidationError("no match")


_Strict: Any = extend(Draft202012Validator, {"pattern": _full_match})  # type: ignore[no-untyped-call]
