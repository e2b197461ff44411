"""What can go wrong with sandboxes at E2B, and what to do about it."""

from sandbox.errors import SandboxGone, SandboxUnavailable


class E2bMissing(SandboxUnavailable):
    """The library that speaks with E2B is not installed, or there is no key."""

    code = "sandbox.e2b_missing"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, fix=fix)


class E2bKeyRefused(SandboxUnavailable):
    """E2B does not know the key."""

    code = "sandbox.e2b_key"

    def __init__(self) -> None:
        super().__init__("E2B refused the key", fix="An admin sets JOULE_E2B_API_KEY to a key that is valid.")


class E2bBusy(SandboxUnavailable):
    """E2B has no room just now, or was asked too often. Nothing was started."""

    code = "sandbox.e2b_busy"

    def __init__(self) -> None:
        super().__init__("E2B has no room just now", fix="Try again in a minute, or raise the limits of the E2B plan.")


class E2bRefused(SandboxUnavailable):
    """E2B does not do what was asked: most likely it has no such template."""

    code = "sandbox.e2b_refused"

    def __init__(self) -> None:
        super().__init__(
            "E2B refused what was asked", fix="See that JOULE_E2B_TEMPLATE names a template of the account."
        )


class E2bAway(SandboxUnavailable):
    """E2B did not answer, or with an error of its own."""

    code = "sandbox.e2b_away"

    def __init__(self, reason: str) -> None:
        super().__init__(f"E2B {reason}", fix="Try again in a minute. `joule sandbox probe` says whether E2B answers.")


class RunCutOff(SandboxGone):
    """The connection broke while something ran. How far it came is not known, so it is never run again by itself."""

    code = "sandbox.cut_off"

    def __init__(self) -> None:
        super().__init__()
        self.args = ("the connection to the sandbox broke while code ran in it; how far it came is not known",)

    def advice(self) -> str:
        return (
            "The sandbox was ended with all that was in it. Run the code again only if running it twice does no harm."
        )
