"""Rules 33 and 34: a resource's metadata is about exactly that resource, and our own document about exactly us."""

from dataclasses import replace
from typing import Any

import pytest

from integrations.catalogue.model import Provider
from integrations.oauth.errors import AnswerRefused, DiscoveryRefused, HostRefused
from integrations.oauth.resources import client_document, protected_resource
from integrations.oauth.wire import HttpPolicy
from joule.kernel.clock import SystemClock
from joule.kernel.errors import Invalid
from tests.integrations.oauth.conftest import PLAIN
from tests.support.odd_provider import OddProvider
from tests.support.provider_server import Json


def at(odd: OddProvider) -> Provider:
    return replace(PLAIN, hosts=(f"127.0.0.1:{odd.server.port}",))


async def test_rule_33_a_resource_names_its_authorization_servers(odd: OddProvider) -> None:
    resource = f"{odd.base}/mcp"
    odd.will(Json(value={"resource": resource, "authorization_servers": [odd.base], "scopes_supported": ["a", 1]}))

    found = await protected_resource(at(odd), resource, http=HttpPolicy(), clock=SystemClock())

    assert odd.seen[0].target == "/.well-known/oauth-protected-resource/mcp"
    assert (found.authorization_servers, found.scopes) == ((odd.base,), ("a",))


@pytest.mark.parametrize(
    "changes",
    [
        {"resource": "https://other.example/mcp"},
        {"resource": None},
        {"authorization_servers": []},
        {"authorization_servers": None},
        {"authorization_servers": ["https://evil.example"]},
        {"authorization_servers": [17]},
        {"authorization_servers": ["http://127.0.0.1"] * 11},
    ],
)
async def test_rule_33_metadata_about_something_else_is_refused(odd: OddProvider, changes: dict[str, Any]) -> None:
    resource = f"{odd.base}/mcp"
    odd.will(Json(value={"resource": resource, "authorization_servers": [odd.base], **changes}))

    with pytest.raises(DiscoveryRefused):
        await protected_resource(at(odd), resource, http=HttpPolicy(), clock=SystemClock())


async def test_rule_33_a_resource_elsewhere_is_not_asked_and_redirects_are_not_followed(odd: OddProvider) -> None:
    with pytest.raises(HostRefused):
        await protected_resource(at(odd), "http://127.0.0.1:1/mcp", http=HttpPolicy(), clock=SystemClock())
    odd.will(Json(status=302, headers={"location": f"{odd.base}/x"}))

    with pytest.raises(AnswerRefused, match="redirect"):
        await protected_resource(at(odd), f"{odd.base}/mcp", http=HttpPolicy(), clock=SystemClock())

    assert len(odd.seen) == 1


def test_rule_34_our_client_document_is_about_its_own_address() -> None:
    url = "https://joule.example/integrations/client.json"

    document = client_document(url, name="Joule", redirect_uris=("https://joule.example/integrations/callback/x",))

    assert document["client_id"] == url
    assert document["token_endpoint_auth_method"] == "none"
    for wrong in (
        "http://joule.example/c",
        "https://joule.example",
        "https://joule.example/#c",
        "https://u@j.example/c",
    ):
        with pytest.raises(Invalid):
            client_document(wrong, name="Joule", redirect_uris=())
