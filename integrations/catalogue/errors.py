"""What can be wrong between the catalogue and a wish to use it. No message carries an argument's value.

NotFound
├── ProviderUnknown     the catalogue has no such provider
└── OperationUnknown    the provider has no such operation
Invalid
├── ArgumentsRefused    the arguments do not fit the operation
└── AnswerUnreadable    the provider's answer is not JSON that can be read safely
Refused
└── HostRefused         a request would leave the hosts the catalogue allows
Misconfigured
└── BadCatalogue        a provider's file does not say what it must
"""

from joule.kernel.errors import Invalid, Misconfigured, NotFound, Refused


class ProviderUnknown(NotFound):
    """The catalogue has no such provider."""

    code = "integrations.provider_unknown"

    def __init__(self) -> None:
        super().__init__("provider")

    def advice(self) -> str:
        return "Choose a provider from the Integrations page."


class OperationUnknown(NotFound):
    """The provider has no such operation."""

    code = "integrations.operation_unknown"

    def __init__(self) -> None:
        super().__init__("operation")

    def advice(self) -> str:
        return "Ask which operations the connected account offers, and use one of those."


class ArgumentsRefused(Invalid):
    """The arguments do not fit the operation. `argument` is where, `rule` which rule of its schema was broken."""

    code = "integrations.arguments_refused"

    def __init__(self, argument: str, rule: str, *, advice: str = "") -> None:
        where = f"the argument {argument}" if argument else "the arguments"
        super().__init__(
            f"{where} cannot be used: {rule}",
            advice=advice or "Look at the operation's description and give the arguments as it says.",
        )
        self.argument, self.rule = argument, rule


class AnswerUnreadable(Invalid):
    """The provider's answer is not JSON that can be read safely."""

    code = "integrations.answer_unreadable"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the provider's answer cannot be read: {problem}",
            advice="Try once more; if it stays so, the provider has changed and an operator should look for an update.",
        )


class HostRefused(Refused):
    """A request would leave the hosts the catalogue allows. Nothing was sent."""

    code = "integrations.request_refused_host"

    def __init__(self, problem: str = "this host is not one of the provider's") -> None:
        super().__init__(
            "the call",
            reason=problem,
            advice="Check the shop, data centre or instance name with which the account was connected.",
        )


class BadCatalogue(Misconfigured):
    """A provider's file does not say what it must."""

    code = "integrations.bad_catalogue"

    def __init__(self, provider: str, problem: str) -> None:
        super().__init__(
            f"the catalogue file of {provider} is wrong: {problem}",
            advice="Correct the file (docs/integrations.md says how it is laid out) or install Joule afresh.",
        )
        self.provider = provider
