"""What Joule commits to, the control that keeps each commitment while it runs, and the command that proves it.

The list stands in `commitments.tsv`. One without a control is not kept by this version, and says so.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, kw_only=True)
class Commitment:
    """One. `control` and `proof` are empty where this version has none."""

    id: str
    promise: str
    control: str
    proof: str


@cache
def commitments() -> tuple[Commitment, ...]:
    """All of them, in the order they were made."""
    text = (files("joule.privacy") / "commitments.tsv").read_text(encoding="utf-8")
    return tuple(Commitment(**row) for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
