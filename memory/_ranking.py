"""Ranks texts by how well they fit a query, with PostgreSQL's full text search over parameters.

The texts were opened in this process and are never stored in clear: they travel as parameters of one statement and
are gone with it. English stemming first; what no stem finds is looked for as plain letters, so other languages and
parts of words are found as well.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Integer, Text

MAX_QUERY = 1_000  # characters
_LEAST_LETTERS = 3

_RANK = text(
    """
    WITH wish AS (
        SELECT websearch_to_tsquery('english', :query) AS all_words,
               (SELECT string_agg(quote_literal(lexeme), ' | ')::tsquery
                  FROM unnest(to_tsvector('english', :query))) AS any_word
    ), given AS (
        SELECT place, to_tsvector('english', words) AS words
          FROM unnest(:places, :texts) AS given (place, words)
    )
    SELECT place, (words @@ all_words)::int + ts_rank(words, any_word) AS score
      FROM given, wish
     WHERE words @@ all_words OR words @@ any_word
     ORDER BY score DESC, place
    """
).bindparams(bindparam("places", type_=ARRAY(Integer)), bindparam("texts", type_=ARRAY(Text)))


async def ranked(session: AsyncSession, query: str, texts: Sequence[str]) -> list[int]:
    """The places in `texts` of those that fit, best first; equal ones in the order given."""
    wish = query[:MAX_QUERY].replace("\0", " ").encode(errors="replace").decode()
    if not texts or not wish.strip():
        return []
    found = await session.execute(
        _RANK,
        {"query": wish, "places": list(range(len(texts))), "texts": [each.replace("\0", " ") for each in texts]},
    )
    places = [row.place for row in found]
    known = set(places)
    letters = terms(wish)
    loose = [(-hits, at) for at, each in enumerate(texts) if at not in known and (hits := _hits(each, letters))]
    return places + [at for _, at in sorted(loose)]


def terms(query: str) -> list[str]:
    """The words of a query that are worth looking for as letters."""
    return list(dict.fromkeys(word for word in _words(query) if len(word) >= _LEAST_LETTERS))


def _words(query: str) -> list[str]:
    return "".join(sign if sign.isalnum() else " " for sign in query.casefold()).split()


def _hits(words: str, letters: Sequence[str]) -> int:
    folded = words.casefold()
    return sum(letter in folded for letter in letters)
