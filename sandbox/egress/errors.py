"""What can go wrong on the way out of a sandbox. No message carries a path, a header or a word of an answer."""

from joule.kernel.errors import Invalid, JouleError, Unavailable


class HostNotListed(JouleError):
    """Code in a sandbox asked for a host its organisation has not listed. Nothing was sent."""

    code = "sandbox.host_not_listed"

    def __init__(self) -> None:
        super().__init__("this host and port are not on the organisation's list of what code may reach")

    def advice(self) -> str:
        return "An owner or admin can add the host under Sandboxes; its name and port have to be exactly these."


class RequestRefused(JouleError):
    """What came out of the sandbox is no request that is passed on. Nothing was sent."""

    code = "sandbox.request_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the request is not passed on: {reason}")

    def advice(self) -> str:
        return "Ask by https, for a plain path, with at most 1 MiB of data."


class AddressRefused(JouleError):
    """A listed name led to an address that is not public. Nothing was sent."""

    code = "sandbox.address_refused"

    def __init__(self) -> None:
        super().__init__("the host's name leads to an address that may not be reached from here")

    def advice(self) -> str:
        return "Only public addresses are reached. Ask an admin to look at where the name leads."


class OutsideAnswerRefused(JouleError):
    """An answer that is not passed into the sandbox: too large, compressed, or pointing elsewhere."""

    code = "sandbox.answer_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the host's answer is not passed on: {reason}")

    def advice(self) -> str:
        return "Ask for less, or for the address it points to, if that is listed too."


class OutsideAway(Unavailable):
    """A listed host did not answer."""

    code = "sandbox.outside_away"

    def __init__(self) -> None:
        super().__init__("the host")

    def advice(self) -> str:
        return "Try again later; the host did not answer, or not in time."


class PlaceRefused(Invalid):
    """A host that cannot be listed."""

    code = "sandbox.place_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the host cannot be listed: {reason}", advice="Give a full name such as api.example.com, and a port."
        )
