"""Settles which words of a question are looked up, and how much each of them says.

Pure. A word that stands in few passages says much about them; one that stands everywhere says nothing, and looking
at all it stands in would cost the most.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

MOST_WORDS = 24  # of a question
COUNTED = 500  # passages with one word; from here on it is common
LOOKED_AT = 1_000  # passages, for their words


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`query` is a tsquery over hashes, empty when there is nothing to look up; `weights` sum up to 1.

    `complete`: no word had to be left out, and no passage.
    """

    query: str
    weights: tuple[tuple[str, float], ...]
    complete: bool


def chosen(counts: Mapping[str, int], chunks: int) -> Wanted:
    """The words to look up, by how many passages of the project hold each; `chunks` is how many it has."""
    rarity = {word: math.log(1 + max(chunks, count) / count) for word, count in counts.items() if count}
    # A word nobody wrote still counts as asked for: a passage that holds all the others is no full answer.
    unknown = sum(1 for count in counts.values() if not count) * math.log(1 + max(chunks, 1))
    total = sum(rarity.values()) + unknown
    rare = sorted((word for word in rarity if counts[word] < COUNTED), key=counts.__getitem__)
    common = [word for word in rarity if counts[word] >= COUNTED]
    looked_up: list[str] = []
    reach = 0
    for word in rare:
        reach += counts[word]
        if looked_up and reach > LOOKED_AT:
            break
        looked_up.append(word)
    # Nothing but common words: passages that hold them all.
    query = " | ".join(looked_up) if looked_up else " & ".join(common)
    return Wanted(
        query=query,
        weights=tuple((word, weight / total) for word, weight in rarity.items()),
        complete=len(looked_up) == len(rarity),
    )
