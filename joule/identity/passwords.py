"""Checks and hashes passwords with argon2id, a few at a time, and takes as long for nobody as for somebody.

One check costs about 64 MiB and a third of a second, on purpose. So the work is done in threads, at most `at_once` of
it, with a short queue; whoever comes to a full queue is told to try again rather than kept holding a connection.
"""

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from joule.identity.actions import Secret
from joule.identity.addresses import same_address
from joule.identity.errors import PasswordUnfit, SignInBusy

SHORTEST = 12
LONGEST = 1024


class Passwords:
    """Holds the parameters and the queue of one process."""

    def __init__(self, *, hasher: PasswordHasher, at_once: int = 2, waiting: int = 4) -> None:
        """`hasher` sets argon2id's cost: `PasswordHasher()` has RFC 9106's second choice, 64 MiB in 3 passes."""
        if hasher.type is not Type.ID:
            raise ValueError("passwords are hashed with argon2id")
        self._hasher = hasher
        self._nobody = _hash_of_nobody(hasher)
        self._turns = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self._inside = 0

    @classmethod
    def for_pool(cls, connections: int) -> Self:
        """Sized for a process with so many database connections: a sign-in holds two, so half of them at most."""
        at_once = min(2, max(1, connections // 4))
        return cls(hasher=PasswordHasher(), at_once=at_once, waiting=min(4, max(0, connections // 2 - at_once)))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A place in the queue, to be had before anything else is waited for. Raises `SignInBusy` when it is full."""
        if self._inside >= self._room:
            raise SignInBusy
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def matches(self, stored: str | None, password: Secret) -> bool:
        """Whether `password` is the one behind `stored`. Without a stored hash it works as long and says no."""
        given = _bytes(password)
        async with self._turns:
            same = await asyncio.to_thread(self._verify, self._nobody if stored is None else stored, given)
        return same and stored is not None

    async def hash(self, password: Secret) -> str:
        """The encoded argon2id hash to store."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    def is_outdated(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, given: bytes) -> bool:
        try:
            return self._hasher.verify(stored, given)
        except (VerificationError, InvalidHashError):
            return False


def check_fit(password: Secret, *, name: str, email: str) -> None:
    """Raise `PasswordUnfit` unless the password has 12 to 1024 letters and is not the person's name or address."""
    text = _text(password)
    if len(text) < SHORTEST:
        raise PasswordUnfit(
            "the password is too short", advice=f"Choose at least {SHORTEST} letters; a sentence is fine."
        )
    if len(text) > LONGEST:
        raise PasswordUnfit("the password is too long", advice=f"Choose at most {LONGEST} letters.")
    if same_address(text) in {same_address(name), same_address(email), same_address(email).partition("@")[0]}:
        raise PasswordUnfit("the password is the name or the address", advice="Choose something only you would write.")
    if len(set(text)) < 4:
        raise PasswordUnfit("the password repeats a few letters", advice="Choose a sentence, or several words.")


def _text(password: Secret) -> str:
    return unicodedata.normalize("NFKC", password.get_secret_value())


def _bytes(password: Secret) -> bytes:
    # What is too long to be anybody's password is cut, so that a huge one costs no more than any other wrong one.
    return _text(password)[: LONGEST + 1].encode("utf-8", "surrogatepass")


def _hash_of_nobody(hasher: PasswordHasher) -> str:
    """A hash with today's parameters that no password has: checking it takes as long as checking a real one."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"
