"""What can be wrong at the gate itself."""

from joule.kernel.errors import JouleError, Misconfigured


class PolicyInvalid(Misconfigured):
    """The policies do not parse, do not fit the schema, or lack an id or a reason. Joule does not start."""

    code = "policy.invalid"


class RecordedFailure(JouleError):
    """An action that failed when it was performed, met again while its task is re-run."""

    code = "gate.recorded_failure"

    def __init__(self, code: str, message: str, advice: str) -> None:
        super().__init__(message)
        self.recorded_code = code
        self._advice = advice

    def advice(self) -> str:
        return self._advice


class Unexpected(JouleError):
    """A handler failed in a way nobody foresaw. What it said is not repeated: it may quote content."""

    code = "joule.unexpected"

    def __init__(self, action: str) -> None:
        super().__init__(f"{action} failed unexpectedly")
