"""Finds a tool's arguments in the words of an order. What the words do not say is asked for, never made up. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from joule.llm.providers.offline._accounts import ACCOUNT, AccountTool
from joule.llm.providers.offline._phrases import QUOTED, bare
from joule.llm.providers.offline._words import listed, stem, words

LookUp = Callable[[str, str], str | None]
_TITLES = {"subject", "title", "name", "headline"}
_TEXTS = {"text", "body", "content", "message", "note", "description", "html"}
_MONEY = re.compile(
    r"(?<![\w.,])(\d{1,9})(?:[.,](\d{1,2}))?\s*(€|\$|£|eur|euros?|usd|dollars?|gbp|pounds?)", re.IGNORECASE
)
_MONEY_BEFORE = re.compile(r"(€|\$|£)\s*(\d{1,9})(?:[.,](\d{1,2}))?")
_CURRENCY = {"€": "EUR", "e": "EUR", "$": "USD", "u": "USD", "d": "USD", "£": "GBP", "g": "GBP", "p": "GBP"}
_ID = re.compile(r"(?<![\w-])(?=[\w-]*\d)[A-Za-z0-9_-]{1,64}(?![\w-])")


class Missing(Exception):
    """Arguments that the words do not say."""

    def __init__(self, tool: AccountTool, names: list[str]) -> None:
        super().__init__()
        self._tool, self._names = tool, names

    def told(self, account: str) -> str:
        """What to say, in a sentence."""
        return f"For that at {account} I also need to know {listed([self._one(each) for each in self._names])}."

    def _one(self, name: str) -> str:
        choices = (self._tool.properties.get(name) or {}).get("enum") or ()
        spoken = name.replace("_", " ")
        return f"the {spoken} ({listed(list(map(str, choices)), 'or')})" if choices else f"the {spoken}"


def narrowing(tool: AccountTool, question: str) -> Mapping[str, Any]:
    """What a question narrows a reading to: values from closed lists, and how many. Raises `Missing`."""
    found = _chosen(tool, question)
    most = re.search(r"\b(?:first|top|last|newest|latest)\s+(\d{1,3})\b", question, re.IGNORECASE)
    if most and "limit" in tool.properties:
        found["limit"] = int(most[1])
    return _whole(tool, found, [])


def filled(tool: AccountTool, order: str, *, looked_up: LookUp) -> Mapping[str, Any]:
    """The arguments an order gives. Raises `Missing`, or what `looked_up` raises."""
    head, _, after = order.partition(":")
    quoted = [next(part for part in each.groups() if part is not None) for each in re.finditer(QUOTED, head)]
    texts = [*quoted, *([after.strip()] if after.strip() else [])]
    plain = re.sub(QUOTED, " ", head)
    found = {**_chosen(tool, plain), **_amounts(tool, plain)}
    open_names = [each for each in tool.required if each not in found and each != ACCOUNT]
    for name in sorted(open_names, key=lambda each: each not in _TITLES):
        if name in _TITLES | _TEXTS:
            if texts:
                found[name] = texts.pop(0) if name in _TITLES else texts.pop()
        elif (
            not (tool.properties.get(name) or {}).get("enum") and (value := _named(name, plain, looked_up)) is not None
        ):
            found[name] = value
    return _whole(tool, found, open_names)


def _whole(tool: AccountTool, found: dict[str, Any], sought: list[str]) -> Mapping[str, Any]:
    missing = [each for each in (*sought, *tool.required) if each not in found and each != ACCOUNT]
    if missing:
        raise Missing(tool, list(dict.fromkeys(missing)))
    return found


def _chosen(tool: AccountTool, said: str) -> dict[str, Any]:
    """Values from closed lists that stand in the words. The tool's own words count only as what it is done to."""
    told_to = re.findall(r"\b(?:to|for|of|among)\s+(?:the\s+|all\s+|our\s+|my\s+)*(\w+)", said, re.IGNORECASE)
    spoken = {stem(each) for each in words(said)} - {stem(each) for each in tool.name.split("_")}
    spoken |= {stem(each.lower()) for each in told_to}
    found: dict[str, Any] = {}
    for name, about in tool.properties.items():
        choices = about.get("enum") or () if isinstance(about, dict) else ()
        fits = [each for each in choices if isinstance(each, str) and {stem(w) for w in words(each)} <= spoken]
        if name != ACCOUNT and len(fits) == 1:
            found[name] = fits[0]
    return found


def _amounts(tool: AccountTool, said: str) -> dict[str, Any]:
    """An amount of money in cents, and its currency."""
    cents = next((each for each in tool.properties if each.endswith("_cents")), None)
    after, before = _MONEY.search(said), _MONEY_BEFORE.search(said)
    if cents is None or (after is None and before is None):
        return {}
    whole, part, sign = (after[1], after[2], after[3]) if after else (before[2], before[3], before[1])  # type: ignore[index]
    found: dict[str, Any] = {cents: int(whole) * 100 + int((part or "0").ljust(2, "0"))}
    currency = _CURRENCY[sign[0].lower()]
    if currency in ((tool.properties.get("currency") or {}).get("enum") or ()):
        found["currency"] = currency
    return found


def _named(name: str, said: str, looked_up: LookUp) -> str | None:
    """An id: one that stands there, or that of what is called so."""
    without_money = _MONEY_BEFORE.sub(" ", _MONEY.sub(" ", said))
    if found := _ID.search(without_money):
        return found[0]
    who = re.search(
        r"\b(?:to|on|for|about|of|boost|contact|campaign)\s+(?:the\s+)?(?:contact\s+|campaign\s+)?(\S.*?)\s*"
        r"(?:\b(?:by|with|saying|that)\b.*)?$",
        without_money.strip(" .,:;"),
        re.IGNORECASE,
    )
    return looked_up(name, bare(who[1])) if who and bare(who[1]) else None
