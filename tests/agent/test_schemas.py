"""What a model wrote is held against schemas of others: nothing that misfits goes through, and no value is repeated."""

from typing import Any

import pytest

from joule.agent.schemas import fitting
from joule.kernel.errors import Invalid

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"to": {"type": "string", "enum": ["leads"]}, "limit": {"type": "integer", "maximum": 5}},
    "required": ["to"],
}


def test_what_fits_is_given_as_it_is_and_null_means_not_given() -> None:
    assert fitting(SCHEMA, {"to": "leads", "limit": None}, tool="send") == {"to": "leads"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "to is missing"),
        ({"to": None}, "to is missing"),
        ({"to": "secret-value"}, r"to \(enum\)"),
        ({"to": "leads", "limit": 6}, r"limit \(maximum\)"),
        ({"to": "leads", "secret-name": 1}, "one was given that it does not take"),
    ],
)
def test_a_misfit_is_told_by_place_and_rule_alone(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        fitting(SCHEMA, given, tool="send")

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "nonsense"},
        {"pattern": "("},
        {"$ref": "#/nowhere"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"enum": 7},
    ],
)
def test_a_schema_that_cannot_be_used_lets_nothing_through_and_fetches_nothing(broken: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="do not fit"):
        fitting({"type": "object", "properties": {"to": broken}}, {"to": "leads"}, tool="send")
