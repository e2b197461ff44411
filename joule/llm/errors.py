"""What can go wrong with a model call.

    ModelUnavailable         down, overloaded, silent or over its rate: may be tried again later
    StreamTruncated          the answer broke off; what had arrived is not an answer
    MalformedAnswer          what came back is no answer in the provider's own format, or is too large
    ModelRefusedKey          the provider does not accept the key
    ModelRefusedRequest      the provider accepts the key, not the request
    ContextTooLong           the conversation does not fit into the model
    NoEmbeddings             vectors were asked for, and no provider is configured for them
    ProviderUnknown          the setting names no provider we have
    ProviderNotInstalled     the provider's package is not there

No message holds a word of the conversation or of the provider's own error text, which may quote it or the key.
"""

from joule.kernel.errors import Invalid, JouleError, Misconfigured, Unavailable


class ModelUnavailable(Unavailable):
    """The provider is down, overloaded, silent, or turned us away for asking too much."""

    code = "llm.unavailable"

    def __init__(self, provider: str, *, reason: str, retry_after: float | None = None) -> None:
        """`reason` is one of our own phrases; `retry_after` is in seconds, as the provider asked."""
        super().__init__(f"the model provider {provider}")
        self.args = (f"the model provider {provider} is not available just now: {reason}",)
        self.provider, self.reason, self.retry_after = provider, reason, retry_after

    def advice(self) -> str:
        return f"Nothing was changed. Wait a moment and send the message again; {self.provider} said: {self.reason}."


class StreamTruncated(ModelUnavailable):
    """The stream ended before the provider said that the answer was complete."""

    code = "llm.stream_truncated"

    def __init__(self, provider: str) -> None:
        super().__init__(provider, reason="its answer broke off")

    def advice(self) -> str:
        return "The answer above is incomplete and was not used. Send the message again."


class MalformedAnswer(JouleError):
    """The provider answered, but not in its own format, or with more than we are ready to hold."""

    code = "llm.malformed_answer"

    def __init__(self, provider: str, *, problem: str) -> None:
        super().__init__(f"the model provider {provider} gave an answer that cannot be used: {problem}")
        self.provider = provider

    def advice(self) -> str:
        return "Send the message again; if it stays like this, an operator should check JOULE_MODEL_BASE_URL."


class ModelRefusedKey(Misconfigured):
    """The provider does not accept the key it was given."""

    code = "llm.refused_key"

    def __init__(self, provider: str, *, variable: str) -> None:
        super().__init__(
            f"the model provider {provider} does not accept its key",
            advice=f"An operator should set JOULE_MODEL_API_KEY (or {variable}) to a valid key and restart Joule.",
        )


class ModelRefusedRequest(Misconfigured):
    """The provider does not accept the request: most often a model name it does not know."""

    code = "llm.refused_request"

    def __init__(self, provider: str, model: str, *, status: int) -> None:
        super().__init__(
            f"the model provider {provider} refused the request for {model} (status {status})",
            advice=f"An operator should check that {provider} offers the model {model} to this key: see docs/models.md.",
        )


class ContextTooLong(Invalid):
    """The conversation, with what the tools brought, is longer than the model can read."""

    code = "llm.context_too_long"

    def __init__(self, provider: str, model: str) -> None:
        super().__init__(
            f"the conversation is longer than {model} of {provider} can read",
            advice="Start a new thread, or ask about fewer or smaller files at a time.",
        )


class NoEmbeddings(Misconfigured):
    """No provider is configured to turn texts into vectors."""

    code = "llm.no_embeddings"

    def __init__(self) -> None:
        super().__init__(
            "no provider is configured for embeddings",
            advice="Set JOULE_EMBEDDING to `openai:MODEL`, or leave it at `local`; see docs/models.md.",
        )


class ProviderUnknown(Misconfigured):
    """JOULE_MODEL names a provider we do not have."""

    code = "llm.provider_unknown"


class ProviderNotInstalled(Misconfigured):
    """The package that speaks to the provider is an extra, and is not installed."""

    code = "llm.provider_not_installed"

    def __init__(self, provider: str, *, extra: str) -> None:
        super().__init__(
            f"the package for the model provider {provider} is not installed",
            advice=f"Install it with: pip install 'joule-agent[{extra}]'",
        )
