"""What wraps data keys: the one secret that is not in the database.

A wrapper never sees content, only 32-byte data keys, each bound to the place it belongs to by its `WrapContext`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from joule.vault.errors import WrapperRefuses
from joule.vault.record import length_prefixed


@dataclass(frozen=True, kw_only=True)
class WrapContext:
    """Which data key this is, and for whom. A wrapped key opens under no other context.

    Key services write the context into their own logs in clear: it holds ids and words of ours, nothing else.
    """

    org: UUID
    key: UUID
    subject: str
    environment: str

    def as_mapping(self) -> Mapping[str, str]:
        return {
            "environment": self.environment,
            "key": str(self.key),
            "org": str(self.org),
            "purpose": "joule-data-key",
            "subject": self.subject or "organisation",  # key services may refuse an empty value
            "v": "1",
        }

    def to_bytes(self) -> bytes:
        return length_prefixed(*(part.encode() for pair in sorted(self.as_mapping().items()) for part in pair))


@dataclass(frozen=True, kw_only=True)
class KekName:
    """One key-encryption key: the kind of wrapper and its id there."""

    scheme: str
    kek_id: str


@dataclass(frozen=True, kw_only=True)
class WrappedKey:
    """A data key as it is stored."""

    kek: KekName
    blob: bytes


class KeyWrapper(Protocol):
    """Wraps and unwraps data keys.

    Every method raises `WrapperAway` when waiting may help and a `Misconfigured` when somebody must act; `unwrap`
    raises `Corrupt` for a blob that is not of this context.
    """

    @property
    def scheme(self) -> str:
        """The word stored with each key, by which it is found again."""
        ...

    async def current(self) -> KekName:
        """The key that `wrap` uses from now on."""
        ...

    async def wrap(self, key: bytes, context: WrapContext) -> WrappedKey: ...

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes: ...

    async def health(self) -> None:
        """Wraps and unwraps a throw-away key, or raises."""
        ...


class Succession:
    """A new wrapper and the ones before it: wraps with the new one, still opens what the old ones wrapped."""

    def __init__(self, *, current: KeyWrapper, before: Sequence[KeyWrapper]) -> None:
        self._current = current
        self._by_scheme = {wrapper.scheme: wrapper for wrapper in (*before, current)}

    @property
    def scheme(self) -> str:
        return self._current.scheme

    async def current(self) -> KekName:
        return await self._current.current()

    async def wrap(self, key: bytes, context: WrapContext) -> WrappedKey:
        return await self._current.wrap(key, context)

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        wrapper = self._by_scheme.get(wrapped.kek.scheme)
        if wrapper is None:
            raise WrapperRefuses(
                f"a data key was wrapped by {wrapped.kek.scheme}, which is not configured",
                advice="Configure the former key service beside the new one until every key is rewrapped.",
            )
        return await wrapper.unwrap(wrapped, context)

    async def health(self) -> None:
        for wrapper in self._by_scheme.values():
            await wrapper.health()
