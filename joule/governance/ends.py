"""Tells a recorded end again: a result is given, a refusal and a failure are raised. Pure."""

from typing import Any

from joule.governance.errors import RecordedFailure
from joule.kernel.action import Action, result_codec
from joule.kernel.errors import Refused
from traces.errors import RecordingDiffers
from traces.records import Kind, Row


def again(action: Action[Any], end: Row) -> Any:
    """The end a call came to before. Raises `RecordingDiffers` when its content was erased: nothing goes on from it."""
    if end.kind is Kind.RESULT and "result" in end.content:
        return result_codec(type(action)).validate_python(end.content["result"], strict=False)
    if end.kind is Kind.REFUSED and "why" in end.content:
        why = end.content["why"]
        policies = tuple(end.attrs.get("policies", ()))
        raise Refused(action.name, reason=why["reason"], policies=policies, advice=why["advice"])
    if end.kind is Kind.FAILED and "error" in end.content:
        error = end.content["error"]
        raise RecordedFailure(end.attrs["code"], error["message"], error["advice"])
    raise RecordingDiffers(end.call or "")
