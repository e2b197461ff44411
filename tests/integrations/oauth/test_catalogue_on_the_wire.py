"""Every provider of the catalogue can be spoken to: its addresses pass our own checks and its requests can be made."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from integrations.catalogue.implied import to_ask, to_send
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from integrations.oauth.hosts import checked_url, for_tenant, knows_host
from integrations.oauth.wire import ClientIdentity, HttpPolicy, Secret, TokenEndpoint, new_state, new_verifier
from joule.kernel.clock import SystemClock

TENANTS = {
    "demo_crm": "127.0.0.1:8765",
    "shopify": "blue-bike.myshopify.com",
    "salesforce": "blue-bike.my.salesforce.com",
    "posthog": "eu.posthog.com",
    "mailchimp": "us19.api.mailchimp.com",
}


def ready(provider: Provider) -> Provider:
    return for_tenant(provider, TENANTS[provider.id]) if provider.per_tenant_host is not None else provider


@pytest.mark.parametrize("name", sorted(catalogue().providers))
def test_a_provider_s_request_holds_what_it_expects(name: str) -> None:
    provider = ready(catalogue().providers[name])
    client = ClientIdentity(client_id="c", client_secret=Secret("canary-client-secret"))
    endpoint = TokenEndpoint(provider=provider, client=client, http=HttpPolicy(), clock=SystemClock())
    state, verifier = new_state(), new_verifier()
    scopes = to_ask(provider, provider.scopes)

    request = endpoint.authorization_request(state, verifier, "https://joule.example/integrations/callback/x", scopes)
    sent = dict(parse_qsl(urlsplit(request.url).query))

    assert sent[provider.client_id_param] == "c"
    assert sent["state"] == state.reveal()
    assert sent.get("scope", "") == provider.scope_separator.join(to_send(provider, scopes))
    assert ("code_challenge" in sent) == (provider.pkce in ("required", "accepted"))
    assert sent.items() >= provider.authorize_params.items()
    assert "canary" not in request.url
    assert verifier.reveal() not in request.url


@pytest.mark.parametrize("name", sorted(catalogue().providers))
def test_a_provider_s_addresses_are_ones_we_would_go_to(name: str) -> None:
    provider = ready(catalogue().providers[name])
    named = (provider.token_url, provider.introspection_url, provider.metadata_url, provider.permissions_url)

    for url in (provider.authorization_url, *named, provider.revocation.url):
        if url is not None:
            assert checked_url(provider, url, published=True) == url
    assert not knows_host(provider, "evil.example")
    assert not knows_host(provider, "169.254.169.254")
    if provider.revocation.possible:
        assert provider.revocation.url is not None
