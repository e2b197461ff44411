"""What the rest of the room needs to speak OAuth with a provider."""

from integrations.oauth.callback import new_state, new_verifier
from integrations.oauth.discovery import Discovery, ServerMetadata
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.hosts import checked_tenant, for_tenant
from integrations.oauth.secret import Secret
from integrations.oauth.sending import HttpPolicy
from integrations.oauth.tokens import AuthorizationRequest, ClientIdentity, Introspection, TokenOutcome, TokenSet

__all__ = [
    "AuthorizationRequest",
    "ClientIdentity",
    "Discovery",
    "HttpPolicy",
    "Introspection",
    "Secret",
    "ServerMetadata",
    "TokenEndpoint",
    "TokenOutcome",
    "TokenSet",
    "checked_tenant",
    "for_tenant",
    "new_state",
    "new_verifier",
]
