"""What can go wrong with a connected account. No message carries a token, an address, an argument or a provider's words.

JouleError
├── ConnectionRevoked    somebody disconnected it: nothing goes through it again
├── NeedsReconnecting    the consent is over, or its tokens were lost: a person has to consent again
├── ScopeMissing         this one permission was not granted (step-up)
├── NotAllowedHere       the organisation's own rules do not let this provider or permission be used
├── AdminsGive           giving this permission is up to an owner or admin
├── AnotherAccount       the consent was given for another account than the connected one
├── ReadOnlyConnection   it was connected for reading alone
├── ProviderRefused      the provider said no to this call
├── ConsentUnusable      a callback that does not belong to a consent begun here, by them, in this browser
├── ConsentDeclined      the person or the provider said no
├── NoClient             nobody has registered Joule at this provider yet
├── from `integrations.catalogue.errors`: ProviderUnknown, OperationUnknown, ArgumentsRefused
└── from `integrations.oauth.errors`: ProviderBusy, GrantDead, ClientRefused, AnswerRefused, HostRefused, …
"""

from datetime import datetime

from integrations.catalogue.errors import ArgumentsRefused, OperationUnknown, ProviderUnknown
from integrations.oauth.errors import AnswerRefused, ClientRefused, GrantDead, HostRefused, ProviderBusy
from joule.kernel.errors import GrantMissing, Invalid, JouleError

__all__ = [
    "AdminsGive",
    "AnotherAccount",
    "AnswerRefused",
    "ArgumentsRefused",
    "ClientRefused",
    "ConnectionRevoked",
    "ConsentDeclined",
    "ConsentUnusable",
    "GrantDead",
    "HostRefused",
    "NeedsReconnecting",
    "NoClient",
    "NotAllowedHere",
    "OperationUnknown",
    "ProviderBusy",
    "ProviderRefused",
    "ProviderUnknown",
    "ReadOnlyConnection",
    "ScopeMissing",
]


class ConnectionRevoked(JouleError):
    """Somebody disconnected the account. Final for this connection; connecting again makes another."""

    code = "integrations.connection_revoked"

    def __init__(self, provider: str, revoked_at: datetime | None = None) -> None:
        when = "" if revoked_at is None else f" at {revoked_at:%Y-%m-%d %H:%M} UTC"
        super().__init__(f"{provider} was disconnected{when}")
        self.provider, self.revoked_at = provider, revoked_at

    def advice(self) -> str:
        return f"Ask a workspace admin to connect {self.provider} again."


class NeedsReconnecting(JouleError):
    """The consent is over, or its tokens were lost on the way. Nothing but a new consent helps."""

    code = "integrations.needs_reconnecting"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} has to be connected again")
        self.provider = provider

    def advice(self) -> str:
        return f"Ask a workspace admin to open Integrations and reconnect {self.provider}; nothing else is lost."


class ScopeMissing(GrantMissing):
    """The call needs a permission that was not granted. `provider` is its id, `scopes` the smallest set that would do."""

    code = "integrations.scope_missing"

    def __init__(self, provider: str, scopes: tuple[str, ...], *, connection: str = "", title: str = "") -> None:
        super().__init__(f"{title or provider} has not been given a permission this needs")
        self.provider, self.scopes, self.connection, self.title = provider, scopes, connection, title or provider

    def advice(self) -> str:
        return f"It needs one more permission at {self.title}; somebody who may connect accounts can grant it."


class NotAllowedHere(JouleError):
    """The organisation has not allowed this provider, or not this permission of it."""

    code = "integrations.not_allowed_here"

    def __init__(self, provider: str) -> None:
        super().__init__(f"your organisation's rules do not allow this use of {provider}")
        self.provider = provider

    def advice(self) -> str:
        return f"An admin can change what {self.provider} may be used for under Integrations."


class AdminsGive(JouleError):
    """Somebody who is no admin would give a permission that the organisation's rule does not leave to them."""

    code = "integrations.admins_give"

    def __init__(self, provider: str, reason: str) -> None:
        super().__init__(f"this permission at {provider} is not yours to give: {reason}")
        self.provider, self.reason = provider, reason

    def advice(self) -> str:
        return "Ask an owner or admin to give it; the task waits meanwhile and goes on by itself."


class AnotherAccount(JouleError):
    """More permissions were asked for one account, and the consent came back for another. Its tokens are ended."""

    code = "integrations.another_account"

    def __init__(self, provider: str) -> None:
        super().__init__(f"the consent was given for another {provider} account than the connected one")
        self.provider = provider

    def advice(self) -> str:
        return f"Sign in to {self.provider} with the account that is connected, then start again."


class ReadOnlyConnection(JouleError):
    """The account was connected for reading alone, whatever its scopes would let through."""

    code = "integrations.read_only"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} is connected for reading only")
        self.provider = provider

    def advice(self) -> str:
        return f"An admin can connect {self.provider} again with more than reading."


class ProviderRefused(JouleError):
    """The provider understood the call and said no. `status` is its HTTP status."""

    code = "integrations.provider_refused"

    def __init__(self, provider: str, *, status: int, reason: str = "refused") -> None:
        super().__init__(f"{provider} refused the call: {reason} ({status})")
        self.provider, self.status, self.reason = provider, status, reason

    def advice(self) -> str:
        if self.status == 404:
            return f"There may be no such thing at {self.provider}, or the connected account may not see it."
        return f"Check in {self.provider} itself whether the connected account may do this."


class ConsentUnusable(Invalid):
    """What came back from the browser belongs to no consent begun here, by this person, in this browser, for this provider.

    Which of these is wrong nobody is told; the journal keeps `reason`, a word of ours.
    """

    code = "integrations.consent_unusable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"this consent cannot be finished: {reason}",
            advice="Start again from the Integrations page and finish in the same browser within ten minutes.",
        )
        self.reason = reason


class ConsentDeclined(Invalid):
    """The person, or the provider, said no at the provider's own page. `error` is a registered OAuth code or `other`."""

    code = "integrations.consent_declined"

    def __init__(self, provider: str, error: str) -> None:
        super().__init__(
            f"{provider} gave no permission: {error}",
            advice=f"Nothing was connected. Start again when you want to allow it at {provider}.",
        )
        self.provider, self.error = provider, error


class NoClient(Invalid):
    """Joule is not registered at this provider: there is no client id to connect with."""

    code = "integrations.no_client"

    def __init__(self, provider: str, registers_at: str) -> None:
        super().__init__(
            f"no app of yours is registered at {provider} yet",
            advice=f"An admin registers one at {registers_at} and enters its client id and secret under Integrations.",
        )
        self.provider = provider
