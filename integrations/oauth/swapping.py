"""Providers without refresh tokens, where an access token is swapped for a longer or a newer one: Meta and Instagram.

Their documented calls carry secrets in the query; nothing here logs, and the libraries underneath are held quiet.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from integrations.oauth.answers import token_set, without_error
from integrations.oauth.errors import AnswerRefused, GrantDead, ProviderBusy
from integrations.oauth.sending import Answer
from integrations.oauth.standard import Line, Standard
from integrations.oauth.tokens import TokenSet


class Meta(Standard):
    """Hours-long token exchanged for one of sixty days, which is swapped for the next; granted scopes asked apart."""

    grant_type, subject = "fb_exchange_token", "fb_exchange_token"
    _ERRORS: Mapping[int, str] = {190: "invalid_grant", 101: "invalid_client", 1: "server_error", 2: "server_error"}
    _SLOW = frozenset({4, 17, 32, 341, 368, 613})

    def said(self, answer: Answer) -> Answer:
        error = answer.body.get("error") if answer.body is not None else None
        if not isinstance(error, dict):
            return answer
        code = error.get("code")
        name = (
            "slow_down" if code in self._SLOW else self._ERRORS.get(code, "other") if isinstance(code, int) else "other"
        )
        return replace(answer, body={"error": name})

    async def completed(self, line: Line, tokens: TokenSet) -> TokenSet:
        lasting = await self.swapped(line, tokens)
        return replace(lasting, scopes=await self._granted(line, lasting))

    async def swapped(self, line: Line, tokens: TokenSet) -> TokenSet:
        now = line.clock.now()
        if tokens.expires_at is not None and tokens.expires_at <= now:
            raise GrantDead(line.provider.title)
        query = {"grant_type": self.grant_type, **line.client_fields(), self.subject: tokens.access_token.reveal()}
        answer = await line.get(line.provider.token_url or "", query=list(query.items()))
        body = without_error(line.provider, self.said(answer))
        return self.renewed(tokens, token_set(line.provider, body, now=line.clock.now(), type_may_be_missing=True))

    async def _granted(self, line: Line, tokens: TokenSet) -> tuple[str, ...] | None:
        if line.provider.permissions_url is None:
            return tokens.scopes
        answer = await line.get(line.provider.permissions_url, authorization=f"Bearer {tokens.access_token.reveal()}")
        listed = without_error(line.provider, self.said(answer)).get("data")
        if not isinstance(listed, list):
            raise AnswerRefused(line.provider.title, reason="no_permissions")
        return tuple(
            str(entry["permission"])
            for entry in listed
            if isinstance(entry, dict) and entry.get("status") == "granted" and isinstance(entry.get("permission"), str)
        )


class Instagram(Meta):
    """As Meta, at a host of its own, and a token must be a day old before it may be swapped."""

    type_may_be_missing = True
    YOUNGEST = timedelta(hours=24)

    def __init__(self, *, base: str = "https://graph.instagram.com") -> None:
        self._base = base

    def said(self, answer: Answer) -> Answer:
        answer = super().said(answer)
        body = answer.body
        if body is not None and body.get("error_type") == "OAuthException":
            return replace(answer, body={"error": "invalid_grant"})
        if body is not None and isinstance(body.get("permissions"), list | str) and "scope" not in body:
            return replace(answer, body={**body, "scope": body["permissions"]})
        return answer

    async def completed(self, line: Line, tokens: TokenSet) -> TokenSet:
        secret = line.client_fields().get("client_secret", "")
        query = [
            ("grant_type", "ig_exchange_token"),
            ("client_secret", secret),
            ("access_token", tokens.access_token.reveal()),
        ]
        return await self._asked(line, tokens, f"{self._base}/access_token", query)

    async def swapped(self, line: Line, tokens: TokenSet) -> TokenSet:
        now = line.clock.now()
        if tokens.expires_at is not None and tokens.expires_at <= now:
            raise GrantDead(line.provider.title)
        young_for = tokens.received_at + self.YOUNGEST - now
        if young_for > timedelta():  # the provider would refuse, and that refusal looks like a dead grant
            raise ProviderBusy(line.provider.title, reason="too_young", retry_after=young_for.total_seconds())
        query = [("grant_type", "ig_refresh_token"), ("access_token", tokens.access_token.reveal())]
        return await self._asked(line, tokens, f"{self._base}/refresh_access_token", query)

    async def _asked(self, line: Line, old: TokenSet, url: str, query: list[tuple[str, str]]) -> TokenSet:
        body = without_error(line.provider, self.said(await line.get(url, query=query)))
        return self.renewed(old, token_set(line.provider, body, now=line.clock.now(), type_may_be_missing=True))
