"""Reads wishes out of an English message.

Pure: the same words always give the same wishes. Only the person's own message is ever read here, never a file. A
message is cut where the rest of it is itself a wish, so that "and" inside a remembered sentence stays where it is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from joule.llm.providers.offline._account_requests import account_wish
from joule.llm.providers.offline._accounts import Account
from joule.llm.providers.offline._knowledge_requests import question_in
from joule.llm.providers.offline._phrases import speaks_of_voice, without_politeness
from joule.llm.providers.offline._readers import literal_text, read_wish, summary_wish
from joule.llm.providers.offline._wishes import (
    DeleteFile,
    DoAtAccount,
    EditFile,
    Forget,
    Help,
    ProposeThat,
    ReadFile,
    SaveThat,
    Summarise,
    Wish,
    WriteFile,
)

MOST_CHARS = 8_000  # of a message that are read for wishes
MOST_WISHES = 12
_LOOK_AHEAD = 400

_BREAK = re.compile(r"(?:[,;.!?:]\s+|\s+)(?:and\s+then|and\s+also|and|then|also|plus)\s+|[,;.!?]\s+|\n+")
_QUOTES = re.compile(r"\"[^\"]*\"|“[^”]*”|`[^`]*`|‘[^’]*’|(?<!\w)'[^'\n]*'(?!\w)")
_PRONOUN = re.compile(r"(?:it|that|this|them|the\s+file|that\s+file|file)", re.IGNORECASE)


def parse(text: str, accounts: Sequence[Account] = ()) -> tuple[Wish, ...]:
    """The wishes of a message in order; none when it is not something the offline model understands."""
    found: list[Wish] = []
    asked: Wish | None = None
    for clause in _clauses(text.strip(), accounts):
        wish = read_wish(clause, accounts)
        if wish is None and not found and asked is None:
            asked = question_in(clause)
        if wish is not None:
            found += [each for each in _meant(_apart(wish, clause), found) if each not in found]
    if not found and (question := question_in(text)) is not None:
        return (question,)
    if asked is not None and found and isinstance(found[0], ProposeThat | SaveThat):
        found.insert(0, asked)  # what is to be kept is the answer to it
    real = [each for each in found if not isinstance(each, Help)]
    return tuple(real[:MOST_WISHES] or found[:1])


def wants_voice(text: str) -> bool:
    """Whether the person asks for their own voice."""
    return speaks_of_voice(text[:MOST_CHARS])


def _clauses(text: str, accounts: Sequence[Account]) -> Iterator[str]:
    text = without_politeness(text)
    whole = account_wish(text, accounts) if ":" in text else None
    if (
        isinstance(whole, DoAtAccount) or literal_text(text) is not None
    ):  # the text to be written may hold anything, so it is not cut
        yield text
        return
    text = text[:MOST_CHARS]
    shielded = [match.span() for match in _QUOTES.finditer(text)]
    start = 0
    for cut in _BREAK.finditer(text):
        if cut.start() < start or any(low < cut.start() < high for low, high in shielded):
            continue
        follows = read_wish(text[cut.end() : cut.end() + _LOOK_AHEAD], accounts)
        # A bare comma may belong to a sentence; nothing is taken away on its account.
        if follows is None or (isinstance(follows, DeleteFile | Forget) and cut[0].strip() == ","):
            continue
        if text[start : cut.start()].strip():
            yield text[start : cut.start()]
            start = cut.end()
    yield text[start:]


def _apart(wish: Wish, clause: str) -> tuple[Wish, ...]:
    """A summary and where to keep it, said in one breath: `write a summary of a.csv to b.md`."""
    if isinstance(wish, WriteFile) and (
        about := re.match(r"(?:an?|the)\s+(?:\w+\s+){0,3}(?:of|about)\s", wish.text, re.IGNORECASE)
    ):
        inner = summary_wish(f"give me {wish.text}") if about else None
        return (inner, SaveThat(file=wish.file)) if inner is not None else (wish,)
    if isinstance(wish, Summarise) and len(wish.files) > 1:
        target = re.search(
            rf"\b(?:to|into|as)\s+(?:a\s+)?(?:file\s+)?(?:called\s+)?[\"'`“]?{re.escape(wish.files[-1])}", clause
        )
        if target is not None:
            return Summarise(files=wish.files[:-1]), SaveThat(file=wish.files[-1])
    return (wish,)


def _meant(wishes: tuple[Wish, ...], before: list[Wish]) -> Iterator[Wish]:
    """With `it` put in words: the file that was named last. A file nobody named is not taken away."""
    named = [each.file for each in before if isinstance(each, ReadFile | WriteFile | EditFile | SaveThat | DeleteFile)]
    named += [each.files[-1] for each in before if isinstance(each, Summarise) and each.files]
    for wish in wishes:
        if isinstance(wish, ReadFile | EditFile | DeleteFile) and _PRONOUN.fullmatch(wish.file):
            if named:
                yield replace(wish, file=named[-1])
        else:
            yield wish
