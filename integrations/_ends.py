"""What became of tokens at a provider, as words that may stand in a row: `refresh:revoked:told`. Pure."""

import re
from collections.abc import Iterable

from integrations.oauth.wire import TokenOutcome, TokenSet
from integrations.results import TokenEnd

_NO_WORD = re.compile(r"[^a-z0-9_]+")


def words_of(outcomes: Iterable[TokenOutcome]) -> tuple[str, ...]:
    """Outcomes as stored. Of a detail that is an error's code, the last word."""
    return tuple(f"{each.token}:{each.outcome}:{_word(each.detail)}" for each in outcomes)


def ends_of(words: Iterable[str]) -> tuple[TokenEnd, ...]:
    """Outcomes as told to people."""
    split = (each.split(":", 2) for each in words)
    return tuple(TokenEnd(token=token, outcome=outcome, detail=detail) for token, outcome, detail in split)


def untold(tokens: TokenSet, problem: str = "") -> tuple[str, ...]:
    """The state of tokens whose provider has not heard of it: nobody has tried, or why the try came to nothing."""
    outcome, detail = ("failed", _word(problem)) if problem else ("waiting", "not_told_yet")
    return tuple(
        f"{each}:{outcome}:{detail}" for each in (("refresh", "access") if tokens.refresh_token else ("access",))
    )


def is_told(words: Iterable[str]) -> bool:
    """Whether a provider has been spoken with about these."""
    found = tuple(words)
    return bool(found) and not any(each.split(":", 2)[1] == "waiting" for each in found)


def is_settled(words: Iterable[str]) -> bool:
    """Whether nothing is left to try: every token has an end other than `failed`."""
    found = tuple(words)
    return is_told(found) and not any(each.split(":", 2)[1] == "failed" for each in found)


def heard_of(words: Iterable[str]) -> bool:
    """Whether the provider has heard that a token is over; not so where it has no way to be told."""
    return any(each.split(":", 2)[1] in {"revoked", "already_dead"} for each in words)


def _word(detail: str) -> str:
    return _NO_WORD.sub("_", detail.rpartition(".")[2].lower())[:60]
