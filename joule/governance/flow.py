"""Where the values of an action came from: the person's own words, this task's own ids, or elsewhere.

Pure. A value counts as the person's when it stands in what they wrote, give or take case, spacing and closing
punctuation. What stands only in a file does not count, whoever uploaded the file: free text is an outsider's.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from joule.kernel.action import Action
from joule.kernel.principal import Via


class Provenance(StrEnum):
    """Best first. The provenance of several values is the worst of them."""

    WORDS = "words"
    MINTED = "minted"
    NOTHING = "nothing"  # there is no relevant value: nothing was looked for, so nothing was found
    ELSEWHERE = "elsewhere"


_SPACE = re.compile(r"\s+")
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " "})
_RANK = list(Provenance)


def plain(text: str) -> str:
    """Text for comparing: case, spacing, curly quotes and outer punctuation do not count."""
    return _SPACE.sub(" ", text.translate(_QUOTES).casefold()).strip(" .,;:!?\"'`")


def provenance_of(action: Action[Any], *, words: str, minted: Iterable[UUID]) -> Provenance:
    """Where the worst of an action's relevant values came from. What people send by their own hand is what they mean."""
    if action.principal.via is not Via.AGENT:
        return Provenance.WORDS
    return provenance(action.relevant(), words=words, minted=minted)


def provenance(relevant: Mapping[str, str], *, words: str, minted: Iterable[UUID]) -> Provenance:
    """Where the worst of the relevant values came from. `words` is all the person wrote in this conversation.

    An action that names none never passes for one whose values were all found in the person's words.
    """
    if not relevant:
        return Provenance.NOTHING
    said, own = plain(words), {str(each) for each in minted}
    worst = Provenance.WORDS
    for value in relevant.values():
        found = _of(value, said, own)
        if _RANK.index(found) > _RANK.index(worst):
            worst = found
    return worst


def _of(value: str, said: str, own: set[str]) -> Provenance:
    if value in own:
        return Provenance.MINTED
    sought = plain(value)
    if not sought:
        return Provenance.ELSEWHERE
    # A whole word or phrase: "ad.md" is not in "read.md".
    bounded = rf"(?<!\w){re.escape(sought)}(?!\w)"
    return Provenance.WORDS if re.search(bounded, said) else Provenance.ELSEWHERE
