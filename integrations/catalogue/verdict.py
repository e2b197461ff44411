"""Reads out of a provider's answer whether it failed, and what that comes down to. Pure.

Some providers say 200 and mean no; their rules are in the catalogue. Anything not understood counts as refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from integrations.catalogue.model import Meaning, Operation
from integrations.catalogue.projecting import at, steps

MOST_REASONS = 20

_STATUS: dict[int, Meaning] = {401: "reconnect", 404: "missing", 410: "missing", 408: "busy", 425: "busy", 429: "busy"}


def failure(operation: Operation, status: int, answer: Any) -> Meaning | None:
    """What went wrong, or None if the call succeeded. The provider's own code is asked first, then the status."""
    rules = operation.errors
    fine = 200 <= status < 300
    if fine and (rules.ok is None or at(answer, rules.ok) in rules.ok_values):
        return None
    for code in (*_reasons(operation, answer), error_code(operation, answer)):
        if code and code in rules.meanings:
            return rules.meanings[code]
    if str(status) in rules.meanings:
        return rules.meanings[str(status)]
    if status >= 500:
        return "busy"
    return _STATUS.get(status, "refused")


def error_code(operation: Operation, answer: Any) -> str | None:
    """The provider's own short code for the failure, if it is one: never a sentence, which might hold content."""
    return _word(at(answer, operation.errors.code) if operation.errors.code else None)


def _reasons(operation: Operation, answer: Any) -> Iterator[str | None]:
    """The closer codes some providers put beside the first, such as one in each of a list of details."""
    for path in operation.errors.reasons:
        found = [answer]
        for step in steps(path):
            if step == "[]":
                found = [one for each in found if isinstance(each, list) for one in each[:MOST_REASONS]]
            else:
                found = [each[step] for each in found if isinstance(each, Mapping) and step in each]
        yield from map(_word, found)


def _word(found: object) -> str | None:
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if 0 < len(text) <= 60 and all(letter.isalnum() or letter in "._-" for letter in text) else None
