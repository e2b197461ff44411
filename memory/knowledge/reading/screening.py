"""Runs the detector over a whole document before any of it is stored.

Pure. A mask is as long as what it covers, so pages, offsets and pieces stay where they are. The bytes of the file are
not changed: who stores them asks `Screened.counts` whether they may be stored at all.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from memory.detecting import MASKED_BY_DEFAULT, Detector, FindingKind, categories, masked
from memory.knowledge.reading.model import Parsed


@dataclass(frozen=True, kw_only=True)
class Screened:
    """The document with what must not stand in it covered; what was found, for its label and for the page."""

    parsed: Parsed
    categories: frozenset[str]
    counts: Mapping[FindingKind, int]


def screened(parsed: Parsed, detector: Detector, kinds: Collection[FindingKind] = MASKED_BY_DEFAULT) -> Screened:
    """The document with findings of these kinds masked, in its text, its headings and its title."""
    findings = detector.find(parsed.text)
    text = masked(parsed.text, findings, kinds)
    paths = {path: tuple(_masked_line(line, detector, kinds) for line in path) for path in _paths(parsed)}
    parts = tuple(replace(part, text=text[part.start : part.end], heading=paths[part.heading]) for part in parsed.parts)
    title = None if parsed.title is None else _masked_line(parsed.title, detector, kinds)
    return Screened(
        parsed=replace(parsed, parts=parts, title=title),
        categories=categories(findings),
        counts=Counter(finding.kind for finding in findings),
    )


def _paths(parsed: Parsed) -> set[tuple[str, ...]]:
    return {part.heading for part in parsed.parts}


def _masked_line(line: str, detector: Detector, kinds: Collection[FindingKind]) -> str:
    return masked(line, detector.find(line), kinds)
