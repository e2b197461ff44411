"""How often one connection may be asked: a bucket for each operation, and what the provider last said about waiting.

Kept in this process alone, so several processes together may ask more often; then the provider's own 429 holds all back.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from integrations.catalogue.model import Rate
from joule.kernel.clock import Clock

KNOWN = 1_000  # connections and operations remembered; the longest unused go first
USUAL = Rate(calls=20, seconds=2)


@dataclass(kw_only=True)
class _Bucket:
    left: float
    at: datetime


class Pace:
    """Says how long to wait before the next call. Nothing here waits."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[UUID, str], _Bucket] = OrderedDict()
        self._held: OrderedDict[UUID, datetime] = OrderedDict()

    def take(self, connection: UUID, operation: str, rate: Rate | None) -> float:
        """Seconds until a call may start; 0 when it may start now, and then it counts as started."""
        now = self._clock.now()
        held = (self._held.get(connection, now) - now).total_seconds()
        if held > 0:
            return held
        per = rate or USUAL
        bucket = self._bucket((connection, operation), per, now)
        if bucket.left >= 1.0:
            bucket.left -= 1.0
            return 0.0
        return (1.0 - bucket.left) * per.seconds / per.calls

    def hold(self, connection: UUID, seconds: float) -> None:
        """The provider asked this connection to wait so long."""
        self._held[connection] = self._clock.now() + timedelta(seconds=seconds)
        self._held.move_to_end(connection)
        while len(self._held) > KNOWN:
            self._held.popitem(last=False)

    def _bucket(self, key: tuple[UUID, str], per: Rate, now: datetime) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(left=float(per.calls), at=now)
        gained = max(0.0, (now - bucket.at).total_seconds()) * per.calls / per.seconds
        bucket.left, bucket.at = min(float(per.calls), bucket.left + gained), now
        self._buckets.move_to_end(key)
        while len(self._buckets) > KNOWN:
            self._buckets.popitem(last=False)
        return bucket
