"""Turns words into keyed hashes, so that the search index holds none in clear.

PostgreSQL stems the text as a parameter of one statement and keeps nothing of it; each stem becomes a hash under the
organisation's key here, and only the hashes are stored. Who lacks the key can check no guess; how often a hash occurs,
and beside which others, can be seen.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Integer, Text

from joule.vault.keys import Keyring

_PURPOSE = "chunk_words.words"
_DIGITS = 12  # hexadecimal: 48 bits, so that two words of one organisation practically never meet

# English stems; words of other languages are kept as they are or lose a harmless ending, alike on both sides.
_STEMS = text(
    """
    SELECT given.place, stem.lexeme, stem.positions
      FROM unnest(:places, :texts) AS given (place, words),
           unnest(to_tsvector('english', given.words)) AS stem
     ORDER BY given.place, stem.positions[1]
    """
).bindparams(bindparam("places", type_=ARRAY(Integer)), bindparam("texts", type_=ARRAY(Text)))


async def blinded(session: AsyncSession, keyring: Keyring, texts: Sequence[str]) -> tuple[str, ...]:
    """For each text the literal of a tsvector of hashes with positions: `CAST(:words AS tsvector)`."""
    literals: defaultdict[int, list[str]] = defaultdict(list)
    for place, word, positions in await _hashed(session, keyring, texts):
        literals[place].append(f"{word}:{','.join(map(str, positions))}")
    return tuple(" ".join(literals[place]) for place in range(len(texts)))


async def blind_words(session: AsyncSession, keyring: Keyring, question: str) -> tuple[str, ...]:
    """The stems of a question as hashes, each once, in the order they stand."""
    return tuple(dict.fromkeys(word for _, word, _ in await _hashed(session, keyring, [question])))


def hashed(keyring: Keyring, stem: str) -> str:
    """The hash of one stem."""
    return keyring.commitment(_PURPOSE, stem.encode()).hex()[:_DIGITS]


async def _hashed(session: AsyncSession, keyring: Keyring, texts: Sequence[str]) -> list[tuple[int, str, list[int]]]:
    """Place of the text, hash, positions in it."""
    readable = [each.replace("\0", " ").encode(errors="replace").decode() for each in texts]
    rows = await session.execute(_STEMS, {"places": list(range(len(readable))), "texts": readable})
    known: dict[str, str] = {}
    found = []
    for place, stem, positions in rows:
        if stem not in known:
            known[stem] = hashed(keyring, stem)
        found.append((place, known[stem], positions))
    return found
