"""Joule's side of one provider's OAuth endpoints: asks for consent, exchanges codes, renews, introspects, revokes.

Authlib makes the requests' PKCE, signatures and authentication; what comes back is read by our own checks only. Nothing here
stores anything or refreshes by itself: who calls `refresh` must be the only one doing so.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]

from integrations.catalogue.account import NamedAccount
from integrations.catalogue.model import Provider
from integrations.oauth.answers import scopes as named_scopes
from integrations.oauth.answers import token_set, without_error
from integrations.oauth.callback import checked_code, is_verifier
from integrations.oauth.discovery import ServerMetadata
from integrations.oauth.errors import AnswerRefused, DiscoveryRefused, GrantDead, HostRefused
from integrations.oauth.hosts import LOOPBACK, checked_url
from integrations.oauth.line import ProviderLine
from integrations.oauth.naming import as_extra, asked, in_answer
from integrations.oauth.revoking import revoke
from integrations.oauth.secret import Secret
from integrations.oauth.sending import HttpPolicy
from integrations.oauth.standard import Standard
from integrations.oauth.strategies import STANDARD, STRATEGIES
from integrations.oauth.tokens import AuthorizationRequest, ClientIdentity, Introspection, TokenOutcome, TokenSet
from joule.kernel.clock import Clock
from joule.kernel.errors import Misconfigured

Resource = str | Sequence[str] | None


class TokenEndpoint:
    """One provider, as one client, for a short while. Give the provider already made `for_tenant` where it has tenants.

    `metadata` is the pinned RFC 8414 document where there is one: it fills what the catalogue leaves open, demands pushed
    requests and the issuer in the callback, and contradicts a catalogue that says PKCE is off. `resource` (RFC 8707) binds
    all tokens to one audience: it stands in every request for consent or tokens that names no other.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        client: ClientIdentity,
        http: HttpPolicy,
        clock: Clock,
        metadata: ServerMetadata | None = None,
        strategy: Standard | None = None,
        resource: str | None = None,
    ) -> None:
        if strategy is None and provider.strategy is not None and provider.strategy not in STRATEGIES:
            raise Misconfigured(
                f"the catalogue names the strategy {provider.strategy}, which does not exist",
                advice="Correct `strategy` in the provider's file, or add the class to integrations/oauth.",
            )
        if metadata is not None:
            provider = _agreed(provider, metadata)
        self.provider, self.clock = provider, clock
        self._client, self._metadata, self._resource = client, metadata, resource
        self._strategy = strategy or STRATEGIES.get(provider.strategy or "", STANDARD)
        self._line = ProviderLine(provider=provider, client=client, http=http, clock=clock, strategy=self._strategy)

    @property
    def took_next_secret(self) -> bool:
        """True if the provider refused the client's present secret in the last request and took the next one."""
        return self._line.took_next_secret

    @property
    def must_be_pushed(self) -> bool:
        """True if the provider takes authorization requests only when pushed first (RFC 9126): use `pushed`."""
        return self._metadata is not None and self._metadata.requires_pushed_requests

    def authorization_request(
        self,
        state: Secret,
        verifier: Secret,
        redirect_uri: str,
        scopes: Sequence[str],
        resource: Resource = None,
        *,
        extra: Sequence[tuple[str, str]] = (),
    ) -> AuthorizationRequest:
        """Where to send the browser. Scopes that exist only in our own words are left out of the address.

        Sends nothing. A provider that wants pushed requests will refuse this address: see `pushed`.
        """
        if not is_verifier(verifier.reveal()) or len(state.reveal()) < 22:
            raise ValueError("state needs 128 bits and the verifier 43 to 128 characters")
        base = checked_url(self.provider, self.provider.authorization_url)
        _check_redirect(self.provider, redirect_uri)
        known = self.provider.scopes
        sent = [name for name in scopes if name not in known or known[name].sent]
        maker = OAuth2Client(
            session=None,
            client_id=self._client.client_id,
            redirect_uri=redirect_uri,
            code_challenge_method="S256" if _uses_pkce(self.provider) else None,
        )
        url, _ = maker.create_authorization_url(
            base,
            state=state.reveal(),
            code_verifier=verifier.reveal() if _uses_pkce(self.provider) else None,
            scope=self.provider.scope_separator.join(sent) or None,
            resource=list(self._resources(resource)) or None,
            **dict(self.provider.authorize_params),
            **dict(extra),
        )
        renamed = [
            (self.provider.client_id_param if name == "client_id" else name, value)
            for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)
        ]
        return AuthorizationRequest(
            url=f"{base.split('?', 1)[0]}?{urlencode(renamed)}",
            state=state,
            verifier=verifier,
            redirect_uri=redirect_uri,
            scopes=tuple(scopes),
            resources=self._resources(resource),
        )

    async def pushed(self, request: AuthorizationRequest) -> AuthorizationRequest:
        """The same request, handed to the provider directly where it demands that; unchanged where it does not."""
        url = self._metadata.pushed_authorization_request_endpoint if self._metadata is not None else None
        if url is None:
            if self.must_be_pushed:
                raise DiscoveryRefused(self.provider.title, reason="pushed requests are wanted and there is no address")
            return request
        if not self.must_be_pushed:
            return request
        fields = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
        body = without_error(self.provider, await self._line.as_client(url, fields))
        uri = body.get("request_uri")
        if not isinstance(uri, str) or not uri.isascii() or not uri or len(uri) > 1000:
            raise AnswerRefused(self.provider.title, reason="no_request_uri")
        short = urlencode({self.provider.client_id_param: self._client.client_id, "request_uri": uri})
        return replace(request, url=f"{request.url.split('?', 1)[0]}?{short}")

    def check_callback(
        self, *, code: Secret | None, issuer: str | None, error: str | None, returned: Secret | None = None
    ) -> Secret:
        """The code to exchange; raises CallbackRefused or RequestRefused before it has left us.

        `returned` is the whole query the browser brought: some providers sign it.
        """
        self._strategy.check_callback(self.provider, self._client, code=code, returned=returned)
        return checked_code(
            self.provider.title,
            code=code,
            issuer=issuer,
            error=error,
            expected=self._metadata.issuer if self._metadata is not None else self.provider.issuer,
            required=self._metadata is not None and self._metadata.names_itself_in_callback,
        )

    async def exchange(self, code: Secret, verifier: Secret, redirect_uri: str, resource: Resource = None) -> TokenSet:
        """The tokens for a code, with whatever the provider makes us ask afterwards. A code works once."""
        fields = {
            "grant_type": "authorization_code",
            "code": code.reveal(),
            "redirect_uri": redirect_uri,
            **({"code_verifier": verifier.reveal()} if _uses_pkce(self.provider) else {}),
            **self.provider.token_params,
        }
        tokens = await self._tokens(fields, resource, reshaped=self._strategy.exchange_fields)
        return await self._strategy.completed(self._line, tokens)

    async def refresh(self, tokens: TokenSet, resource: Resource = None) -> TokenSet:
        """Fresh tokens for `tokens`; never asks for a scope. What the provider leaves out is carried over.

        Raises GrantDead (look again before believing it), ProviderBusy (try later), AnswerRefused.
        """
        if self.provider.refresh.kind == "exchange":
            return await self._strategy.swapped(self._line, tokens)
        if tokens.refresh_token is None:
            raise GrantDead(self.provider.title)
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": tokens.refresh_token.reveal(),
            **self.provider.token_params,
        }
        fresh = await self._tokens(fields, resource, reshaped=lambda f: self._strategy.refresh_fields(f, tokens))
        return self._strategy.renewed(tokens, fresh)

    async def revoke(self, tokens: TokenSet) -> tuple[TokenOutcome, ...]:
        """Tells the provider that these tokens are over, the refresh token first; says for each what really happened.

        Never raises for what the provider does: a transient failure is `failed` with `is_transient`.
        """
        return await revoke(self._line, self._strategy, tokens)

    async def account(self, tokens: TokenSet, *, granted: Collection[str], tenant: str | None) -> NamedAccount:
        """Whose account these tokens are for, as far as the provider says. Raises what the wire raises."""
        return await asked(self._line, tokens, granted=granted, tenant=tenant)

    async def introspect(self, token: Secret, *, hint: Literal["access_token", "refresh_token"]) -> Introspection:
        """What the provider says about a token now (RFC 7662)."""
        url = checked_url(self.provider, self.provider.introspection_url)
        answer = await self._line.as_client(url, [("token", token.reveal()), ("token_type_hint", hint)])
        body = without_error(self.provider, answer)
        active = body.get("active")
        if not isinstance(active, bool):
            raise AnswerRefused(self.provider.title, reason="no_active")
        audience, ends, subject = body.get("aud"), body.get("exp"), body.get("sub")
        several = audience if isinstance(audience, list) else [audience]
        return Introspection(
            active=active,
            scopes=named_scopes(self.provider, body.get("scope")),
            subject=subject if isinstance(subject, str) else None,
            audience=tuple(one for one in several if isinstance(one, str)) if audience is not None else None,
            expires_at=datetime.fromtimestamp(ends, UTC) if isinstance(ends, int) and 0 < ends < 1 << 36 else None,
        )

    async def _tokens(self, fields: dict[str, str], resource: Resource, *, reshaped: Any) -> TokenSet:
        url = checked_url(self.provider, self.provider.token_url)
        extra = [("resource", one) for one in self._resources(resource)]
        answer = await self._line.as_client(url, list(fields.items()) + extra, reshaped=reshaped)
        body = without_error(self.provider, answer)
        tokens = token_set(
            self.provider,
            body,
            now=self.clock.now(),
            type_may_be_missing=self._strategy.type_may_be_missing,
        )
        named = in_answer(self.provider, body, client_id=self._client.client_id, now=self.clock.now())
        return replace(tokens, extra=MappingProxyType({**self._strategy.kept(self.provider, body), **as_extra(named)}))

    def _resources(self, named: Resource) -> tuple[str, ...]:
        found = named if named is not None else self._resource
        return () if found is None else (found,) if isinstance(found, str) else tuple(found)


def _agreed(provider: Provider, metadata: ServerMetadata) -> Provider:
    """The provider with its gaps filled from its metadata; refuses metadata that contradicts it."""
    if provider.issuer is not None and provider.issuer != metadata.issuer:
        raise DiscoveryRefused(provider.title, reason="they belong to another issuer")
    if not _uses_pkce(provider) and "S256" in metadata.pkce_methods:
        raise DiscoveryRefused(provider.title, reason="the catalogue switches PKCE off and the server supports it")
    revocation = provider.revocation
    if revocation.url is None and metadata.revocation_endpoint is not None:
        revocation = replace(revocation, kind="rfc7009", url=metadata.revocation_endpoint)
    return replace(
        provider,
        issuer=metadata.issuer,
        authorization_url=provider.authorization_url or metadata.authorization_endpoint,
        token_url=provider.token_url or metadata.token_endpoint,
        introspection_url=provider.introspection_url or metadata.introspection_endpoint,
        revocation=revocation,
    )


def _uses_pkce(provider: Provider) -> bool:
    return provider.pkce in ("required", "accepted")


def _check_redirect(provider: Provider, redirect_uri: str) -> None:
    """https, or http on loopback; no fragment. It is sent as it is, and compared by the provider letter by letter."""
    parts = urlsplit(redirect_uri)
    if "#" in redirect_uri or "@" in parts.netloc or not parts.hostname:
        raise HostRefused(provider.title, reason="the address to return to is not plain")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise HostRefused(provider.title, reason="the address to return to is not https")
