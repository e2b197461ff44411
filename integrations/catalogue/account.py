"""Says where a provider names the account behind a consent, and reads its name and id there. Pure.

The name is for people and may change; the id tells one account from all others for ever and is compared, never shown alone
where there is a name. Both are the provider's words: short plain text, or nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

LONGEST = 200
_NOTHING: Mapping[str, str] = MappingProxyType({})
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True, kw_only=True)
class AccountClue:
    """One place where the provider says whose account it is; the places are tried in order until name and id are known.

    `source` is the token answer, the claims of its id_token, an introspection, or a GET at `url` with the token. `name`
    and `id` are paths in what is found there (a number is a place in a list). Every clue's `id` of one provider means the
    same. `needs` are scopes without which the call is not tried.
    """

    source: Literal["token", "id_token", "introspection", "call"]
    name: str | None = None
    id: str | None = None
    url: str | None = None
    query: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NamedAccount:
    """Whose account it is, as far as the provider has said."""

    name: str | None = None
    id: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing more to learn."""
        return self.name is not None and self.id is not None

    @property
    def words(self) -> str | None:
        """How a person knows it: its name, else its id."""
        return self.name or self.id

    def and_then(self, later: "NamedAccount") -> "NamedAccount":
        """This, with what only the later clue knew."""
        return NamedAccount(name=self.name or later.name, id=self.id or later.id)


def read(clue: AccountClue, told: object) -> NamedAccount:
    """What the clue finds in `told`, which is anything a provider may have sent."""
    return NamedAccount(name=_text(told, clue.name), id=_text(told, clue.id))


def _text(told: object, path: str | None) -> str | None:
    found = None if path is None else _at(told, path)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    return _UNSEEN.sub(" ", str(found)).strip()[:LONGEST] or None


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value
