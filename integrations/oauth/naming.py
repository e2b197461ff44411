"""Asks the provider whose account a token is, as the catalogue says it can be found out.

What is in the token answer costs nothing; the rest is asked with the token, through the same guarded line as all of OAuth.
An id_token came from the token endpoint itself, over TLS, for the code of this very browser, so its signature is not what
makes it believable (OpenID Connect Core 3.1.3.7); it still has to be made for this app and to be alive.
"""

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from integrations.catalogue.account import NamedAccount, read
from integrations.catalogue.model import Provider
from integrations.oauth.errors import AnswerRefused
from integrations.oauth.line import ProviderLine
from integrations.oauth.tokens import TokenSet

NAME, ID = "account", "account_id"  # where a token set keeps them, in `extra`
LONGEST_ID_TOKEN = 8 * 1024


def kept_in(tokens: TokenSet) -> NamedAccount:
    """What a token set already knows of its account."""
    return NamedAccount(name=tokens.extra.get(NAME), id=tokens.extra.get(ID))


def as_extra(account: NamedAccount) -> dict[str, str]:
    """The account as a token set keeps it."""
    return {name: value for name, value in ((NAME, account.name), (ID, account.id)) if value is not None}


def in_answer(provider: Provider, body: Mapping[str, Any], *, client_id: str, now: datetime) -> NamedAccount:
    """What a checked token answer says of the account."""
    found = NamedAccount()
    for clue in provider.account:
        if clue.source == "token":
            found = found.and_then(read(clue, body))
        elif clue.source == "id_token":
            found = found.and_then(read(clue, _claims(body.get("id_token"), client_id=client_id, now=now)))
    return found


async def asked(line: ProviderLine, tokens: TokenSet, *, granted: Collection[str], tenant: str | None) -> NamedAccount:
    """What the token set knows and, where that is not all, what the provider says when it is asked.

    Raises `ProviderBusy` for a provider that could not be asked; one that refuses says nothing, which is an answer.
    """
    found = kept_in(tokens)
    for clue in line.provider.account:
        useful = (clue.name is not None and found.name is None) or (clue.id is not None and found.id is None)
        if not useful or not set(clue.needs) <= set(granted):
            continue
        try:
            if clue.source == "call":
                found = found.and_then(read(clue, await line.with_token(clue, tokens, tenant=tenant)))
            elif clue.source == "introspection":
                url = line.provider.introspection_url or ""
                fields = [("token", tokens.access_token.reveal()), ("token_type_hint", "access_token")]
                answer = await line.as_client(url, fields)
                found = found.and_then(read(clue, answer.body if answer.status < 400 else None))
        except AnswerRefused:
            continue
    return found


def _claims(token: object, *, client_id: str, now: datetime) -> Mapping[str, Any]:
    """The claims of an id_token that is for `client_id` and has not ended; nothing of any other."""
    if not isinstance(token, str) or len(token) > LONGEST_ID_TOKEN or token.count(".") != 2:
        return {}
    middle = token.split(".")[1]
    try:
        claims = json.loads(base64.b64decode(middle + "=" * (-len(middle) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    if not isinstance(claims, dict):
        return {}
    audience, ends = claims.get("aud"), claims.get("exp")
    meant = audience if isinstance(audience, list) else [audience]
    alive = isinstance(ends, int | float) and not isinstance(ends, bool) and ends > now.timestamp() - 300
    return claims if client_id in meant and alive else {}
