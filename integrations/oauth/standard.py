"""What a provider that keeps to the standard does, and what one that does not may do differently."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from integrations.catalogue.model import Provider
from integrations.oauth.errors import GrantDead
from integrations.oauth.secret import Secret
from integrations.oauth.sending import Answer
from integrations.oauth.tokens import ClientIdentity, TokenSet
from joule.kernel.clock import Clock

Fields = dict[str, str]


class Line(Protocol):
    """What a strategy may use to ask its provider something more."""

    provider: Provider
    clock: Clock

    async def get(self, url: str, *, query: Sequence[tuple[str, str]] = (), authorization: str | None = None) -> Answer:
        """One GET of a small JSON object."""
        ...

    def client_fields(self) -> Fields:
        """`client_id` and `client_secret`, in the clear, for a query or a body."""
        ...


class Standard:
    """A provider that does what the standard says. The others say only where they differ."""

    type_may_be_missing = False
    revocation_field = "token"

    def check_callback(
        self, provider: Provider, client: ClientIdentity, *, code: Secret | None, returned: Secret | None
    ) -> None:
        """Raises `CallbackRefused` for an answer that the provider has not signed, where it signs them."""

    def exchange_fields(self, fields: Fields) -> Fields:
        """The fields of the code exchange."""
        return fields

    def refresh_fields(self, fields: Fields, tokens: TokenSet) -> Fields:
        """The fields of a refresh; `scope` is never among them unless the provider insists."""
        return fields

    def revocation_fields(self, fields: Fields) -> Fields:
        """The fields of a revocation."""
        return fields

    def said(self, answer: Answer) -> Answer:
        """The answer in the standard's words: an `error` member for a failure, tokens at the top."""
        return answer

    def kept(self, provider: Provider, body: Mapping[str, Any]) -> dict[str, str]:
        """What calls need later and is no secret; `account` is the name a person knows the account by."""
        return {}

    async def completed(self, line: Line, tokens: TokenSet) -> TokenSet:
        """The tokens after whatever must still be asked once they have been issued."""
        return tokens

    async def swapped(self, line: Line, tokens: TokenSet) -> TokenSet:
        """A new access token for the present one, where there are no refresh tokens."""
        raise GrantDead(line.provider.title)

    def renewed(self, old: TokenSet, new: TokenSet) -> TokenSet:
        """`new` with what the provider left out because it has not changed."""
        return replace(
            new,
            refresh_token=new.refresh_token or old.refresh_token,
            refresh_expires_at=new.refresh_expires_at
            or (old.refresh_expires_at if new.refresh_token is None else None),
            scopes=new.scopes if new.scopes is not None else old.scopes,
            extra=MappingProxyType({**old.extra, **new.extra}),
        )
