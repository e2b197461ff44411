"""Every error Joule raises on purpose.

    JouleError                      advice(): what the person can do about it
    ├── Refused                     the gate said no
    │   └── ApprovalNeeded          the gate says: ask a person first
    ├── PermitMisused               a permit was forged, reused, swapped or stale
    ├── NotFound                    no such thing in this organisation
    ├── Invalid                     what was given cannot be used as it is
    ├── Conflict                    someone else changed it first
    ├── Unavailable                 something Joule depends on is not there just now
    │   └── JournalDown             nothing can be written down, so nothing is done
    ├── GrantMissing                a connected account lacks a permission only a person can give
    ├── OutcomeUnknown              an effect was started and its end was never seen
    ├── Stopped                     a person stopped the task
    ├── LimitReached                a task used up its steps, tokens or spend
    ├── Fenced                      another worker has taken the task over
    ├── Corrupt                     stored bytes are not what was stored
    └── Misconfigured               Joule refuses to start like this

Rooms add leaves in their own `errors.py`. A message never carries customer content; `code` is stable, and is what
policy, journal and pages use. Only `joule/web/errors.py` knows HTTP.
"""

from typing import ClassVar


class JouleError(Exception):
    """Base of all deliberate failures."""

    code: ClassVar[str] = "joule.error"

    def advice(self) -> str:
        """One sentence for the person it happened to: what to do now."""
        return "Try again; if it happens once more, give support the task id."


class Refused(JouleError):
    """The gate would not let an action through. Carries the deciding policies and their own words."""

    code = "gate.refused"

    def __init__(self, action: str, *, reason: str, policies: tuple[str, ...] = (), advice: str = "") -> None:
        super().__init__(f"{action} was refused: {reason}")
        self.action, self.reason, self.policies = action, reason, policies
        self._advice = advice

    def advice(self) -> str:
        return self._advice or "Ask an admin of your organisation whether the policy should allow this."


class ApprovalNeeded(Refused):
    """A person has to agree before this may happen."""

    code = "gate.approval_needed"

    def advice(self) -> str:
        return self._advice or "Approve or decline the request in the chat."


class PermitMisused(JouleError):
    """A permit was forged, spent twice, offered for another action, or too old."""

    code = "gate.permit_misused"


class NotFound(JouleError):
    """There is no such thing in this organisation (or nobody may know there is)."""

    code = "joule.not_found"

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no such {what}")
        self.what = what

    def advice(self) -> str:
        return f"Check the {self.what}'s name or id; it may have been deleted."


class Invalid(JouleError):
    """What was given cannot be used as it is. `advice` says what would work."""

    code = "joule.invalid"

    def __init__(self, problem: str, *, advice: str) -> None:
        super().__init__(problem)
        self._advice = advice

    def advice(self) -> str:
        return self._advice


class Conflict(JouleError):
    """Someone else changed it first."""

    code = "joule.conflict"

    def __init__(self, what: str) -> None:
        super().__init__(f"the {what} has changed since it was read")
        self.what = what

    def advice(self) -> str:
        return f"Look at the {self.what} as it is now, then make the change again."


class Unavailable(JouleError):
    """Something Joule depends on is not there just now."""

    code = "joule.unavailable"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not available just now")
        self.what = what

    def advice(self) -> str:
        return f"Wait a moment and try again; an operator can run `joule doctor` to see why {self.what} is away."


class JournalDown(Unavailable):
    """Nothing can be written down, so nothing is done."""

    code = "traces.journal_down"

    def __init__(self, what: str = "the journal") -> None:
        super().__init__(what)

    def advice(self) -> str:
        return "Nothing was done. An operator should check the database's disk and run `joule doctor`; then retry."


class GrantMissing(JouleError):
    """A connected account lacks a permission that only a person can give. Nothing was done at the provider.

    Raised for the agent, it makes the task wait for a person instead of failing the call; see `joule.governance.gate`.
    """

    code = "joule.grant_missing"

    connection: str  # the id of the connected account
    scopes: tuple[str, ...]  # the smallest set that would do, as the provider names them


class OutcomeUnknown(JouleError):
    """An effect was started and its end was never seen. It is not tried again by itself."""

    code = "gate.outcome_unknown"

    def __init__(self, action: str) -> None:
        super().__init__(f"it is not known whether {action} happened")
        self.action = action

    def advice(self) -> str:
        return "Check the result yourself before asking for it again; Joule will not repeat it on its own."


class Stopped(JouleError):
    """A person stopped the task."""

    code = "task.stopped"

    def __init__(self) -> None:
        super().__init__("the task was stopped")

    def advice(self) -> str:
        return "Send the message again when you want to go on."


class LimitReached(JouleError):
    """A task used up what it was allowed: steps, tokens, spend or time."""

    code = "task.limit_reached"

    def __init__(self, limit: str, allowed: int) -> None:
        super().__init__(f"the task reached its limit of {allowed} {limit}")
        self.limit, self.allowed = limit, allowed

    def advice(self) -> str:
        return "Ask for a smaller piece of the work, or have an admin raise the limit in the settings."


class Fenced(JouleError):
    """Another worker has taken this task over; this one must not touch it again."""

    code = "task.fenced"

    def __init__(self) -> None:
        super().__init__("another worker has taken this task over")


class Corrupt(JouleError):
    """Stored bytes are not the bytes that were stored, or not for this place."""

    code = "joule.corrupt"

    def advice(self) -> str:
        return "Restore the record from a backup and tell your security contact: something changed it from outside."


class Misconfigured(JouleError):
    """Joule refuses to start like this."""

    code = "joule.misconfigured"

    def __init__(self, problem: str, *, advice: str) -> None:
        super().__init__(problem)
        self._advice = advice

    def advice(self) -> str:
        return self._advice
