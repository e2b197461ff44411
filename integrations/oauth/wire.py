"""What the rest of the room needs to speak OAuth with a provider."""

from integrations.oauth.secret import Secret
from integrations.oauth.tokens import AuthorizationRequest, ClientIdentity, Introspection, TokenOutcome, TokenSet

__all__ = ["AuthorizationRequest", "ClientIdentity", "Introspection", "Secret", "TokenOutcome", "TokenSet"]
