"""A provider's file that could let something through does not load at all."""

import pytest

from integrations.catalogue.errors import BadCatalogue, OperationUnknown, ProviderUnknown
from integrations.catalogue.load import build
from tests.integrations.catalogue.samples import TEXT, blue_bike, told, with_operation

CITY = {"type": "string", "maxLength": 100}


def test_the_example_of_the_guide_loads() -> None:
    provider = blue_bike()

    assert list(provider.operations) == ["list_customers", "write_note"]
    assert provider.family == "blue_bike"


BAD = {
    "an unknown member": told(colour="blue"),
    "a scope without a risk": told(scopes={"customers.read": {"words": "See them."}}),
    "a scope that implies what is not there": told(
        scopes={"customers.read": {"words": "See them.", "risk": "R1", "implies": ["all"]}}, operations={}
    ),
    "http for a real provider": told(token_url="http://{tenant}/token", per_tenant_host="x", tenant_example="x"),
    "a tenant without a pattern": told(token_url="https://{tenant}/token"),
    "a tenant pattern that lets anything by": told(per_tenant_host=".{5,}", tenant_example="a.example"),
    "a tenant pattern its own example breaks": told(per_tenant_host="[a-z]+\\.example", tenant_example="A.example"),
    "a revocation without an address": told(revocation={"kind": "api", "kills": "All."}),
    "a doubt about what is not there": told(unverified=["colour"]),
    "a doubt about a part that is not there": told(unverified=["refresh.colour"]),
    "a doubt about an operation that is not there": told(unverified=["operations.fly: whether it can"]),
    "a host that is an address": told(hosts=["127.0.0.1"]),
    "a foreign host": with_operation(host="evil.example"),
    "a scope that is not there": with_operation(any_of=[["customers.all"]]),
    "an operation that needs nothing": with_operation(any_of=[]),
    "a text without a longest length": with_operation(arguments={"city": {"type": "string"}}, query={}, paging=None),
    "a pattern that is not anchored": with_operation(
        arguments={"city": {**CITY, "pattern": "[a-z]+"}}, query={}, paging=None
    ),
    "a number without bounds": with_operation(
        arguments={"city": CITY, "limit": {"type": "integer"}}, query={"limit": "{limit}"}, paging=None
    ),
    "a list without bounds": with_operation(
        arguments={"city": CITY, "tags": {"type": "array", "items": CITY}}, query={"tags": "{tags}"}, paging=None
    ),
    "an open object": with_operation(arguments={"city": CITY, "more": {"type": "object"}}, query={"m": "{more}"}),
    "an open text inside a longer one": with_operation(
        arguments={"city": CITY, "word": CITY}, query={"q": "name contains '{word}'"}, paging=None
    ),
    "an open text in a structured parameter": with_operation(structured={"where": "(city:{city})"}),
    "an optional argument in a structured parameter": with_operation(structured={"day": "(day:{since})"}),
    "a structured parameter that adds another": with_operation(structured={"day": "1&token=2"}),
    "an argument that goes nowhere": with_operation(arguments={"city": CITY, "spare": CITY}, query={}, paging=None),
    "a gap for which there is no argument": with_operation(
        arguments={"city": CITY}, query={"page": "{page}"}, paging=None
    ),
    "a filter that does not exist": with_operation(
        arguments={"city": CITY}, path="/v1/{city|raw}", query={}, paging=None
    ),
    "an optional argument in the path": with_operation(required=[]),
    "a path that leaves the host": with_operation(path="//evil.example/{city}"),
    "a reading that posts and is not safe": with_operation(method="POST"),
    "a read of the risk of spending": with_operation(risk="R4"),
    "a spending that names no amount": with_operation(effect="spend", risk="R4"),
    "an example that is refused": with_operation(example={"city": "../.."}),
    "an example that lacks what is needed": with_operation(example={}),
    "a key that stands twice": TEXT + "\ntitle: Another\n",
    "no mapping": "- 1\n",
    "no YAML": "{",
    "a tag that would run code": "!!python/object/apply:os.getcwd []",
    "a family file that is not there": TEXT + "\nlike: _nobody\n",
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_with_a_fault_is_refused(what: str) -> None:
    with pytest.raises(BadCatalogue) as refusal:
        build({"blue_bike.yaml": BAD[what]})

    assert "blue_bike" in str(refusal.value)
    assert "docs/integrations.md" in refusal.value.advice()


def test_shared_facts_are_taken_in_and_a_files_own_come_first() -> None:
    shared = "pkce: accepted\nunverified: [pkce]\n"
    own = TEXT + "\nlike: _bikes\n"

    provider = build({"_bikes.yaml": shared, "blue_bike.yaml": own}).provider("blue_bike")

    assert provider.pkce == "required"
    assert provider.unverified == ("pkce", "settings_url")


def test_what_is_not_in_the_catalogue_is_named_without_repeating_it() -> None:
    shelf = build({"blue_bike.yaml": TEXT})

    with pytest.raises(ProviderUnknown) as provider:
        shelf.provider("<script>")
    with pytest.raises(OperationUnknown) as operation:
        shelf.operation("blue_bike", "<script>")

    assert "<script>" not in f"{provider.value}{operation.value}"
