"""The page about integrations is the catalogue, and what it shows developers works."""

import re

import yaml

from integrations.catalogue.load import build, catalogue
from integrations.catalogue.model import Risk
from integrations.catalogue.render import render
from tools.providers_doc import PAGE, page

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    assert page(TEXT) == TEXT, "run `make docs`"


def test_every_provider_is_on_the_page_with_how_to_register_and_how_to_remove() -> None:
    for provider in catalogue().providers.values():
        assert f"### {provider.title}\n\n`{provider.id}`" in TEXT
        assert provider.registers_words in TEXT
        assert provider.settings_words in TEXT
        assert provider.revocation.kills in TEXT
        assert all(f"`{field}`" in TEXT for field in provider.unverified)


def test_every_class_of_risk_is_explained_in_the_same_words() -> None:
    for risk in Risk:
        assert f"| {risk.value} | {risk.words} |" in TEXT


def test_the_example_for_developers_loads_and_renders() -> None:
    (example,) = re.findall(r"```yaml\n(.+?)```", TEXT, flags=re.DOTALL)
    assert yaml.safe_load(example)["title"] == "Blue Bike CRM"

    provider = build({"blue_bike.yaml": example}).provider("blue_bike")
    operation = provider.operations["list_customers"]

    assert render(provider, operation, operation.example).url == (
        "https://api.bluebike.example/v1/cities/ghent/customers?limit=10"
    )
