"""The catalogue that comes with Joule: every provider's file is whole, honest and worded for people."""

import json
import re
from importlib.resources import files

import pytest
import yaml
from jsonschema import Draft202012Validator

from integrations.catalogue.arguments import checked
from integrations.catalogue.errors import ArgumentsRefused
from integrations.catalogue.load import SHELF, build, catalogue
from integrations.catalogue.model import Operation, Provider, Risk
from integrations.catalogue.projecting import MAX_ITEMS
from integrations.oauth.strategies import STRATEGIES

NAMES = sorted(
    entry.name.removesuffix(".yaml")
    for entry in files(SHELF).joinpath("providers").iterdir()
    if entry.name.endswith(".yaml") and not entry.name.startswith("_")
)
OPERATIONS = [(one.id, name) for one in catalogue().providers.values() for name in one.operations]
TWELVE = [
    "google_ads",
    "google_analytics_4",
    "google_search_console",
    "google_drive_docs_sheets",
    "gmail",
    "meta_ads_pages",
    "linkedin_marketing",
    "hubspot",
    "mailchimp",
    "slack",
    "notion",
    "wordpress_com",
]
OTHERS = [
    "youtube",
    "instagram_login",
    "x_twitter",
    "tiktok_ads",
    "tiktok_organic",
    "salesforce",
    "klaviyo",
    "shopify",
    "webflow",
    "canva",
    "posthog",
    "pinterest",
    "microsoft_ads",
]


@pytest.fixture(params=NAMES)
def provider(request: pytest.FixtureRequest) -> Provider:
    return catalogue().provider(request.param)


@pytest.fixture(params=OPERATIONS, ids=".".join)
def operation(request: pytest.FixtureRequest) -> Operation:
    return catalogue().operation(*request.param)


def test_twenty_five_providers_and_the_demo_are_there() -> None:
    assert sorted([*TWELVE, *OTHERS, "demo_crm"]) == NAMES == sorted(catalogue().providers)
    assert len(TWELVE) + len(OTHERS) == 25


def test_every_file_has_the_shape_that_the_schema_gives() -> None:
    schema = json.loads(files(SHELF).joinpath("provider.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    shelf = files(SHELF).joinpath("providers")
    shared = yaml.safe_load(shelf.joinpath("_google.yaml").read_text("utf-8"))

    for name in NAMES:
        read = yaml.safe_load(shelf.joinpath(f"{name}.yaml").read_text("utf-8"))
        whole = {**(shared if read.pop("like", None) else {}), **read}
        assert [error.message for error in Draft202012Validator(schema).iter_errors(whole)] == [], name


def test_every_scope_has_words_for_a_person_and_a_risk(provider: Provider) -> None:
    assert provider.scopes
    for name, scope in provider.scopes.items():
        assert scope.words.endswith("."), name
        assert scope.words[0].isupper(), name
        assert not any(mark in scope.words for mark in ("_", "://", ".read", ".write")), name
        assert scope.risk.words, name


def test_every_provider_says_in_words_what_joule_could_do_and_how_it_ends(provider: Provider) -> None:
    assert set(provider.could) == {"read", "write", "publish", "spend"}
    sentences = (
        *provider.could.values(),
        provider.what_it_is,
        provider.token_life_words,
        provider.settings_words,
        provider.registers_words,
        provider.revocation.kills,
    )
    for sentence in sentences:
        assert sentence[0].isupper(), sentence
        assert sentence.endswith("."), sentence


def test_whoever_has_no_way_to_revoke_says_that_only_the_person_can(provider: Provider) -> None:
    if not provider.revocation.possible:
        assert provider.revocation.kills.startswith("Nothing from here")
        assert provider.settings_url.startswith("https://")
    else:
        assert provider.revocation.url


def test_a_provider_that_cannot_split_reading_from_writing_says_so_by_its_scopes(provider: Provider) -> None:
    business = [scope for scope in provider.scopes.values() if scope.risk is not Risk.R0]
    readers = [scope for scope in business if scope.risk in {Risk.R1, Risk.R1P}]

    assert provider.splits_read_from_write == bool(readers)


def test_addresses_are_https_except_for_the_labelled_demonstration(provider: Provider) -> None:
    urls = (provider.authorization_url, provider.token_url, provider.introspection_url, provider.revocation.url)
    schemes = {url.partition(":")[0] for url in urls if url}

    assert schemes == ({"http"} if provider.demo else {"https"})
    assert provider.demo == (provider.id == "demo_crm")
    assert provider.demo == (provider.group == "Demonstration")


def test_what_was_not_seen_in_a_source_is_marked(provider: Provider) -> None:
    assert provider.sources
    assert provider.demo or provider.unverified


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("google_ads", ("revocation.auth", "refresh", "operations")),
        ("google_drive_docs_sheets", ("revocation.auth", "refresh", "scopes")),
        ("gmail", ("revocation.auth", "refresh", "scopes")),
        ("meta_ads_pages", ("revocation", "scope_separator", "pkce")),
        ("instagram_login", ("revocation", "pkce")),
        ("linkedin_marketing", ("revocation",)),
        ("x_twitter", ("revocation.url",)),
        ("tiktok_ads", ("revocation", "strategy", "pkce")),
        ("tiktok_organic", ("scopes",)),
        ("hubspot", ("refresh", "token_url")),
        ("salesforce", ("refresh", "per_tenant_host")),
        ("mailchimp", ("revocation", "metadata_url", "pkce")),
        ("klaviyo", ("refresh", "pkce")),
        ("shopify", ("strategy", "revocation", "scope_separator", "pkce", "refresh")),
        ("slack", ("revocation",)),
        ("notion", ("token_life_words", "notes", "pkce")),
        ("webflow", ("revocation.url", "refresh", "scopes", "pkce")),
        ("canva", ("scopes", "refresh")),
        ("posthog", ("refresh.kind",)),
        ("pinterest", ("revocation", "pkce")),
        ("microsoft_ads", ("revocation", "refresh.kind", "extra_secrets", "pkce")),
    ],
)
def test_each_doubt_that_was_there_when_the_facts_were_gathered_is_still_told(
    name: str, fields: tuple[str, ...]
) -> None:
    provider = catalogue().provider(name)

    assert [each for each in fields if not provider.is_unverified(each)] == []


def test_the_doubts_of_google_s_own_header_and_narrow_permission_are_told() -> None:
    told = [
        *catalogue().provider("google_ads").unverified,
        *catalogue().provider("google_drive_docs_sheets").unverified,
    ]

    assert any("login-customer-id" in each for each in told)
    assert any("the narrow one" in each for each in told)


def test_who_takes_only_one_kind_of_token_says_so_in_words_too() -> None:
    takes = {one.id: one.revocation.takes for one in catalogue().providers.values() if one.revocation.takes}

    assert takes == {"hubspot": "refresh", "tiktok_organic": "access"}
    assert catalogue().provider("hubspot").revocation.kills.startswith("The refresh token only")
    assert catalogue().provider("tiktok_organic").revocation.kills.startswith("The access token")


def test_a_part_that_is_not_verified_makes_the_whole_doubtful_and_the_other_way_round() -> None:
    webflow, hubspot = catalogue().provider("webflow"), catalogue().provider("hubspot")

    assert webflow.is_unverified("revocation.url")
    assert webflow.is_unverified("revocation")
    assert not webflow.is_unverified("revocation.kills")
    assert hubspot.is_unverified("refresh.access_seconds")
    assert not hubspot.is_unverified("authorization_url")


def test_a_strategy_that_is_named_exists(provider: Provider) -> None:
    assert provider.strategy is None or provider.strategy in STRATEGIES


def test_a_provider_without_scopes_has_words_of_our_own_that_are_not_sent(provider: Provider) -> None:
    ours = [scope for scope in provider.scopes.values() if not scope.sent]

    assert len(ours) <= 1
    assert not ours or (provider.granted_from == "assumed" and ours[0].always)


@pytest.mark.parametrize("name", TWELVE)
def test_twelve_providers_have_at_least_three_operations(name: str) -> None:
    operations = catalogue().provider(name).operations.values()

    assert len(operations) >= 3
    assert sum(one.effect == "read" for one in operations) >= 2


def test_the_demonstration_shows_every_class_of_risk_but_the_least() -> None:
    demo = catalogue().provider("demo_crm")

    assert {one.risk for one in demo.operations.values()} == {Risk.R1, Risk.R1P, Risk.R2, Risk.R3, Risk.R4}
    assert demo.hosts == ()
    assert "on this computer" in demo.title


def test_an_operation_is_worded_for_the_person_who_approves_it(operation: Operation) -> None:
    assert operation.title[0].isupper()
    assert not operation.title.endswith(".")
    assert operation.words.endswith(".")


def test_what_changes_something_names_what_it_reaches_or_costs(operation: Operation) -> None:
    if operation.effect in {"send", "spend"}:
        assert operation.destinations
    assert operation.effect != "spend" or operation.amounts


def test_arguments_that_are_not_known_are_refused(operation: Operation) -> None:
    assert set(checked(operation, operation.example)) >= set(operation.example)
    with pytest.raises(ArgumentsRefused):
        checked(operation, {**operation.example, "host": "evil.example"})


def test_an_operation_needs_no_scope_riskier_than_it_must(operation: Operation) -> None:
    """A read is possible without any permission to spend, wherever the provider has a smaller one."""
    provider = next(one for one in catalogue().providers.values() if operation in one.operations.values())
    if operation.effect == "read" and provider.splits_read_from_write:
        least = min(max(provider.scopes[name].risk.rank for name in names) for names in operation.any_of)
        assert least <= Risk.R2.rank


def test_the_catalogue_is_read_once_and_cannot_be_changed() -> None:
    shelf = catalogue()

    assert catalogue() is shelf
    with pytest.raises(TypeError):
        shelf.providers["evil"] = shelf.provider("slack")  # type: ignore[index]
    with pytest.raises(TypeError):
        shelf.operation("slack", "post_message").arguments["properties"]["text"]["maxLength"] = 10**9


def test_the_version_changes_with_any_file() -> None:
    shelf = files(SHELF).joinpath("providers")
    texts = {"demo_crm.yaml": shelf.joinpath("demo_crm.yaml").read_text("utf-8")}
    changed = {"demo_crm.yaml": texts["demo_crm.yaml"].replace("maximum: 100000", "maximum: 200000")}

    assert build(texts).version == build(dict(texts)).version
    assert build(texts).version != build(changed).version


def test_searching_finds_by_name_first_and_by_what_it_does() -> None:
    shelf = catalogue()

    assert shelf.search("google ads")[0].id == "google_ads"
    assert "slack" in {one.id for one in shelf.search("post message channel")}
    assert shelf.search("zeppelin") == ()
    assert len(shelf.search()) == len(NAMES)
    assert shelf.search()[-1].id == "demo_crm"


def test_googles_products_are_one_family_and_others_stand_alone() -> None:
    shelf = catalogue()

    assert {one.id for one in shelf.family("gmail")} == {
        "gmail", "youtube", "google_ads", "google_analytics_4", "google_search_console", "google_drive_docs_sheets",
    }  # fmt: skip
    assert [one.id for one in shelf.family("slack")] == ["slack"]


def test_no_operation_asks_for_more_than_is_kept_of_an_answer() -> None:
    """What a provider would send beyond that is cut away unseen, and no page follows that could bring it."""
    for provider in catalogue().providers.values():
        for operation in provider.operations.values():
            written = str((operation.query, operation.body, operation.structured))
            asked = [int(each) for each in re.findall(r"\bLIMIT (\d+)", written)]
            asked += [
                int(each)
                for each in re.findall(r"(?i)'(?:page_?size|limit|count|per_page|maxresults)': (\d+)", written)
            ]
            for name, rule in operation.arguments["properties"].items():
                if name in {"limit", "count", "size"} and "maximum" in rule:
                    asked.append(rule["maximum"])
            assert all(each <= MAX_ITEMS for each in asked), f"{provider.id}.{operation.id}: {asked}"


def test_a_published_post_is_named_in_the_answer() -> None:
    operation = catalogue().operation("linkedin_marketing", "publish_post")

    assert dict(operation.answer_headers) == {"id": "x-restli-id"}
    assert operation.projection == ("id",)
