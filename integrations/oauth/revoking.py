"""Tells a provider that tokens are over, and says of each what really happened to it.

The refresh token goes first: at most providers that ends the access token as well. A 200 for a token the provider does not
know is success by RFC 7009; a 401 is our client being refused, so the token may well be alive.
"""

from typing import Literal

from integrations.catalogue.model import Revocation
from integrations.oauth.errors import AnswerRefused, ProviderBusy
from integrations.oauth.line import ProviderLine
from integrations.oauth.secret import Secret
from integrations.oauth.sending import Answer
from integrations.oauth.standard import Standard
from integrations.oauth.tokens import TokenOutcome, TokenSet
from joule.kernel.errors import JouleError

Which = Literal["refresh", "access"]
_DEAD = frozenset({"invalid_token", "invalid_grant", "token_revoked", "token_expired"})


async def revoke(line: ProviderLine, strategy: Standard, tokens: TokenSet) -> tuple[TokenOutcome, ...]:
    """One outcome for each token there is, refresh token first."""
    held: list[tuple[Which, Secret]] = [("access", tokens.access_token)]
    if tokens.refresh_token is not None:
        held.insert(0, ("refresh", tokens.refresh_token))
    told = line.provider.revocation
    if not told.possible or told.url is None:
        return tuple(TokenOutcome(token=which, outcome="unsupported", detail="by_hand") for which, _ in held)
    url = told.url.replace("{tenant}", tokens.extra.get("tenant", "{tenant}"))
    return tuple([await _one(line, strategy, told, url, which=which, token=token) for which, token in held])


async def _one(
    line: ProviderLine, strategy: Standard, told: Revocation, url: str, *, which: Which, token: Secret
) -> TokenOutcome:
    takes = "access" if told.auth == "bearer" else told.takes
    if takes not in (None, which):  # asking for the other would only be refused, and tried again for days
        return TokenOutcome(token=which, outcome="unsupported", detail=f"by_{takes}_token")
    try:
        answer = await _sent(line, strategy, told, url, which=which, token=token)
    except ProviderBusy:
        return TokenOutcome(token=which, outcome="failed", detail="busy")
    except AnswerRefused as refused:
        if told.kind == "rfc7009" and refused.reason in ("not_json", "not_an_object"):  # a 2xx; its body says nothing
            return TokenOutcome(token=which, outcome="revoked", detail="told")
        return TokenOutcome(token=which, outcome="failed", detail=refused.reason)
    except JouleError as refused:
        return TokenOutcome(token=which, outcome="failed", detail=refused.code)
    return _judged(answer, which)


async def _sent(
    line: ProviderLine, strategy: Standard, told: Revocation, url: str, *, which: Which, token: Secret
) -> Answer:
    if told.auth == "bearer":
        return await line.plain(told.method, url, authorization=f"{line.provider.token_prefix}{token.reveal()}")
    fields = [(strategy.revocation_field, token.reveal())]
    if told.kind == "rfc7009":
        fields.append(("token_type_hint", f"{which}_token"))
    if told.auth == "none":
        return await line.plain(told.method, url, fields=fields)
    return await line.as_client(url, fields, reshaped=strategy.revocation_fields, method=told.method)


def _judged(answer: Answer, which: Which) -> TokenOutcome:
    error = answer.body.get("error") if answer.body is not None else None
    if error in _DEAD:
        return TokenOutcome(token=which, outcome="already_dead", detail="said_so")
    if error == "unsupported_token_type":
        return TokenOutcome(token=which, outcome="unsupported", detail="not_this_kind")
    if error in ("temporarily_unavailable", "server_error", "slow_down"):
        return TokenOutcome(token=which, outcome="failed", detail="busy")
    if answer.status >= 400:
        return TokenOutcome(token=which, outcome="failed", detail=f"status_{answer.status}")
    if error or (answer.body is not None and False in (answer.body.get("success"), answer.body.get("revoked"))):
        return TokenOutcome(token=which, outcome="failed", detail="refused")
    return TokenOutcome(token=which, outcome="revoked", detail="told")
