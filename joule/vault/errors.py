"""What can be wrong with keys.

Bytes that do not open are `joule.kernel.errors.Corrupt`, whatever the reason: an attacker who tries learns nothing.
"""

from joule.kernel.errors import Corrupt, JouleError, Misconfigured, Unavailable


class NoKey(JouleError):
    """This organisation has no key for that subject."""

    code = "vault.no_key"

    def __init__(self) -> None:
        super().__init__("there is no key for this subject in this organisation")

    def advice(self) -> str:
        return "Check the id; nothing was ever stored under it."


class Shredded(JouleError):
    """The key was destroyed on purpose; what it sealed is gone for good."""

    code = "vault.shredded"

    def __init__(self) -> None:
        super().__init__("the key of this content was destroyed, so the content is gone")

    def advice(self) -> str:
        return "Nothing can bring it back; it was erased on request or at the end of its retention."


class UnknownKey(Corrupt):
    """A record names a data key that is not on this ring: foreign, or made after the ring was loaded."""

    code = "vault.unknown_key"

    def advice(self) -> str:
        return "Try again; if it happens once more, the record was moved here from somewhere else."


class WrapperAway(Unavailable):
    """The key service does not answer, or is overloaded. Worth trying again."""

    code = "vault.wrapper_away"

    def __init__(self) -> None:
        super().__init__("the key service")


class WrapperRefuses(Misconfigured):
    """The key service will not do this until somebody changes something there."""

    code = "vault.wrapper_refuses"


class KeyFileRefused(Misconfigured):
    """The local key file is missing, unsafe or unreadable, and Joule does not go on without it."""

    code = "vault.key_file_refused"


class KeyInUse(JouleError):
    """A key-encryption key still wraps data keys, so it cannot be retired."""

    code = "vault.key_in_use"

    def __init__(self, kek_id: str, left: int) -> None:
        super().__init__(f"key {kek_id} still wraps {left} data keys")
        self.kek_id, self.left = kek_id, left

    def advice(self) -> str:
        return "Rewrap the data keys first, then retire the old key."
