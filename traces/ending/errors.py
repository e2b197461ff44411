"""What can keep something from ending.

JouleError
└── OnHold    it is on legal hold
"""

from datetime import datetime

from joule.kernel.errors import JouleError


class OnHold(JouleError):
    """What was to be erased is on legal hold."""

    code = "traces.on_hold"

    def __init__(self, whose: str, *, since: datetime) -> None:
        super().__init__(f"{whose} is on legal hold since {since:%Y-%m-%d}, so nothing of it is erased")

    def advice(self) -> str:
        return "Ask an owner of your organisation; it can be erased when the hold is lifted."
