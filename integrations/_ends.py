"""What became of tokens at a provider, as words that may stand in a row: `refresh:revoked:told`. Pure."""

import re
from collections.abc import Iterable

from integrations.oauth.wire import TokenOutcome
from integrations.results import TokenEnd

_NO_WORD = re.compile(r"[^a-z0-9_]+")


def words_of(outcomes: Iterable[TokenOutcome]) -> tuple[str, ...]:
    """Outcomes as stored. Of a detail that is an error's code, the last word."""
    return tuple(f"{each.token}:{each.outcome}:{_word(each.detail)}" for each in outcomes)


def ends_of(words: Iterable[str]) -> tuple[TokenEnd, ...]:
    """Outcomes as told to people."""
    split = (each.split(":", 2) for each in words)
    return tuple(TokenEnd(token=token, outcome=outcome, detail=detail) for token, outcome, detail in split)


def is_settled(words: Iterable[str]) -> bool:
    """Whether nothing is left to try: every token has an end other than `failed`."""
    found = tuple(words)
    return bool(found) and not any(each.split(":", 2)[1] == "failed" for each in found)


def heard_of(words: Iterable[str]) -> bool:
    """Whether the provider has heard that a token is over; not so where it has no way to be told."""
    return any(each.split(":", 2)[1] in {"revoked", "already_dead"} for each in words)


def _word(detail: str) -> str:
    return _NO_WORD.sub("_", detail.rpartition(".")[2].lower())[:60]
