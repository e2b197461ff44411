"""Has an issuer make Joule one of its clients (RFC 7591), where it takes anybody who asks.

Asked for is what Joule needs and no more; what comes back counts only as far as it agrees with that.
"""

import json

import httpx2

from integrations.catalogue.model import Provider
from integrations.oauth.answers import without_error
from integrations.oauth.discovery import ServerMetadata
from integrations.oauth.errors import AnswerRefused
from integrations.oauth.hosts import checked_url
from integrations.oauth.secret import Secret
from integrations.oauth.sending import HttpPolicy, ask, client_settings
from integrations.oauth.tokens import ClientIdentity
from joule.kernel.clock import Clock

LONGEST = 2_000


async def registered(
    provider: Provider,
    metadata: ServerMetadata,
    *,
    redirect_uri: str,
    http: HttpPolicy,
    clock: Clock,
) -> ClientIdentity:
    """Joule as the issuer knows it from now on. Raises RequestRefused, AnswerRefused or what the wire raises."""
    url = checked_url(provider, metadata.registration_endpoint, published=True)
    way = "none" if metadata.takes_public_clients else metadata.secret_goes
    wanted = {
        "client_name": "Joule",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": way,
    }
    async with httpx2.AsyncClient(**client_settings(http)) as client:
        answer = await ask(
            client,
            provider=provider.title,
            policy=http,
            clock=clock,
            method="POST",
            url=url,
            headers={"Content-Type": "application/json"},
            content=json.dumps(wanted).encode(),
        )
    body = without_error(provider, answer)
    name, secret = body.get("client_id"), body.get("client_secret")
    if not isinstance(name, str) or not name or len(name) > LONGEST or not name.isprintable():
        raise AnswerRefused(provider.title, reason="no_client_id")
    if body.get("token_endpoint_auth_method", way) != way:
        raise AnswerRefused(provider.title, reason="another_way_to_prove_itself")
    if body.get("redirect_uris", [redirect_uri]) != [redirect_uri]:
        raise AnswerRefused(provider.title, reason="another_way_back")
    if way == "none":
        return ClientIdentity(client_id=name)
    if not isinstance(secret, str) or not secret or len(secret) > LONGEST or not secret.isprintable():
        raise AnswerRefused(provider.title, reason="no_client_secret")
    return ClientIdentity(client_id=name, client_secret=Secret(secret))
