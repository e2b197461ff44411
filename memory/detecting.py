"""Finds what should not stand about in clear: card numbers, keys and personal data, in any text before it is stored.

Pure. Patterns and checksums, the entropy of what looks like a key, and the organisation's own list of people; no
model. A mask is as long as what it covers, so that offsets into a text stay right.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from memory import _patterns
from memory._cards import cards_in_file


class FindingKind(StrEnum):
    """What was found."""

    CARD = "card"
    SECRET_KEY = "secret_key"  # noqa: S105 - the name of a kind
    EMAIL = "email"
    PHONE = "phone"
    IBAN = "iban"
    STREET = "street"
    IP = "ip"
    PERSON = "person"


# What is masked where an organisation has not chosen; the rest is marked.
MASKED_BY_DEFAULT = frozenset({FindingKind.CARD, FindingKind.SECRET_KEY})

_CATEGORIES = {  # words of the fideslang taxonomy of data categories (Ethyca, CC BY 4.0)
    FindingKind.CARD: "user.financial.credit_card",
    FindingKind.SECRET_KEY: "user.authorization.credentials",
    FindingKind.EMAIL: "user.contact.email",
    FindingKind.PHONE: "user.contact.phone_number",
    FindingKind.IBAN: "user.financial.account_number",
    FindingKind.STREET: "user.contact.address.street",
    FindingKind.IP: "user.device.ip_address",
    FindingKind.PERSON: "user.name",
}
_COVER = "•"
_LOOK_ALIKES = str.maketrans(  # one sign for one sign: offsets stay
    {chr(0xFF01 + at): chr(0x21 + at) for at in range(94)}
    | dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u3000", " ")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)
_NO_WORD = str.maketrans(dict.fromkeys("!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~_-‘’“”„«»…·•\ufeff", " "))
_BETWEEN_NAMES = re.compile(r"[\s,.’'-]{1,3}")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Where something was found: `text[start:end]`."""

    kind: FindingKind
    start: int
    end: int


class Detector:
    """Knows the patterns, and the people of one organisation.

    A person is found by their whole name, in either order and any case; a name of one word only as it is written.
    """

    def __init__(self, people: Collection[str] = ()) -> None:
        self._names: dict[str, set[tuple[str, ...]]] = {}
        self._single: set[str] = set()
        for person in people:
            name = unicodedata.normalize("NFC", person)
            words = tuple(name.lower().translate(_NO_WORD).split())
            if len(words) == 1:
                self._single.add(name.strip())
            elif words:
                for order in (words, (words[-1], *words[:-1])):
                    self._names.setdefault(order[0], set()).add(order[1:])
        self._firsts = {name.lower() for name in self._single} | set(self._names)

    def find(self, text: str, *, bare: bool = True) -> tuple[Finding, ...]:
        """Everything found, in order, none overlapping: of two in one place the graver one.

        Without `bare` a long random word is no key by that alone: tables of advertising are full of such ids.
        """
        plain = text if text.isascii() else text.translate(_LOOK_ALIKES)
        found: list[tuple[int, int, FindingKind]] = []  # in order
        for kind, spans in (
            (FindingKind.SECRET_KEY, _patterns.keys(plain, bare=bare)),
            (FindingKind.CARD, iter(cards_in_file(plain))),
            (FindingKind.IBAN, _patterns.ibans(plain)),
            (FindingKind.EMAIL, _patterns.mails(plain)),
            (FindingKind.IP, _patterns.addresses(plain)),
            (FindingKind.PHONE, _patterns.phones(plain)),
            (FindingKind.PERSON, self._people(plain)),
            (FindingKind.STREET, _patterns.streets(plain)),
        ):
            for start, end in spans:
                at = bisect_left(found, (start, end))
                before_ends = at == 0 or found[at - 1][1] <= start
                if before_ends and (at == len(found) or end <= found[at][0]):
                    found.insert(at, (start, end, kind))
        return tuple(Finding(kind=kind, start=start, end=end) for start, end, kind in found)

    def _people(self, text: str) -> Iterator[tuple[int, int]]:
        low = text.lower()
        if len(low) != len(text):  # a few capitals are two signs when small; those names are looked for as written
            low = text
        spoken = set(low.translate(_NO_WORD).split())
        for first in spoken & self._firsts:
            for at, end in _patterns.places(low, (first,)):
                if text[at - 1 : at].isalnum() or text[end : end + 1].isalnum():
                    continue
                if text[at:end] in self._single:
                    yield at, end
                ends = [last for rest in self._names.get(first, ()) if (last := _followed(low, end, rest))]
                if ends:
                    yield at, max(ends)


def masked(text: str, findings: Iterable[Finding], kinds: Collection[FindingKind] = MASKED_BY_DEFAULT) -> str:
    """The text with findings of these kinds covered; exactly as long as before. A card keeps its last four digits."""
    parts: list[str] = []
    at = 0
    for finding in findings:
        if finding.kind not in kinds:
            continue
        parts += (text[at : finding.start], _covered(text[finding.start : finding.end], finding.kind))
        at = finding.end
    return "".join((*parts, text[at:]))


def categories(findings: Iterable[Finding]) -> frozenset[str]:
    """The data categories found, for a label."""
    return frozenset(_CATEGORIES[finding.kind] for finding in findings)


def _covered(word: str, kind: FindingKind) -> str:
    kept = 4 if kind is FindingKind.CARD else 0
    covered = "".join(sign if sign.isspace() else _COVER for sign in word[: len(word) - kept])
    return covered + word[len(word) - kept :]


def _followed(low: str, at: int, words: tuple[str, ...]) -> int:
    """Where the last of `words` ends when they all come next; else 0."""
    for word in words:
        gap = _BETWEEN_NAMES.match(low, at)
        if gap is None or not low.startswith(word, gap.end()):
            return 0
        at = gap.end() + len(word)
    return 0 if low[at : at + 1].isalnum() else at
