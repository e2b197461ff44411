"""What can be wrong with access to content. No message carries a word of content.

Refused  ── NoAccess              nothing allows this person to read this
Conflict ── AccessOver            what was asked or granted is no longer in a state for this
Invalid  ── BadRequestForAccess   what was asked cannot be asked like this
"""

from joule.kernel.errors import Conflict, Invalid, Refused


class NoAccess(Refused):
    """Nothing allows this person to read this content now."""

    code = "traces.no_access"

    def __init__(self, action: str, *, reason: str, advice: str = "") -> None:
        super().__init__(
            action,
            reason=reason,
            advice=advice or "Ask for access on the task's page; an owner or admin of the organisation decides.",
        )


class AccessOver(Conflict):
    """Somebody else has answered or ended what this is about, or its time is over."""

    code = "traces.access_over"

    def __init__(self) -> None:
        super().__init__("request for access")


class BadRequestForAccess(Invalid):
    """What was asked cannot be asked like this."""

    code = "traces.bad_request_for_access"
