"""What this room asks of the others: each erases, tells and counts its own. The assembly puts them in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import ReadSession, WriteSession
from joule.kernel.ids import OrgId, PersonId, TaskId
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal

Counts = Mapping[str, int]

PersonEraser = Callable[[WriteSession, Permit, Principal, PersonId, bool], Awaitable[Counts]]
"""Erases what one room keeps of a person, on the word of the principal; how much, by word. The last: files too."""

PersonTeller = Callable[[ReadSession, OrgId, PersonId], Awaitable[Mapping[str, Sequence[Mapping[str, Any]]]]]
"""Tells what one room keeps of a person, opened, as JSON data by kind."""


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """What is in the house to be erased and told."""

    author: Callable[[AsyncSession, OrgId, TaskId], Awaitable[PersonId]]  # raises `NotFound`
    erase_task: Callable[[WriteSession, Permit, Principal, TaskId], Awaitable[Counts]]
    erase_person: Sequence[PersonEraser]  # in this order
    tell_person: Sequence[PersonTeller]
    brought_in: Callable[[AsyncSession, OrgId, PersonId], Awaitable[int]]  # files of theirs that would stay
    untold: Callable[[AsyncSession, OrgId], Awaitable[int]]  # providers that do not know they are disconnected
    end_outside: Callable[[WriteSession, OrgId], Awaitable[Counts]]  # what an organisation has outside its rows
