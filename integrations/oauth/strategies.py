"""The ways in which single providers depart from the standard, one small class each.

Each puts its provider's words into the standard's, so that everything after it is checked like everybody else's.
`integrations/catalogue` names the strategy; where a class names error codes, they are the provider's own.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from integrations.catalogue.model import Provider
from integrations.oauth.answers import without_error
from integrations.oauth.errors import AnswerRefused, CallbackRefused, HostRefused
from integrations.oauth.hosts import checked_tenant
from integrations.oauth.secret import Secret
from integrations.oauth.sending import Answer
from integrations.oauth.standard import Fields, Line, Standard
from integrations.oauth.swapping import Instagram, Meta
from integrations.oauth.tokens import ClientIdentity, TokenSet


class Slack(Standard):
    """HTTP 200 with `ok: false`; a user's token is nested; several kinds of token."""

    type_may_be_missing = True
    _ERRORS: Mapping[str, str] = {
        "invalid_code": "invalid_grant",
        "code_already_used": "invalid_grant",
        "code_expired": "invalid_grant",
        "invalid_refresh_token": "invalid_grant",
        "token_revoked": "invalid_grant",
        "token_expired": "invalid_grant",
        "account_inactive": "invalid_grant",
        "invalid_auth": "invalid_grant",
        "bad_client_secret": "invalid_client",
        "invalid_client_id": "invalid_client",
        "bad_redirect_uri": "invalid_request",
        "invalid_scope": "invalid_scope",
        "ratelimited": "slow_down",
        "internal_error": "server_error",
        "fatal_error": "server_error",
        "service_unavailable": "temporarily_unavailable",
        "request_timeout": "temporarily_unavailable",
    }

    def said(self, answer: Answer) -> Answer:
        body = answer.body
        if body is None:
            return answer
        if body.get("ok") is not True:
            return replace(answer, body={"error": self._ERRORS.get(str(body.get("error")), "other")})
        plain = {**body, "token_type": "Bearer"}
        user = body.get("authed_user")
        if "access_token" not in body and isinstance(user, dict) and "access_token" in user:
            for name in ("access_token", "refresh_token", "expires_in", "scope"):
                plain[name] = user.get(name)
        return replace(answer, body=plain)

    def kept(self, provider: Provider, body: Mapping[str, Any]) -> dict[str, str]:
        team = body.get("team")
        known = team if isinstance(team, dict) else {}
        return _texts({"team": known.get("id")})


class Mailchimp(Standard):
    """No scopes, no end, and the data centre must be asked for."""

    async def completed(self, line: Line, tokens: TokenSet) -> TokenSet:
        answer = await line.get(line.provider.metadata_url or "", authorization=f"OAuth {tokens.access_token.reveal()}")
        body = without_error(line.provider, answer)
        centre = body.get("dc")
        if not isinstance(centre, str) or not re.fullmatch(r"[a-z]{2,5}[0-9]{1,4}", centre):
            raise AnswerRefused(line.provider.title, reason="no_data_centre")
        tenant = checked_tenant(line.provider, f"{centre}.api.mailchimp.com")
        named = _texts({"account": body.get("accountname"), "account_id": str(body.get("user_id") or "")})
        return replace(tokens, extra=MappingProxyType({**tokens.extra, **named, "tenant": tenant}))


class Notion(Standard):
    """JSON bodies and no scopes; what may be seen is picked page by page."""

    def kept(self, provider: Provider, body: Mapping[str, Any]) -> dict[str, str]:
        return _texts({"workspace": body.get("workspace_id"), "bot": body.get("bot_id")})


class Shopify(Standard):
    """One host for each shop, given by the person; the answer has no token type; what the browser brings is signed."""

    type_may_be_missing = True

    def check_callback(
        self, provider: Provider, client: ClientIdentity, *, code: Secret | None, returned: Secret | None
    ) -> None:
        """The signature is the app's over all other parameters, in their order by name; and of this very shop."""
        pairs = parse_qsl("" if returned is None else returned.reveal(), keep_blank_values=True)
        given = [value for name, value in pairs if name == "hmac"]
        signed = sorted((name, value) for name, value in pairs if name not in {"hmac", "signature"})
        if len(given) != 1 or not _is_signed(given[0], signed, client):
            raise CallbackRefused(provider.title, reason="it is not signed by the provider")
        if ("shop", urlsplit(provider.token_url or "").hostname) not in signed:
            raise CallbackRefused(provider.title, reason="it is about another shop")
        if code is not None and ("code", code.reveal()) not in signed:
            raise CallbackRefused(provider.title, reason="its code is not the one that was signed")


class Salesforce(Standard):
    """Calls go to the instance named in the answer, if it is one of Salesforce's own hosts; no end is told."""

    def kept(self, provider: Provider, body: Mapping[str, Any]) -> dict[str, str]:
        instance = body.get("instance_url")
        if instance is None:
            return {}
        parts = urlsplit(instance) if isinstance(instance, str) else None
        if parts is None or parts.scheme != "https" or parts.path.strip("/") or parts.netloc != parts.hostname:
            raise HostRefused(provider.title, reason="not an instance of it")
        return {"tenant": checked_tenant(provider, parts.netloc)}


class TikTokAds(Standard):
    """JSON with names of its own, errors as HTTP 200 with a `code`, tokens that do not end, bound to advertisers."""

    type_may_be_missing = True
    revocation_field = "access_token"
    _ERRORS: Mapping[int, str] = {
        40100: "slow_down",
        40101: "invalid_client",
        40104: "invalid_grant",
        40105: "invalid_grant",
        40107: "invalid_grant",
        40110: "invalid_grant",
    }

    def exchange_fields(self, fields: Fields) -> Fields:
        named = {"app_id": fields["app_id"], "auth_code": fields["code"]}
        return {**named, "secret": fields.get("client_secret", "")}

    def revocation_fields(self, fields: Fields) -> Fields:
        named = {"app_id": fields["app_id"], "access_token": fields["access_token"]}
        return {**named, "secret": fields.get("client_secret", "")}

    def said(self, answer: Answer) -> Answer:
        body = answer.body
        if body is None or "code" not in body:
            return answer
        code = body["code"]
        if code != 0 or isinstance(code, bool):
            name = self._ERRORS.get(code, "other") if isinstance(code, int) else "other"
            busy = isinstance(code, int) and 50_000 <= code < 60_000
            return replace(answer, body={"error": "server_error" if busy else name})
        inner = body.get("data")
        plain = dict(inner) if isinstance(inner, dict) else {}
        plain.pop("scope", None)  # numbers of the app's own permissions, not scopes
        return replace(answer, body=plain)

    def kept(self, provider: Provider, body: Mapping[str, Any]) -> dict[str, str]:
        ids = body.get("advertiser_ids")
        named = [str(one) for one in ids if isinstance(one, str | int)] if isinstance(ids, list) else []
        return {"advertisers": ",".join(named[:100])} if named else {}


class LinkedIn(Standard):
    """Refreshing never moves the end: a year from the first consent. Takes scopes parted by spaces, names them by commas."""

    type_may_be_missing = True

    def said(self, answer: Answer) -> Answer:
        named = answer.body.get("scope") if answer.body is not None else None
        if not isinstance(named, str):
            return answer
        return replace(answer, body={**(answer.body or {}), "scope": named.replace(",", " ")})

    def renewed(self, old: TokenSet, new: TokenSet) -> TokenSet:
        ends = [end for end in (old.refresh_expires_at, new.refresh_expires_at) if end is not None]
        return replace(super().renewed(old, new), refresh_expires_at=min(ends, default=None))


class HubSpot(Standard):
    """Its older errors have `status` and `message` and no `error`."""

    _ERRORS: Mapping[str, str] = {
        "BAD_REFRESH_TOKEN": "invalid_grant",
        "BAD_AUTH_CODE": "invalid_grant",
        "EXPIRED_AUTH_CODE": "invalid_grant",
        "MISMATCH_REDIRECT_URI_AUTH_CODE": "invalid_grant",
        "BAD_CLIENT_ID": "invalid_client",
        "BAD_CLIENT_SECRET": "invalid_client",
    }

    def said(self, answer: Answer) -> Answer:
        body = answer.body
        if body is not None and isinstance(body.get("scopes"), list) and "scope" not in body:
            return replace(answer, body={**body, "scope": body["scopes"]})  # so it introspects
        if body is None or "error" in body or answer.status < 400:
            return answer
        return replace(answer, body={"error": self._ERRORS.get(str(body.get("status")), "other")})


class Microsoft(Standard):
    """A refresh must repeat the scope."""

    def refresh_fields(self, fields: Fields, tokens: TokenSet) -> Fields:
        named = dict.fromkeys((*(tokens.scopes or ()), "offline_access"))
        return {**fields, "scope": " ".join(named)}


class Webflow(Standard):
    """Revokes by a field of another name."""

    revocation_field = "access_token"


def _is_signed(given: str, pairs: Sequence[tuple[str, str]], client: ClientIdentity) -> bool:
    """Whether one of the app's secrets signed these parameters, written plain or as a form: both are in use."""
    plain = "&".join(f"{name}={value}" for name, value in pairs)
    found = False
    for secret in (client.client_secret, client.next_secret):
        for message in (plain, urlencode(pairs)) if secret is not None and secret.reveal() else ():
            made = hmac.new(secret.reveal().encode() if secret else b"", message.encode(), sha256).hexdigest()
            found |= hmac.compare_digest(made.encode(), given.lower().encode())
    return found


def _texts(named: Mapping[str, object]) -> dict[str, str]:
    """Those values that are short texts."""
    return {name: value for name, value in named.items() if isinstance(value, str) and 0 < len(value) <= 200}


STANDARD = Standard()
STRATEGIES: Mapping[str, Standard] = MappingProxyType(
    {
        "slack": Slack(),
        "meta": Meta(),
        "instagram": Instagram(),
        "mailchimp": Mailchimp(),
        "notion": Notion(),
        "shopify": Shopify(),
        "salesforce": Salesforce(),
        "tiktok_ads": TikTokAds(),
        "linkedin": LinkedIn(),
        "hubspot": HubSpot(),
        "microsoft": Microsoft(),
        "webflow": Webflow(),
    }
)
