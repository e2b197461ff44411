"""The invented company's customer list: what is in it and what may be done to it. Forgotten when the process ends."""

import itertools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

KEPT = 2_000  # notes, newsletters and answers remembered; the oldest go first

_FIRST = ["Ada", "Ben", "Clara", "David", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Luca"]
_LAST = ["Berg", "Costa", "Dorn", "Ekberg", "Fuchs", "Grant", "Haas", "Ito", "Jansen", "Koch", "Lind", "Marin"]
_SEGMENTS = ("customers", "leads", "newsletter")


class NoSuchThing(Exception):
    """There is no contact or campaign of that id."""


class BadRequest(Exception):
    """What was sent does not fit. The text is one of ours."""


@dataclass(kw_only=True)
class Campaign:
    """One pretend campaign; money in cents."""

    id: str
    name: str
    status: str
    cost_cents: int
    clicks: int
    conversions: int
    budget_left_cents: int
    currency: str = "EUR"

    def told(self) -> dict[str, Any]:
        return dict(vars(self))


class Customers:
    """All of it, in memory."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self._contacts = [_contact(n) for n in range(36)]
        self._campaigns = {each.id: each for each in _campaigns()}
        self._answers: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self.notes: list[dict[str, Any]] = []
        self.newsletters: list[dict[str, Any]] = []
        self.boosts: list[dict[str, Any]] = []

    def contacts(self, *, segment: str | None, limit: int, cursor: str | None) -> dict[str, Any]:
        """One page; `next` is the marker of what follows, absent on the last. Raises `BadRequest`."""
        if segment is not None and segment not in _SEGMENTS:
            raise BadRequest("there is no such segment")
        chosen = [each for each in self._contacts if segment in {None, each["segment"]}]
        start = _number(cursor or "0")
        if not 1 <= limit <= 100:
            raise BadRequest("the limit is from 1 to 100")
        page = {"contacts": chosen[start : start + limit], "total": len(chosen)}
        return page | ({"next": str(start + limit)} if start + limit < len(chosen) else {})

    def campaigns(self, *, status: str | None) -> dict[str, Any]:
        return {"campaigns": [each.told() for each in self._campaigns.values() if status in {None, each.status}]}

    def note(self, contact: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Raises `NoSuchThing` or `BadRequest`."""
        if not any(each["id"] == contact for each in self._contacts):
            raise NoSuchThing()
        made = {
            "id": self._id("n"),
            "contact": contact,
            "text": _text(asked, "text", 2_000),
            "created_at": self._time(),
        }
        return _kept(self.notes, made)

    def newsletter(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Nobody receives anything. Raises `BadRequest`."""
        segment = _text(asked, "segment", 40)
        if segment not in _SEGMENTS:
            raise BadRequest("there is no such segment")
        subject, text = _text(asked, "subject", 150), _text(asked, "text", 10_000)
        recipients = sum(each["segment"] == segment for each in self._contacts)
        made = {"id": self._id("l"), "segment": segment, "subject": subject, "text": text, "recipients": recipients}
        return _kept(self.newsletters, made | {"sent_at": self._time()})

    def boost(self, campaign: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Spends pretend money. Raises `NoSuchThing` or `BadRequest`, also when there is too little left."""
        found = self._campaigns.get(campaign)
        if found is None:
            raise NoSuchThing()
        amount = asked.get("amount_cents")
        if not isinstance(amount, int) or isinstance(amount, bool) or not 100 <= amount <= found.budget_left_cents:
            raise BadRequest("the amount is less than 100 or more than is left")
        if asked.get("currency", found.currency) != found.currency:
            raise BadRequest("the campaign is paid in another currency")
        found.budget_left_cents -= amount
        found.cost_cents += amount
        made = {"id": self._id("b"), "campaign": campaign, "amount_cents": amount, "currency": found.currency}
        return _kept(self.boosts, made | {"budget_left_cents": found.budget_left_cents})

    def once(self, account: str, key: str | None, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do it; under a key that was used before, give the answer of then and do nothing."""
        if key is None:
            return act()
        if (account, key) not in self._answers:
            self._answers[account, key] = act()
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        return self._answers[account, key]

    def _id(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def _time(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _contact(n: int) -> dict[str, Any]:
    first, last = _FIRST[n % len(_FIRST)], _LAST[(n * 5 + n // 12) % len(_LAST)]
    return {
        "id": f"c-{n + 1}",
        "name": f"{first} {last}",
        "email": f"{first}.{last}{n + 1}@example.com".lower(),
        "segment": _SEGMENTS[n % 3],
        "last_order": f"2026-{n % 9 + 1:02d}-{n % 27 + 1:02d}",
        "phone": f"+00 555 01{n:02d}",
    }


def _campaigns() -> list[Campaign]:
    figures = [
        ("k-1", "Spring collection", "running", 128_400, 5_210, 164, 371_600),
        ("k-2", "Rainy days", "running", 64_250, 2_804, 61, 135_750),
        ("k-3", "Back to the harbour", "paused", 91_000, 3_377, 70, 9_000),
        ("k-4", "Winter woollens", "ended", 240_000, 8_190, 312, 0),
    ]
    names = ("id", "name", "status", "cost_cents", "clicks", "conversions", "budget_left_cents")
    return [Campaign(**dict(zip(names, each, strict=True))) for each in figures]  # type: ignore[arg-type]


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise BadRequest("the cursor is none of ours")
    return int(text)


def _text(asked: dict[str, Any], name: str, most: int) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise BadRequest(f"{name} is missing or too long")
    return value


def _kept(shelf: list[dict[str, Any]], made: dict[str, Any]) -> dict[str, Any]:
    shelf.append(made)
    del shelf[:-KEPT]
    return made
