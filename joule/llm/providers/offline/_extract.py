"""Summarises a text by choosing its most telling sentences: extraction, no invention.

Pure. The text is data: a sentence in it that gives orders is a sentence like any other.
"""

import re
from collections import Counter

from joule.llm.providers.offline._words import key_words

MOST_CHARS = 200_000
SENTENCES = 6
_END = re.compile(r"(?<=[.!?])[\"”’)]*\s+(?=[\"“‘(]?[A-Z0-9À-Þ])")
_MARKUP = re.compile(r"^\s*(?:#{1,6}\s+|[-*+•]\s+|\d+[.)]\s+|>\s*)+")
_RULE = re.compile(r"^[\s|:=\-_*]+$")


def gist(text: str, most: int = SENTENCES) -> list[str]:
    """Up to `most` sentences in the order they stand; fewer when there are fewer."""
    sentences = sentences_of(text[:MOST_CHARS])
    if len(sentences) <= most:
        return sentences
    weight = Counter(word for each in sentences for word in set(key_words(each)))
    scored = [(_score(each, place, weight), place) for place, each in enumerate(sentences)]
    chosen = sorted(place for _, place in sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:most])
    return [sentences[place] for place in chosen]


def title_of(text: str) -> str:
    """The text's first heading; empty when it has none."""
    found = re.search(r"^#{1,3}\s+(\S.*)$", text[:5_000], re.MULTILINE)
    return found[1].strip()[:120] if found else ""


def sentences_of(text: str) -> list[str]:
    """The sentences of a text without their markup, each once, in order."""
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*+•]|\d+[.)]|#{1,6}|\|)\s)", text):
        if paragraph.lstrip().startswith(("#", "```")) or _RULE.match(paragraph):
            continue
        if paragraph.lstrip().startswith("|"):
            continue
        flat = " ".join(_MARKUP.sub("", line) for line in paragraph.split("\n"))
        flat = re.sub(r"[*`]{1,3}|(?<!\w)_{1,2}|_{1,2}(?!\w)", "", " ".join(flat.split()))
        found += [each.strip()[:400] for each in _END.split(flat) if len(each.split()) > 2]
    return list(dict.fromkeys(found))


def _score(sentence: str, place: int, weight: Counter[str]) -> float:
    keys = set(key_words(sentence))
    if not keys:
        return 0.0
    told = sum(weight[word] for word in keys) / (len(keys) + 4)
    number = 0.5 if re.search(r"\d", sentence) else 0.0
    first = 1.0 if place == 0 else 0.4 if place < 3 else 0.0
    return told + number + first
