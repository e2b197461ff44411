"""Finds the file a person means among those there are, and the brand's guide.

Pure. A file is only taken for the one meant when nothing else fits as well.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from joule.llm.providers.offline._desk import Outcome
from joule.llm.providers.offline._words import listed, plain

_TABLE = re.compile(r"\.(?:csv|tsv)$", re.IGNORECASE)
_GUIDE = re.compile(r"\b(?:brand|voice|tone|style)\b")
_GUIDE_TEXT = re.compile(r"\.(?:md|markdown|txt|text)$", re.IGNORECASE)
MOST_NAMES = 30


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of the project."""

    name: str
    size: int
    is_text: bool

    @property
    def is_table(self) -> bool:
        return _TABLE.search(self.name) is not None


@dataclass(frozen=True, kw_only=True)
class NotClear:
    """Why no file could be taken for the one meant, and what there is instead. `is_absent`: none comes near."""

    said: str
    is_absent: bool = False


def files_of(outcome: Outcome) -> list[File]:
    """The files in a result of the list tool."""
    return [_file(each) for each in outcome.rows("files") if isinstance(each.get("name"), str)]


def find(said: str, files: Sequence[File]) -> File | NotClear:
    """The file that is called like this: its exact name, its name without ending, or the only one like it."""
    wanted = plain(said)
    for fits in (
        lambda each: each.name == said,
        lambda each: each.name.lower() == said.lower(),
        lambda each: plain(each.name) == wanted,
        lambda each: _stem(each.name) == wanted,
        lambda each: len(wanted) > 2 and f" {wanted} " in f" {plain(each.name)} ",
        lambda each: len(wanted) > 3 and set(wanted.split()) <= set(plain(each.name).split()),
        lambda each: len(wanted) > 4 and wanted.rstrip("s") in plain(each.name),
    ):
        found = [each for each in files if fits(each)]
        if len(found) == 1:
            return found[0]
        if found:
            return NotClear(said=f"More than one file fits “{said}”: {_named(found)}. Which one do you mean?")
    return NotClear(said=_absent(said, files), is_absent=True)


def find_exact(said: str, files: Sequence[File]) -> File | NotClear:
    """The file with this name, ending or not: nothing that merely resembles it is changed or taken away."""
    wanted = plain(said)
    found = [each for each in files if each.name.lower() == said.lower()]
    found = found or [each for each in files if wanted in {plain(each.name), _stem(each.name)}]
    if len(found) == 1:
        return found[0]
    if found:
        return NotClear(said=f"More than one file fits “{said}”: {_named(found)}. Which one do you mean?")
    return NotClear(said=_absent(said, files), is_absent=True)


def only(files: Sequence[File], *, tables: bool) -> File | NotClear:
    """The file meant when none is named: the only table, or the only text that is no guide."""
    guides = guides_of(files)
    fits = [each for each in files if each.is_text and each.is_table is tables and each not in guides]
    if len(fits) == 1:
        return fits[0]
    kind = "table (CSV)" if tables else "file"
    if not fits:
        return NotClear(said=f"There is no {kind} in this project yet. Upload one, then ask again.", is_absent=True)
    return NotClear(said=f"Which {kind} do you mean: {_named(fits, 'or')}?")


def guides_of(files: Sequence[File]) -> list[File]:
    """The files that describe the brand's voice, by their names; three at most."""
    fits = [
        each for each in files if each.is_text and _GUIDE_TEXT.search(each.name) and _GUIDE.search(plain(each.name))
    ]
    return sorted(fits, key=lambda each: each.name.lower())[:3]


def size_of(size: int) -> str:
    """`312 bytes`, `4.1 KB`, `2.3 MB`."""
    if size < 1_000:
        return f"{size} byte{'' if size == 1 else 's'}"
    return f"{size / 1_000:,.1f} KB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"


def _absent(said: str, files: Sequence[File]) -> str:
    if not files:
        return f"There is no “{said}”: this project has no files yet. Upload one, then ask again."
    close = get_close_matches(said.lower(), [each.name.lower() for each in files], n=1, cutoff=0.6)
    hint = next((f" Did you mean `{each.name}`?" for each in files if close and each.name.lower() == close[0]), "")
    return f"There is no file “{said}” in this project.{hint} The files are {_named(files)}."


def _named(files: Sequence[File], joint: str = "and") -> str:
    names = [f"`{each.name}`" for each in files[:MOST_NAMES]]
    more = len(files) - len(names)
    return listed([*names, f"{more} more"] if more else names, joint)


def _stem(name: str) -> str:
    return plain(name.rsplit(".", 1)[0])


def _file(values: Mapping[str, Any]) -> File:
    size = values.get("size")
    return File(
        name=str(values["name"]),
        size=size if isinstance(size, int) else 0,
        is_text=values.get("is_text") is not False,
    )
