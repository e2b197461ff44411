"""Finds what should not stand about in clear: card numbers, keys and personal data, in any text before it is stored.

Pure. Patterns and checksums, the entropy of what looks like a key, and the organisation's own list of people; no
model. A mask is as long as what it covers, so that offsets into a text stay right.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Where something was found: `text[start:end]`."""

    kind: FindingKind
    start: int
    end: int


class Detector:
    """Knows the patterns, and the people of one organisation."""

    def __init__(self, people: Collection[str] = ()) -> None:
        self._people = tuple(people)

    def find(self, text: str) -> tuple[Finding, ...]:
        """Everything found, in order, none overlapping."""
        raise NotImplementedError


def masked(text: str, findings: Iterable[Finding], kinds: Collection[FindingKind] = MASKED_BY_DEFAULT) -> str:
    """The text with findings of these kinds covered; exactly as long as before. A card keeps its last four digits."""
    raise NotImplementedError


def categories(findings: Iterable[Finding]) -> frozenset[str]:
    """The data categories found, for a label."""
    return frozenset(_CATEGORIES[finding.kind] for finding in findings)
