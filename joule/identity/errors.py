"""What can go wrong when somebody signs in or changes who may.

A failed sign-in never says which part was wrong: neither the message, nor the code, nor the time it took.
"""

from datetime import timedelta

from joule.kernel.errors import Conflict, Invalid, Refused, Unavailable


class SignInFailed(Invalid):
    """The address and password do not belong together, or nobody may sign in with them."""

    code = "identity.sign_in_failed"

    def __init__(self) -> None:
        super().__init__(
            "the address or the password is wrong",
            advice="Check both, or ask an owner or admin of your organisation for a sign-in link.",
        )


class LinkUnusable(Invalid):
    """A sign-in link is unknown, used or expired; which, nobody is told."""

    code = "identity.link_unusable"

    def __init__(self) -> None:
        super().__init__(
            "this sign-in link cannot be used",
            advice="A link works once and for a short time. Ask for a new one; on the server, `joule up` prints one.",
        )


class TooManyTries(Unavailable):
    """Passwords were tried too often, for one address or altogether. `wait` is how long until the next try counts."""

    code = "identity.too_many_tries"

    def __init__(self, wait: timedelta) -> None:
        super().__init__("signing in by password")
        self.wait = wait

    def advice(self) -> str:
        return "Wait a quarter of an hour, or use a sign-in link."


class SignInBusy(Unavailable):
    """More people are signing in by password at this moment than the server checks at a time."""

    code = "identity.sign_in_busy"

    def __init__(self) -> None:
        super().__init__("signing in by password")

    def advice(self) -> str:
        return "Try again in a few seconds."


class PasswordUnfit(Invalid):
    """The chosen password is too easy to guess or too long to check."""

    code = "identity.password_unfit"


class DetailUnfit(Invalid):
    """A name or an address cannot be used as it is."""

    code = "identity.detail_unfit"


class AddressTaken(Invalid):
    """Somebody of this organisation signs in with that address already."""

    code = "identity.address_taken"

    def __init__(self) -> None:
        super().__init__(
            "somebody in this organisation has that address already",
            advice="Look for them in the list of members; issue a sign-in link if they cannot get in.",
        )


class OrganisationExists(Conflict):
    """An organisation is founded once."""

    code = "identity.organisation_exists"

    def __init__(self) -> None:
        super().__init__("organisation")


class LastOwner(Invalid):
    """An organisation without an active owner could never be administered again."""

    code = "identity.last_owner"

    def __init__(self) -> None:
        super().__init__(
            "this is the organisation's last active owner", advice="Make somebody else an owner first, then try again."
        )


class NotYours(Refused):
    """The person asking may not do this to that person or session, whatever the policy allows in general."""

    code = "identity.not_yours"

    def __init__(self, action: str) -> None:
        super().__init__(
            action, reason="their role does not reach that far", advice="Ask an owner of your organisation to do it."
        )
