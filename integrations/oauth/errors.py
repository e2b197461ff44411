"""What can go wrong between Joule and a provider's OAuth endpoints. No message carries a token, a code or a provider's free text.

Unavailable
└── ProviderBusy         transient: nothing is known to be wrong, try again later
JouleError
├── GrantDead            terminal: the person has to consent again
├── ClientRefused        terminal until an admin corrects the client id or secret
├── RequestRefused       the provider refused what was asked for, and said why
├── AnswerRefused        the provider's answer cannot be believed
├── CallbackRefused      what came back with the browser is not the answer to what was asked
├── HostRefused          an address this provider has no business with
└── DiscoveryRefused     the provider's published metadata contradicts what was expected of it
"""

from joule.kernel.errors import JouleError, Unavailable

OAUTH_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "access_denied",
        "server_error",
        "temporarily_unavailable",
        "unsupported_response_type",
        "interaction_required",
        "login_required",
        "consent_required",
        "unsupported_token_type",
        "slow_down",
        "invalid_request_uri",
    }
)


ABSENT = "they are not where they should be"


CHANGED = "they have changed since they were accepted"


def known_error(error: object) -> str:
    """The registered OAuth error code, or `other`: a provider's free text goes no further than this."""
    return error if isinstance(error, str) and error in OAUTH_ERRORS else "other"


class ProviderBusy(Unavailable):
    """The provider did not answer properly this time: 5xx, 429, a time-out, a broken line. Says nothing about the grant."""

    code = "integrations.provider_busy"

    def __init__(self, provider: str, *, reason: str, retry_after: float | None = None) -> None:
        super().__init__(provider)
        self.provider, self.reason, self.retry_after = provider, reason, retry_after

    def advice(self) -> str:
        return f"Nothing is lost. {self.provider} is not answering well just now; Joule tries again by itself."


class GrantDead(JouleError):
    """The provider says `invalid_grant`. Before believing it, see whether somebody else has just renewed the tokens."""

    code = "integrations.grant_dead"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} no longer accepts this consent")
        self.provider = provider

    def advice(self) -> str:
        return f"Ask a workspace admin to connect {self.provider} again."


class ClientRefused(JouleError):
    """The provider does not accept Joule's client id or secret."""

    code = "integrations.client_refused"

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} does not accept the client id and secret")
        self.provider = provider

    def advice(self) -> str:
        return f"An admin should check the client id and secret of {self.provider}; the secret may have been replaced or revoked."


class RequestRefused(JouleError):
    """The provider refused the request with an OAuth error. `error` is a registered code, or `other`."""

    code = "integrations.request_refused"

    def __init__(self, provider: str, *, error: str) -> None:
        super().__init__(f"{provider} refused the request: {known_error(error)}")
        self.provider, self.error = provider, known_error(error)

    def advice(self) -> str:
        if self.error == "access_denied":
            return f"Consent was declined at {self.provider}. Nothing was connected; start again when you are ready."
        if self.error == "invalid_scope":
            return f"The app registered at {self.provider} may not ask for one of these permissions; an admin can add it there."
        return f"Check how the app is registered at {self.provider}: its redirect address and the products it may use."


class AnswerRefused(JouleError):
    """The provider's answer cannot be believed. `reason` is one of this module's own words, never the answer's."""

    code = "integrations.answer_refused"

    def __init__(self, provider: str, *, reason: str) -> None:
        super().__init__(f"the answer of {provider} cannot be used: {reason}")
        self.provider, self.reason = provider, reason

    def advice(self) -> str:
        return f"Nothing was stored. If it happens again, {self.provider} has changed its answers: tell support."


class CallbackRefused(JouleError):
    """What the browser brought back is not the answer to what was asked. Nothing was sent to the provider."""

    code = "integrations.callback_refused"

    def __init__(self, provider: str, *, reason: str) -> None:
        super().__init__(f"the answer from the browser does not belong to this connection to {provider}: {reason}")
        self.provider, self.reason = provider, reason

    def advice(self) -> str:
        return f"Start connecting {self.provider} again from the Integrations page, and finish it in the same browser."


class HostRefused(JouleError):
    """An address that does not belong to this provider."""

    code = "integrations.host_refused"

    def __init__(self, provider: str, *, reason: str = "not one of its hosts") -> None:
        super().__init__(f"this address is not one {provider} may be reached at: {reason}")
        self.provider, self.reason = provider, reason

    def advice(self) -> str:
        return f"Give the address exactly as {self.provider} shows it, without a path."


class DiscoveryRefused(JouleError):
    """The provider's published metadata contradicts what was expected of it."""

    code = "integrations.discovery_refused"

    def __init__(self, provider: str, *, reason: str) -> None:
        super().__init__(f"the published settings of {provider} cannot be used: {reason}")
        self.provider, self.reason = provider, reason

    @property
    def has_changed(self) -> bool:
        """Whether they were accepted once and say something else now."""
        return self.reason == CHANGED

    @property
    def is_absent(self) -> bool:
        """Whether there are none where they were looked for."""
        return self.reason == ABSENT

    def advice(self) -> str:
        return f"Do not connect {self.provider} until its operator or support has explained the difference."
