"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta


class StoppedClock:
    """Starts at noon UTC of the day the tests run, so that ids minted now and partitions made now fit its time."""

    def __init__(self, at: datetime | None = None) -> None:
        self._now = at or datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by
