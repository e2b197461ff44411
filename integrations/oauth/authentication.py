"""Proves to a provider who Joule is: the four ways of the standard, over Authlib, and by name in the body.

Authlib sends the parts of basic authentication as they are; RFC 6749 §2.3.1 wants them form-encoded first.
"""

import base64
from typing import Any
from urllib.parse import quote_plus

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]
from authlib.oauth2.rfc7523 import PrivateKeyJWT  # type: ignore[import-untyped]
from joserfc.jwk import ECKey, OKPKey, RSAKey

from integrations.catalogue.model import Provider
from integrations.oauth.secret import Secret
from integrations.oauth.sending import HttpPolicy, client_settings
from integrations.oauth.tokens import ClientIdentity
from joule.kernel.clock import Clock
from joule.kernel.errors import Misconfigured

ASSERTION_SECONDS = 60
ALGORITHMS = ("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
_KEYS: dict[str, Any] = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}


def wire_client(
    provider: Provider, client: ClientIdentity, *, secret: Secret | None, policy: HttpPolicy, clock: Clock
) -> AsyncOAuth2Client:
    """An Authlib client for one request. It knows no token and no token endpoint, so it never refreshes by itself."""
    method = provider.token_auth
    made = AsyncOAuth2Client(
        client.client_id,
        secret.reveal() if secret is not None else None,
        token_endpoint_auth_method=method,
        scope=None,
        **client_settings(policy),
    )
    if method == "client_secret_basic":
        made.register_client_auth_method(("client_secret_basic", _form_encoded_basic))
    if method == "private_key_jwt":
        made.client_secret = _key(provider, client)
        made.register_client_auth_method(_assertion(provider, client, clock=clock))
    return made


def authentication(provider: Provider, made: AsyncOAuth2Client) -> httpx2.Auth | None:
    """What signs a request, or None when the client's names go into the body (see `named_fields`)."""
    if provider.token_auth == "json" or provider.client_id_param != "client_id" or _posts_json(provider):  # noqa: S105
        return None
    auth: httpx2.Auth = made.client_auth(provider.token_auth)
    return auth


def named_fields(provider: Provider, client: ClientIdentity, *, secret: Secret | None) -> dict[str, str]:
    """Client id and secret as fields of the body, for providers that want them by other names or as JSON."""
    if provider.token_auth == "json" or provider.client_id_param != "client_id" or _posts_json(provider):  # noqa: S105
        named = {provider.client_id_param: client.client_id}
        if secret is not None:
            named["client_secret"] = secret.reveal()
        return named
    return {}


def is_key(pem: Secret, algorithm: str) -> bool:
    """Whether this is a private key in PEM form that signs with this algorithm."""
    kind = _KEYS.get(algorithm[:2])
    if kind is None or algorithm not in ALGORITHMS:
        return False
    try:
        return bool(kind.import_key(pem.reveal()).is_private)
    except ValueError:
        return False


def _posts_json(provider: Provider) -> bool:
    """True when the secret belongs into a body that is JSON, where Authlib cannot put it."""
    return provider.token_body == "json" and provider.token_auth in ("client_secret_post", "none")  # noqa: S105


def _form_encoded_basic(auth: Any, method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    pair = f"{quote_plus(auth.client_id)}:{quote_plus(auth.client_secret or '')}"
    headers["Authorization"] = "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")
    return uri, headers, body


def _key(provider: Provider, client: ClientIdentity) -> Any:
    kind = _KEYS.get(client.key_algorithm[:2])
    if client.private_key is None or kind is None:
        raise Misconfigured(
            f"{provider.title} wants a signed assertion and there is no private key for it",
            advice="Give this provider's client a private key in PEM form, with its algorithm.",
        )
    try:
        return kind.import_key(client.private_key.reveal())
    except ValueError:
        raise Misconfigured(
            f"the private key for {provider.title} cannot be read",
            advice=f"Give a PEM key for {client.key_algorithm}.",
        ) from None


def _assertion(provider: Provider, client: ClientIdentity, *, clock: Clock) -> PrivateKeyJWT:
    """A fresh signer: Authlib keeps the `jti` of the first assertion, so one must never serve twice."""
    issued = int(clock.now().timestamp())
    return PrivateKeyJWT(
        token_endpoint=provider.token_url,
        alg=client.key_algorithm,
        headers={"kid": client.key_id} if client.key_id else None,
        claims={"iat": issued, "exp": issued + ASSERTION_SECONDS},
    )
