"""How much room all organisations together have left in the artifact store, by what really lies in it.

No organisation can see another's rows, so the store itself is asked, now and then; what this process has added since
is counted. Several workers can together go over by what they keep within one such time.
"""

import asyncio
from datetime import datetime, timedelta

from joule.kernel.clock import Clock
from sandbox.artifacts.store import Store

_ASKED_EVERY = timedelta(minutes=1)


class Room:
    """The room in one store. `total` is in bytes, as they lie there: sealed."""

    def __init__(self, *, store: Store, clock: Clock, total: int) -> None:
        self._store, self._clock, self._total = store, clock, total
        self._used, self._at = 0, datetime.min.replace(tzinfo=clock.now().tzinfo)
        self._asking = asyncio.Lock()

    async def takes(self, size: int) -> bool:
        """Whether so many bytes more still fit; then they are counted. Raises `StoreAway`."""
        async with self._asking:
            if self._clock.now() - self._at >= _ASKED_EVERY:
                self._used, self._at = await asyncio.to_thread(self._store.used), self._clock.now()
            if self._used + size > self._total:
                return False
            self._used += size
            return True
