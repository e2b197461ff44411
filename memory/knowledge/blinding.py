"""Turns words into keyed hashes, so that the search index holds none in clear.

PostgreSQL stems the text as a parameter of one statement and keeps nothing of it; each stem becomes a hash under the
organisation's key here, and only the hashes are stored. Who lacks the key can check no guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from joule.vault.keys import Keyring


@dataclass(frozen=True, kw_only=True)
class BlindWords:
    """The hashes of a question's stems, in the order they stand, each once."""

    words: tuple[str, ...]


async def blinded(session: AsyncSession, keyring: Keyring, texts: Sequence[str]) -> tuple[str, ...]:
    """For each text the literal of a tsvector of hashes with positions: `CAST(:words AS tsvector)`."""
    raise NotImplementedError


async def blind_question(session: AsyncSession, keyring: Keyring, question: str) -> BlindWords:
    """The stems of a question as hashes."""
    raise NotImplementedError
