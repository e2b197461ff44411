"""The line to one provider: signs requests as the client, checks every address, and reads answers in the standard's words."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2

from integrations.catalogue.account import AccountClue
from integrations.catalogue.model import Provider
from integrations.oauth.answers import refuses_client
from integrations.oauth.authentication import authentication, named_fields, wire_client
from integrations.oauth.hosts import checked_tenant, checked_url
from integrations.oauth.secret import Secret
from integrations.oauth.sending import Answer, HttpPolicy, ask, client_settings
from integrations.oauth.standard import Fields, Standard
from integrations.oauth.tokens import ClientIdentity, TokenSet
from joule.kernel.clock import Clock

Pairs = Sequence[tuple[str, str]]


class ProviderLine:
    """Each request has a connection of its own: they are rare, and nothing of one is there for the next to find."""

    def __init__(
        self, *, provider: Provider, client: ClientIdentity, http: HttpPolicy, clock: Clock, strategy: Standard
    ) -> None:
        self.provider, self.clock = provider, clock
        self.took_next_secret = False
        self._client, self._http, self._strategy = client, http, strategy

    def client_fields(self) -> Fields:
        """`client_id` and `client_secret` in the clear, for the providers that document them in a query."""
        fields = {"client_id": self._client.client_id}
        if self._client.client_secret is not None:
            fields["client_secret"] = self._client.client_secret.reveal()
        return fields

    async def as_client(
        self, url: str, fields: Pairs, *, reshaped: Callable[[Fields], Fields] | None = None, method: str = "POST"
    ) -> Answer:
        """Sends as the client; if its secret is refused and there is a next one, once more with that.

        `reshaped` puts the fields, the client's included where they are fields, into the provider's own.
        """
        answer = await self._signed(url, fields, secret=self._client.client_secret, reshaped=reshaped, method=method)
        if self._client.next_secret is None or not refuses_client(answer):
            self.took_next_secret = False
            return answer
        answer = await self._signed(url, fields, secret=self._client.next_secret, reshaped=reshaped, method=method)
        if not refuses_client(answer):
            self.took_next_secret = True
        return answer

    async def get(self, url: str, *, query: Pairs = (), authorization: str | None = None) -> Answer:
        """One GET of a small JSON object."""
        return await self.plain("GET", url, query=query, authorization=authorization)

    async def with_token(self, clue: AccountClue, tokens: TokenSet, *, tenant: str | None) -> Mapping[str, Any] | None:
        """What a clue's address says to whoever brings the token; None when it refuses. In the provider's own words."""
        provider = self.provider
        url = (clue.url or "").replace("{tenant}", "{tenant}" if tenant is None else checked_tenant(provider, tenant))
        held = {provider.token_header: f"{provider.token_prefix}{tokens.access_token.reveal()}"}
        answer = await self._sent("GET", url, query=list(clue.query.items()), headers={**clue.headers, **held})
        return answer.body if answer.status < 400 else None

    async def plain(
        self, method: str, url: str, *, fields: Pairs = (), query: Pairs = (), authorization: str | None = None
    ) -> Answer:
        """Sends without saying who the client is; `authorization` goes into the header of that name."""
        headers = {"Authorization": authorization} if authorization is not None else {}
        return self._strategy.said(await self._sent(method, url, fields=fields, query=query, headers=headers))

    async def _sent(
        self, method: str, url: str, *, fields: Pairs = (), query: Pairs = (), headers: Mapping[str, str]
    ) -> Answer:
        content, kind = self._body(fields)
        async with httpx2.AsyncClient(**client_settings(self._http)) as client:
            return await ask(
                client,
                provider=self.provider.title,
                policy=self._http,
                clock=self.clock,
                method=method,
                url=checked_url(self.provider, url),
                headers={**headers, **({"Content-Type": kind} if content is not None else {})},
                query=query,
                content=content,
            )

    async def _signed(
        self,
        url: str,
        fields: Pairs,
        *,
        secret: Secret | None,
        reshaped: Callable[[Fields], Fields] | None,
        method: str,
    ) -> Answer:
        several = [pair for pair in fields if pair[0] == "resource"]
        single = {name: value for name, value in fields if name != "resource"}
        single |= named_fields(self.provider, self._client, secret=secret)
        if reshaped is not None:
            single = reshaped(single)
        content, kind = self._body([*single.items(), *several])
        made = wire_client(self.provider, self._client, secret=secret, policy=self._http, clock=self.clock)
        async with made as client:
            answer = await ask(
                client,
                provider=self.provider.title,
                policy=self._http,
                clock=self.clock,
                method=method,
                url=checked_url(self.provider, url),
                auth=authentication(self.provider, client),
                headers={"Content-Type": kind},
                content=content or b"",
            )
        return self._strategy.said(answer)

    def _body(self, fields: Pairs) -> tuple[bytes | None, str]:
        if self.provider.token_body == "json":  # noqa: S105
            return (json.dumps(_once(fields)).encode() if fields else None), "application/json"
        form = str(httpx2.QueryParams(list(fields))).encode()
        return form or None, "application/x-www-form-urlencoded"


def _once(fields: Pairs) -> Mapping[str, object]:
    """The fields as JSON members; what was given several times becomes a list."""
    members: dict[str, object] = {}
    for name, value in fields:
        held = members.get(name)
        members[name] = value if held is None else [*held, value] if isinstance(held, list) else [held, value]
    return members
