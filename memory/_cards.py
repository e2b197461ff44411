"""Finds full payment card numbers, so that none is ever stored.

Advertising identifiers are long numbers too, and one in ten passes the card checksum by chance; refusing every table
that has some would be no protection but a nuisance. In a file a bare number therefore counts only where a card is
spoken of on the same line, or where most of the long numbers in the file are card numbers.
"""

import re
from collections.abc import Iterator

from memory.errors import CardNumber

_RUN = re.compile(r"\d(?:[ -]?\d){12,18}(?![\d])")
_ISSUERS = re.compile(
    r"""4\d{12}(?:\d{3}){0,2}$                                  # Visa
      | (?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}$   # Mastercard
      | 3[47]\d{13}$                                            # American Express
      | (?:6011|65\d{2}|64[4-9]\d)\d{12}$                       # Discover
      | 35(?:2[89]|[3-8]\d)\d{12}$                              # JCB
      | 3(?:0[0-5]|[68]\d)\d{11}$                               # Diners Club
      | 62\d{14,17}$                                            # UnionPay
    """,
    re.VERBOSE,
)
_SPOKEN = re.compile(r"\b(card|cards|visa|mastercard|amex|american express|pan|cvv|cvc|expiry|karte)\b", re.IGNORECASE)


def refuse_card_numbers(text: str) -> None:
    """Raise `CardNumber` when a short text contains one."""
    if any(_is_card(found.group()) for found in _runs(text)):
        raise CardNumber


def cards_in_file(text: str) -> tuple[tuple[int, int], ...]:
    """Where the card numbers of a file stand, as (start, end): those spoken of, or all where most runs are cards."""
    runs = 0
    cards: list[tuple[int, int]] = []
    certain: list[tuple[int, int]] = []
    for found in _runs(text):
        runs += 1
        if not _is_card(found.group()):
            continue
        cards.append(found.span())
        start = text.rfind("\n", 0, found.start()) + 1
        end = text.find("\n", found.end())
        line = text[max(start, found.start() - 200) : found.end() + 200 if end < 0 else min(end, found.end() + 200)]
        if _is_grouped(found.group()) or _SPOKEN.search(line):
            certain.append(found.span())
    return tuple(cards if len(cards) * 2 > runs else certain)


def _runs(text: str) -> Iterator[re.Match[str]]:
    """The long numbers, but no ends of longer ones and no decimals."""
    for found in _RUN.finditer(text):
        before = text[max(0, found.start() - 2) : found.start()]
        if not (before[-1:].isdigit() or (before[-1:] == "." and before[:1].isdigit())):
            yield found


def _is_grouped(run: str) -> bool:
    """Written the way cards are: four blocks of four."""
    return re.fullmatch(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}", run) is not None


def _is_card(run: str) -> bool:
    digits = re.sub(r"[ -]", "", run)
    return _ISSUERS.match(digits) is not None and _checksum(digits) % 10 == 0


def _checksum(digits: str) -> int:
    """The sum of ISO/IEC 7812-1 annex B (Luhn)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total
