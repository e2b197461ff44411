"""What a browser brings back from Shopify counts only if Shopify signed it: for this app, this shop and this code."""

import hmac
from hashlib import sha256
from urllib.parse import urlencode

import pytest

from integrations.catalogue.load import catalogue
from integrations.oauth.errors import CallbackRefused
from integrations.oauth.wire import ClientIdentity, HttpPolicy, Secret, TokenEndpoint, for_tenant
from joule.kernel.clock import SystemClock

SHOP, SECRET = "blue-bike.myshopify.com", "app-secret-of-the-shop"
USUAL = {"code": "c0de", "host": "YWRtaW4=", "shop": SHOP, "state": "s", "timestamp": "1790000000"}


def endpoint(**secrets: str | None) -> TokenEndpoint:
    held = {name: None if value is None else Secret(value) for name, value in secrets.items()}
    return TokenEndpoint(
        provider=for_tenant(catalogue().provider("shopify"), SHOP),
        client=ClientIdentity(client_id="app", **held),
        http=HttpPolicy(),
        clock=SystemClock(),
    )


def query(*, secret: str = SECRET, encoded: bool = True, **changes: str) -> str:
    """As Shopify sends it, but for `changes` made before it is signed."""
    pairs = sorted({**USUAL, **changes}.items())
    message = urlencode(pairs) if encoded else "&".join(f"{name}={value}" for name, value in pairs)
    return f"{urlencode(pairs)}&hmac={hmac.new(secret.encode(), message.encode(), sha256).hexdigest()}"


def checked(returned: str | None, *, code: str = "c0de", **secrets: str | None) -> Secret:
    return endpoint(**(secrets or {"client_secret": SECRET})).check_callback(
        code=Secret(code), issuer=None, error=None, returned=None if returned is None else Secret(returned)
    )


def test_what_shopify_signed_is_taken() -> None:
    assert checked(query()).reveal() == "c0de"
    assert checked(query(encoded=False)).reveal() == "c0de"
    assert checked(query(), client_secret="the new one", next_secret=SECRET).reveal() == "c0de"


@pytest.mark.parametrize(
    ("returned", "code"),
    [
        (None, "c0de"),
        ("", "c0de"),
        (urlencode(USUAL), "c0de"),
        (query(secret="another app's"), "c0de"),
        (query() + "&hmac=" + "0" * 64, "c0de"),
        (query().replace("c0de", "c0df"), "c0df"),
        (query().replace("timestamp=1790000000", "timestamp=1790000001"), "c0de"),
        (query() + "&extra=1", "c0de"),
        (query(shop="other.myshopify.com"), "c0de"),
        (query(), "another"),
    ],
)
def test_anything_else_is_refused_before_the_code_leaves(returned: str | None, code: str) -> None:
    with pytest.raises(CallbackRefused):
        checked(returned, code=code)


def test_without_a_secret_nothing_can_have_been_signed() -> None:
    with pytest.raises(CallbackRefused):
        checked(query(secret=""), client_secret=None)
    with pytest.raises(CallbackRefused):
        checked(query(secret=""), client_secret="")


def test_other_providers_need_no_signature() -> None:
    plain = TokenEndpoint(
        provider=catalogue().provider("hubspot"),
        client=ClientIdentity(client_id="app"),
        http=HttpPolicy(),
        clock=SystemClock(),
    )

    assert plain.check_callback(code=Secret("c0de"), issuer=None, error=None).reveal() == "c0de"
