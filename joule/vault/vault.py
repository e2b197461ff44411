"""Hands out keyrings: the one way to seal and open anything that is stored.

Whether a key still lives is read from its row every time, inside the caller's transaction; only the unwrapped bytes are
remembered, for `cache_seconds`. So shredding takes effect at once, and an absent key service is bridged for that long
and not longer.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import WriteSession
from joule.kernel.clock import Clock
from joule.kernel.errors import Corrupt
from joule.kernel.ids import OrgId, new_id
from joule.vault import _store
from joule.vault._store import Stored
from joule.vault.errors import NoKey, Shredded
from joule.vault.keys import Keyring
from joule.vault.record import KEY_BYTES
from joule.vault.tables import ACTIVE, RETIRED, SHREDDED
from joule.vault.wrapper import KekName, KeyWrapper, WrapContext, WrappedKey

SUBJECT = re.compile(r"([a-z]+:[A-Za-z0-9._-]{1,80})?")
_NOTHING = WrappedKey(kek=KekName(scheme="", kek_id=""), blob=b"")


class Vault:
    """The data keys of all organisations, as seen by one process."""

    def __init__(
        self, *, wrapper: KeyWrapper, clock: Clock, environment: str, cache_seconds: int, cache_keys: int = 1_000
    ) -> None:
        """`environment` is bound into every wrapped key: keys of one environment do not open in another."""
        self._wrapper, self._clock, self._environment = wrapper, clock, environment
        self._lifetime, self._most = timedelta(seconds=cache_seconds), cache_keys
        self._unwrapped: OrderedDict[tuple[WrapContext, WrappedKey], tuple[datetime, bytes]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Vault of {self._environment}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys do not leave the process")

    async def keyring(
        self, session: AsyncSession, org: OrgId, subject: str = "", *, under: str = "", create: bool = False
    ) -> Keyring:
        """The keys of (`org`, `subject`): "" for the organisation itself, else `kind:id` such as `task:<uuid>`.

        With `under`, they are bound to the keys of that subject too, and end when either is destroyed.

        With `create` (write sessions only) a first key is made when there is none; of several callers at once, one
        makes it and the others wait for its transaction and get the same. Load a ring per transaction, keep none.

        Raises `NoKey`; `Shredded`, also for `create`, since what was destroyed is never begun anew; `WrapperAway` or
        a `Misconfigured` when the key service is needed and does not help; `Corrupt` for a key moved between rows.
        """
        _check(subject)
        rows = await _store.of_subject(session, org, subject)
        if not rows and create:
            rows = await self._begin(session, org, subject)
        ring = await self._ring(org, subject, rows)
        return ring.under(await self.keyring(session, org, under, create=create)) if under else ring

    async def keyring_of(self, org: OrgId, subject: str, columns: Mapping[str, Sequence[Any]]) -> Keyring:
        """The ring of keys that another room's statement brought along with what they open, to save a question.

        `columns` are those of `data_key`, each as a list, of this organisation, read in that very statement: nothing
        older may be given. Raises as `keyring` does.
        """
        _check(subject)
        rows = [row for row in _store.from_columns(columns) if row.subject == subject]
        return await self._ring(org, subject, rows)

    async def _ring(self, org: OrgId, subject: str, rows: Sequence[Stored]) -> Keyring:
        if not rows:
            raise NoKey()
        if any(row.state == SHREDDED for row in rows):
            self._forget(org, subject)
            raise Shredded()
        keys = {row.id: await self._unwrap(org, row) for row in rows}
        active = next((row.id for row in rows if row.state == ACTIVE), None)
        if active is None or rows[0].ordinal != 1:
            raise NoKey()
        return Keyring(org=org, subject=subject, keys=keys, active=active, first=rows[0].id)

    async def rotate(self, session: WriteSession, org: OrgId, subject: str = "") -> None:
        """A fresh data key for what is sealed from now on; the former ones go on opening what they sealed.

        What exists is moved by its owner, with `Keyring.reseal`. Raises `NoKey` or `Shredded`.
        """
        _check(subject)
        await _store.lock(session, _store.subject_lock(org, subject))
        rows = await _store.of_subject(session, org, subject)
        if not rows:
            raise NoKey()
        if any(row.state == SHREDDED for row in rows):
            raise Shredded()
        fresh = await self._make(session, org, subject, ordinal=rows[-1].ordinal + 1)
        now = self._clock.now()
        await _store.retire(session, org, subject, at=now)
        await _store.add(session, org, fresh, at=now)

    async def made_before(
        self, session: AsyncSession, org: OrgId, kind: str, *, before: datetime, many: int | None
    ) -> Sequence[str]:
        """The subjects of a kind (`grant` of `grant:<id>`; "" for the organisation) whose present key is older."""
        return await _store.made_before(session, org, kind, before=before, many=many)

    async def living(self, session: AsyncSession, org: OrgId, first: str, last: str, *, many: int) -> Sequence[str]:
        """At most `many` subjects that have a key, by name, from `first` on and before `last`."""
        return await _store.living(session, org, first, last, many=many)

    async def keep_bound(self, session: WriteSession, org: OrgId, subject: str, *, under: str, name: str) -> None:
        """Keep the keys of `subject` bound to `under` as those of the subject `name`, which stands on its own from now on.

        What the bound ring sealed can still be opened when either of the two is destroyed. Doing it twice is no error.
        Raises `NoKey` or `Shredded`; `Shredded` also where `name` was destroyed before.
        """
        _check(name)
        ring = await self.keyring(session, org, subject, under=under)
        await _store.lock(session, _store.ANY_KEK, shared=True)
        await _store.lock(session, _store.org_lock(org), shared=True)
        now = self._clock.now()
        for ordinal, (key_id, key) in enumerate(ring.in_order(), start=1):
            wrapped = await self._wrapper.wrap(key, self._context(org, key_id, name))
            state = ACTIVE if key_id == ring.active else RETIRED
            stored = Stored(id=key_id, subject=name, ordinal=ordinal, wrapped=wrapped, state=state)
            await _store.add(session, org, stored, at=now, ended=None if state == ACTIVE else now)
        await self.keyring(session, org, name)

    async def shred(self, session: WriteSession, org: OrgId, subject: str) -> int:
        """Destroys every key of one subject; returns how many there were to destroy.

        Takes effect everywhere when `session` commits. Nothing can be sealed for that subject again, even if it never
        had a key. "" destroys the organisation's own key alone and ends the making of keys in it; for all keys of
        the organisation use `shred_organisation`.
        """
        _check(subject)
        # Two statements: the second sees what whoever held the lock has committed.
        await _store.lock(session, _store.subject_lock(org, subject))
        await self._bury(session, org, subject)
        destroyed = await _store.shred(session, org, subject, at=self._clock.now())
        self._forget(org, subject)
        return destroyed

    async def shred_organisation(self, session: WriteSession, org: OrgId) -> int:
        """Destroys every key of every subject of `org`, and ends the making of keys in it; returns how many."""
        await _store.lock(session, _store.org_lock(org))
        await self._bury(session, org, "")
        destroyed = await _store.shred(session, org, None, at=self._clock.now())
        self._forget(org, None)
        return destroyed

    async def health(self) -> None:
        """Raises what is wrong with the key service, if anything is."""
        await self._wrapper.health()

    async def _begin(self, session: AsyncSession, org: OrgId, subject: str) -> Sequence[Stored]:
        fresh = await self._make(session, org, subject, ordinal=1)
        await _store.add(session, org, fresh, at=self._clock.now())
        return await _store.of_subject(session, org, subject)  # whoever came first has made it

    async def _make(self, session: AsyncSession, org: OrgId, subject: str, *, ordinal: int) -> Stored:
        # Locked before wrapping: whoever retires a wrapping key waits for this transaction, so no key is ever wrapped
        # by one that is gone; and an organisation being shredded gets no key behind the shredder's back.
        await _store.lock(session, _store.ANY_KEK, shared=True)
        await _store.lock(session, _store.org_lock(org), shared=True)
        if await _store.is_org_shredded(session, org):
            raise Shredded()
        key, key_id = os.urandom(KEY_BYTES), new_id()
        wrapped = await self._wrapper.wrap(key, self._context(org, key_id, subject))
        return Stored(id=key_id, subject=subject, ordinal=ordinal, wrapped=wrapped, state=ACTIVE)

    async def _bury(self, session: WriteSession, org: OrgId, subject: str) -> None:
        """A tombstone where there was no key, so that none is made later by someone who has not heard."""
        now = self._clock.now()
        tombstone = Stored(id=new_id(), subject=subject, ordinal=1, wrapped=_NOTHING, state=SHREDDED)
        await _store.add(session, org, tombstone, at=now, ended=now)

    async def _unwrap(self, org: OrgId, row: Stored) -> bytes:
        # The whole context and the wrapped bytes are the name of a remembered key: by its id alone, a row copied from
        # another organisation would be served its key without the wrapper ever being asked.
        name = (self._context(org, row.id, row.subject), row.wrapped)
        now = self._clock.now()
        found = self._unwrapped.get(name)
        if found is not None and now < found[0]:
            self._unwrapped.move_to_end(name)
            return found[1]
        for stale in [other for other, (until, _) in self._unwrapped.items() if until <= now]:
            del self._unwrapped[stale]
        key = await self._wrapper.unwrap(row.wrapped, name[0])
        if len(key) != KEY_BYTES:
            raise Corrupt("a data key has the wrong length")
        self._unwrapped[name] = (now + self._lifetime, key)
        while len(self._unwrapped) > self._most:
            self._unwrapped.popitem(last=False)
        return key

    def _forget(self, org: OrgId, subject: str | None) -> None:
        gone = [n for n in self._unwrapped if n[0].org == org and (subject is None or n[0].subject == subject)]
        for name in gone:
            del self._unwrapped[name]

    def _context(self, org: OrgId, key: UUID, subject: str) -> WrapContext:
        return WrapContext(org=org, key=key, subject=subject, environment=self._environment)


def _check(subject: str) -> None:
    if SUBJECT.fullmatch(subject) is None:
        raise ValueError("a subject is empty or `kind:id`")
