"""No argument, however hostile, changes where a request goes or what shape it has."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.catalogue.arguments import checked
from integrations.catalogue.errors import ArgumentsRefused, HostRefused
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Operation, Provider, frozen
from integrations.catalogue.render import GAP, OutgoingRequest, at_tenant, render
from tests.integrations.catalogue.samples import blue_bike

HOSTILE = [
    "..", "../..", "../../admin", "..%2f..%2fadmin", "%2e%2e/%2e%2e", ".", "a/../../b", "/etc", "//evil.example", "a/b",
    "..\\..", "a?b=c", "a#b", "a&b=c", "a;b", "a\nHost: evil.example", "a\r\nX: y", "a\x00b", "@evil.example",
    "evil.example:443/", "https://evil.example/", ":80", "．．／．．", "‥/‥", "a／b", "a⁄b", "a∕b", "a\u202eb", "a\u200bb",
    "a\ufeffb", "\ud800", "é", "{city}", "{tenant}", "${city}", "%", "%00", "%0d%0a", "' OR '1'='1", "\"}]}", "", " ", " .. ",
]  # fmt: skip
longer = st.tuples(st.sampled_from(HOSTILE), st.text(max_size=8)).map("".join)
hostile = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30), longer)
BIKES = blue_bike()
ARGUMENTS = [
    (provider.id, operation.id, name)
    for provider in catalogue().providers.values()
    for operation in provider.operations.values()
    for name, rule in operation.arguments["properties"].items()
    if rule.get("type") in {"string", "array"}
]


def same_shape(provider: Provider, operation: Operation, request: OutgoingRequest, plain: OutgoingRequest) -> None:
    """Raises if the request differs from a harmless one in anything but the gaps' contents."""
    parts = urlsplit(request.url)
    assert (parts.scheme, parts.netloc, parts.fragment) == (plain.scheme, plain.host, "")
    assert request.path.count("/") == plain.path.count("/")
    assert urlsplit(urljoin(f"https://{plain.host}/", request.path)).path == parts.path == request.path
    for segment, template in zip(request.path.split("/"), operation.path.split("/"), strict=True):
        if not GAP.search(template):
            assert segment == template
        assert unquote(segment) not in {".", ".."}
        assert not segment or unquote(segment)
    sent = httpx2.URL(request.url)  # as the broker's client understands it
    assert (sent.host, sent.raw_path.decode()) == (parts.hostname, request.url.partition(parts.netloc)[2])
    assert set(dict(request.query)) <= set(operation.query)
    decoded = [(name, unquote(value)) for name, value in request.structured]
    assert parse_qsl(parts.query, keep_blank_values=True) == [*request.query, *decoded]
    assert request.url.isascii()
    assert not any(ord(character) <= 32 for character in request.url)
    assert set(request.headers) <= set(operation.headers)
    assert all("\r" not in text and "\n" not in text for text in request.headers.values())
    assert _shape(request.json, plain.json) or operation.body is not None


def _shape(one: Any, other: Any) -> bool:
    return isinstance(one, Mapping) == isinstance(other, Mapping)


@pytest.mark.parametrize(("provider", "operation"), sorted({each[:2] for each in ARGUMENTS}))
def test_every_operation_renders_with_its_example(provider: str, operation: str) -> None:
    found = catalogue().provider(provider)
    one = found.operations[operation]

    request = render(found, one, one.example, tenant_host=found.tenant_example)

    assert request.method == one.method
    assert request.host in {*found.hosts, found.tenant_example}
    assert request.scheme == ("http" if found.demo else "https")
    assert not GAP.search(request.url)
    assert (request.json is None) == (one.body is None)
    assert "authorization" not in {name.lower() for name in request.headers}


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(where=st.sampled_from(ARGUMENTS), value=hostile, tenant=st.one_of(st.none(), hostile))
def test_a_hostile_argument_changes_neither_host_nor_path(
    where: tuple[str, str, str], value: str, tenant: str | None
) -> None:
    provider = catalogue().provider(where[0])
    operation = provider.operations[where[1]]
    is_list = operation.arguments["properties"][where[2]]["type"] == "array"
    arguments = {**operation.example, where[2]: [value] if is_list else value}
    plain = render(provider, operation, operation.example, tenant_host=provider.tenant_example)

    try:
        request = render(provider, operation, arguments, tenant_host=provider.tenant_example)
    except ArgumentsRefused:
        pass  # nothing is sent: also fine
    else:
        same_shape(provider, operation, request, plain)
    if tenant is not None and operation.host == "{tenant}" and tenant != provider.tenant_example:
        with pytest.raises(HostRefused):
            render(provider, operation, operation.example, tenant_host=tenant)


@settings(max_examples=600, deadline=None)
@given(value=hostile, name=st.sampled_from(["list_customers", "write_note"]))
def test_even_where_the_schema_lets_anything_by_the_path_keeps_its_shape(value: str, name: str) -> None:
    provider = BIKES
    operation = provider.operations[name]
    argument = "city" if name == "list_customers" else "file"
    plain = render(provider, operation, operation.example)

    try:
        request = render(provider, operation, {**operation.example, argument: value})
    except ArgumentsRefused:
        return
    same_shape(provider, operation, request, plain)
    assert value in unquote(request.path)


def test_without_the_guard_the_same_argument_climbs_out() -> None:
    city = "../../admin"

    naive = urljoin("https://api.bluebike.example", f"/v1/cities/{city}/customers")

    assert naive == "https://api.bluebike.example/admin/customers"
    with pytest.raises(ArgumentsRefused):
        render(blue_bike(), blue_bike().operations["list_customers"], {"city": city})


@pytest.mark.parametrize(
    "city", ["..", ".", "a/b", "a\\b", "a?b", "a#b", "a%2fb", "．．", "a／b", "", " .. ", "a\nb", "a\tb"]
)
def test_what_a_lenient_server_might_read_as_another_path_is_refused(city: str) -> None:
    provider = blue_bike()

    with pytest.raises(ArgumentsRefused) as refusal:
        render(provider, provider.operations["list_customers"], {"city": city})

    assert refusal.value.argument == "city"


@pytest.mark.parametrize("city", ["ghent", "São Paulo", "東京", "a b", "50+", "x:y", "..a", "…"])
def test_ordinary_names_of_the_world_go_through_encoded(city: str) -> None:
    provider = blue_bike()
    operation = provider.operations["list_customers"]
    if city == "…":  # three dots once normalised: only dots are no name
        with pytest.raises(ArgumentsRefused):
            render(provider, operation, {"city": city + "/"})
        return

    request = render(provider, operation, {"city": city})

    assert unquote(request.path) == f"/v1/cities/{city}/customers"
    assert request.path.isascii()


def test_a_declared_slash_stays_inside_its_segment() -> None:
    provider = blue_bike()
    note = provider.operations["write_note"]

    request = render(provider, note, {"file": "2026/plan", "text": "hello"})

    assert request.path == "/v1/files/2026%2Fplan/notes"
    with pytest.raises(ArgumentsRefused):
        render(provider, note, {"file": "2026/../../x", "text": "hello"})


def test_gaps_keep_their_type_and_what_is_not_given_is_left_out() -> None:
    provider = blue_bike()

    note = render(provider, provider.operations["write_note"], {"file": "f", "text": '"}, "x": "', "pinned": True})
    listing = render(provider, provider.operations["list_customers"], {"city": "ghent", "tags": ["a", "b&c"]})

    assert note.json == {"note": {"text": '"}, "x": "', "pinned": True}}
    assert note.headers == {}
    assert listing.query == (("limit", "25"), ("tag", "a"), ("tag", "b&c"), ("labels", "a,b&c"))
    assert listing.url.endswith("?limit=25&tag=a&tag=b%26c&labels=a%2Cb%26c")


@pytest.mark.parametrize("manager", ["1\nX-Evil: 1", "1\r\n", "é", "\x7f"])
def test_a_header_takes_only_plain_visible_characters(manager: str) -> None:
    provider = blue_bike()

    with pytest.raises(ArgumentsRefused):
        render(provider, provider.operations["write_note"], {"file": "f", "text": "t", "manager": manager})
    good = render(provider, provider.operations["write_note"], {"file": "f", "text": "t", "manager": "12"})
    assert good.headers == {"X-Manager": "12"}


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, "missing"),
        ({"city": "x", "token": "secret"}, "does not know"),
        ({"city": 3}, "type"),
        ({"city": "x" * 101}, "longer"),
        ({"city": "x", "limit": 101}, "more than 100"),
        ({"city": "x", "limit": True}, "type"),
        ({"city": "x", "since": "2026-11-2\n"}, "form"),
        ({"city": "x", "since": "２０２６-11-21"}, "form"),
        ({"city": "x", "tags": ["a"] * 4}, "more than 3"),
        ({"city": "x", "page": "y" * 70_000}, "larger"),
        ({"city": "x", "page": float("nan")}, "JSON"),
        ({"city": "x", "page": object()}, "JSON"),
        ({"city": "x\u202e"}, "seen"),
        ({"city": "x\ud800"}, "seen"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_without_repeating_them(arguments: dict[str, Any], rule: str) -> None:
    provider = blue_bike()

    with pytest.raises(ArgumentsRefused) as refusal:
        render(provider, provider.operations["list_customers"], arguments)

    assert rule in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_no_pattern_of_the_catalogue_can_be_made_to_take_long() -> None:
    tried = 0
    began = time.perf_counter()

    for provider, operation, name in ARGUMENTS:
        one = catalogue().operation(provider, operation)
        rule = one.arguments["properties"][name]
        if "pattern" not in rule:
            continue
        for text in ("a" * 60_000, "1" * 60_000, *(piece * (rule["maxLength"] - 1) + "!" for piece in "a1.-@/")):
            with suppress(ArgumentsRefused):  # some of them fit
                checked(one, {**one.example, name: text})
            tried += 1

    assert tried > 500
    assert (time.perf_counter() - began) / tried < 0.05


def test_a_whole_number_with_a_point_is_written_as_one() -> None:
    provider = blue_bike()

    request = render(provider, provider.operations["list_customers"], {"city": "x", "limit": 7.0})

    assert ("limit", "7") in request.query


@pytest.mark.parametrize(
    ("provider", "tenant"),
    [
        ("shopify", "evil.com/.myshopify.com"), ("shopify", "shop.myshopify.com.evil.com"), ("shopify", "myshopify.com"),
        ("shopify", "a.b.myshopify.com"), ("shopify", "shop.myshopify.com\n"), ("shopify", "SHOP.myshopify.com"),
        ("shopify", "shop.myshopify.com:8443"), ("shopify", "x@shop.myshopify.com"), ("shopify", "-a.myshopify.com"),
        ("salesforce", "evilsalesforce.com"), ("salesforce", "salesforce.com.evil.com"), ("salesforce", "169.254.169.254"),
        ("salesforce", "a.evil.com/x.salesforce.com"), ("salesforce", "ａ.salesforce.com"),
        ("mailchimp", "us1.api.mailchimp.com.evil.com"), ("mailchimp", "evil.us1.api.mailchimp.com"),
        ("mailchimp", "us1.api.mailchimp.com#"), ("posthog", "us.posthog.com.evil.com"), ("posthog", "app.posthog.com"),
        ("demo_crm", "127.0.0.1"), ("demo_crm", "127.0.0.1:80@evil.com"), ("demo_crm", "169.254.169.254:80"),
        ("demo_crm", "localhost:80"), ("demo_crm", "127.0.0.1:8765/x"),
    ],
)  # fmt: skip
def test_a_tenants_name_that_is_not_the_providers_is_refused(provider: str, tenant: str) -> None:
    found = catalogue().provider(provider)

    with pytest.raises(HostRefused):
        at_tenant(found, "https://{tenant}/x", tenant)

    assert at_tenant(found, "https://{tenant}/x", found.tenant_example) == f"https://{found.tenant_example}/x"


def test_a_host_outside_the_catalogue_is_refused_even_in_an_operation() -> None:
    provider = blue_bike()
    tampered = replace(provider.operations["list_customers"], host="evil.example")

    with pytest.raises(HostRefused):
        render(provider, tampered, {"city": "x"})
    with pytest.raises(HostRefused):
        render(provider, replace(tampered, host="{tenant}"), {"city": "x"}, tenant_host="evil.example")


def test_an_address_that_would_become_too_long_is_refused() -> None:
    provider = blue_bike()
    operation = provider.operations["list_customers"]
    roomy = {**operation.schema()["properties"], "page": {"type": "string", "maxLength": 20_000}}
    loose = replace(operation, arguments=frozen({**operation.schema(), "properties": roomy}))

    with pytest.raises(ArgumentsRefused):
        render(provider, loose, {"city": "x", "page": "y" * 9_000})


def test_mail_cannot_be_given_another_header() -> None:
    import base64
    from email import message_from_bytes

    gmail = catalogue().provider("gmail")
    send = gmail.operations["send_message"]
    wish = {"to": "kim@example.com", "subject": "Grüße aus Köln", "text": "Bcc: all@example.com\n\nHallo"}

    request = render(gmail, send, wish)

    assert request.json is not None
    message = message_from_bytes(base64.urlsafe_b64decode(request.json["raw"]))
    assert message["To"] == "kim@example.com"
    assert message["Bcc"] is None
    for evil in ("a\nBcc: all@example.com", "a\r\nBcc: all@example.com", "a\tb"):
        with pytest.raises(ArgumentsRefused):
            render(gmail, send, {**wish, "subject": evil})
    for address in ("kim@example.com, all@example.com", "kim@example.com\nBcc: x@y.z", "<kim@example.com>", "kim"):
        with pytest.raises(ArgumentsRefused):
            render(gmail, send, {**wish, "to": address})


def test_dates_are_split_where_a_provider_wants_their_parts() -> None:
    linkedin = catalogue().provider("linkedin_marketing")
    figures = linkedin.operations["ad_analytics"]

    request = render(linkedin, figures, {"account": 5, "from_date": "2026-02-03", "to_date": "2026-02-28"})

    assert "&dateRange=(start:(year:2026,month:2,day:3),end:(year:2026,month:2,day:28))&" in request.url
    assert "&accounts=List(urn%3Ali%3AsponsoredAccount%3A5)&" in request.url
    for evil in ("2026-02-03),x:(", "2026-02-03&accounts=List(1)", "2026-02"):
        with pytest.raises(ArgumentsRefused):
            render(linkedin, figures, {"account": 5, "from_date": evil, "to_date": "2026-02-28"})


def test_a_report_query_holds_nothing_but_what_the_catalogue_and_dates_say() -> None:
    ads = catalogue().provider("google_ads")
    report = ads.operations["campaign_performance"]

    request = render(ads, report, report.example)

    assert request.json is not None
    assert "BETWEEN '2026-10-01' AND '2026-10-31'" in request.json["query"]
    with pytest.raises(ArgumentsRefused):
        render(ads, report, {**report.example, "to_date": "2026' OR"})


def test_a_post_on_linkedin_is_published_whole_and_mentions_nobody() -> None:
    linkedin = catalogue().provider("linkedin_marketing")

    def commentary(text: str) -> str:
        request = render(linkedin, linkedin.operations["publish_post"], {"organization": 5, "text": text})
        assert request.json is not None
        return str(request.json["commentary"])

    assert commentary("Now open (Ghent), 5 * better_still") == r"Now open \(Ghent\), 5 \* better\_still"
    assert commentary("@[Kim](urn:li:person:1) # 1") == r"\@\[Kim\]\(urn:li:person:1\) \# 1"
    assert commentary("Plain words. #spring") == "Plain words. #spring"  # a hashtag stays one
