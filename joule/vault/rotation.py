"""Moves every data key from former key-encryption keys to the current one, while everybody goes on reading.

What is sealed is untouched: only the small wrapped keys are written anew. Moving from the local file to a key service
is the same call. An operator's work: it runs as the owner of the schema, since it concerns all organisations at once.

The order: every process can open with both keys; `wrapper.current()` is the new one; `rewrap`; `retire`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from joule.database.engine import Database
from joule.vault import _store
from joule.vault.errors import KeyInUse
from joule.vault.wrapper import KekName, KeyWrapper, WrapContext


@dataclass(frozen=True, kw_only=True)
class Rewrapped:
    """What a run came to. `left` is counted after it, over all organisations."""

    moved: int
    left: int
    current: KekName


class KekRotation:
    """Replaces the key-encryption key."""

    def __init__(self, *, owner: Database, wrapper: KeyWrapper, environment: str) -> None:
        """`owner` logs in as the schema's owner; `wrapper` opens with the former keys too (see `Succession`)."""
        self._owner, self._wrapper, self._environment = owner, wrapper, environment

    async def rewrap(self, *, batch: int = 200, told: Callable[[int], None] | None = None) -> Rewrapped:
        """Wraps every living data key with the current key, `batch` rows to a transaction; `told` how many so far.

        May be interrupted and run again, and run by several at once. Raises what unwrapping raises; the batches
        before it stay done.
        """
        moved = 0
        while True:
            current = await self._wrapper.current()  # each time, since another operator may rotate meanwhile
            done = await self._rewrap_some(current, batch)
            moved += done
            if told is not None and done:
                told(moved)
            if done == 0:
                return Rewrapped(moved=moved, left=await self.left(), current=current)

    async def left(self) -> int:
        """How many living data keys are not under the current key yet. 0 before a former key may go."""
        current = await self._wrapper.current()
        async with self._owner.unscoped() as session:
            return await _store.left_outside(session, current)

    async def retire(self, kek_id: str, *, scheme: str, remove: Callable[[str], Awaitable[None]]) -> None:
        """Lets `remove(kek_id)` take a former key away, once nothing needs it.

        No data key can be wrapped while this looks and removes. Raises `KeyInUse` when some still need the key.
        """
        async with self._owner.unscoped() as session:
            await _store.lock(session, _store.ANY_KEK)
            left = await _store.wrapped_by(session, KekName(scheme=scheme, kek_id=kek_id))
            if left:
                raise KeyInUse(kek_id, left)
            await remove(kek_id)

    async def _rewrap_some(self, current: KekName, batch: int) -> int:
        async with self._owner.unscoped() as session:
            found = await _store.batch_outside(session, current, many=batch)
            for row in found:
                context = WrapContext(
                    org=row.org, key=row.stored.id, subject=row.stored.subject, environment=self._environment
                )
                key = await self._wrapper.unwrap(row.stored.wrapped, context)
                await _store.rewrap(session, row.org, row.stored.id, await self._wrapper.wrap(key, context))
            return len(found)
