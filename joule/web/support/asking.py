"""Access to content, as support and owners see it: lines for a list, and the panel beside a task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.ids import TaskId
from joule.kernel.principal import Role
from joule.web import wording
from joule.web.context import Web
from joule.web.support.contents import part_words
from joule.web.support.naming import name_of, names_for
from traces.grants import queries as grants
from traces.grants.actions import BREAK_GLASS_HOURS, DEFAULT_HOURS
from traces.grants.parts import Part
from traces.grants.queries import Access, State

_STATES = {
    State.WAITING: ("Waiting", "ask"),
    State.LIVE: ("Live", "ok"),
    State.EXPIRED: ("Expired", ""),
    State.LAPSED: ("Not answered in time", ""),
    State.DECLINED: ("Declined", "no"),
    State.REVOKED: ("Revoked", "no"),
    State.WITHDRAWN: ("Withdrawn", ""),
}
HOURS = (1, 4, 24, 72, 168)
BREAK_GLASS = (1, 2, 4)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One thing to choose."""

    value: str
    title: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class AccessLine:
    """One request or grant. The flags say what whoever looks may do about it."""

    id: UUID
    task: UUID
    is_break_glass: bool
    state: str
    tone: str
    is_live: bool
    is_waiting: bool
    is_unseen: bool
    asked_by: str
    asked_at: datetime
    asked_parts: tuple[Choice, ...]
    hours: tuple[Choice, ...]
    parts: str
    answered_by: str
    answered_at: datetime | None
    expires_at: datetime | None
    ended_by: str
    ended_at: datetime | None
    reason: str | None
    may_second: bool
    may_withdraw: bool


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What stands beside a task: what may be read of it, and how to ask."""

    readable: tuple[str, ...]
    is_own: bool  # the organisation's own people read without a grant
    may_ask: bool
    is_waiting: bool
    lines: tuple[AccessLine, ...]
    parts: tuple[Choice, ...]
    hours: tuple[Choice, ...]
    break_glass_hours: tuple[Choice, ...]


async def panel(web: Web, session: ReadSession, person: SignedInPerson, task: TaskId) -> Panel:
    """The panel of one task for whoever looks at it."""
    now = web.house.clock.now()
    readable = await grants.readable(session, person.org, task, person=person.person, role=person.role, now=now)
    lines = await lines_of(web, session, person, task=task)
    is_support = person.role is Role.SUPPORT
    waits = any(each.is_waiting and each.may_withdraw and not each.is_break_glass for each in lines)
    return Panel(
        readable=tuple(part_words(part) for part in Part if part in readable),
        is_own=not is_support,
        may_ask=is_support and not waits,
        is_waiting=is_support and waits,
        lines=lines,
        parts=tuple(Choice(value=part.value, title=part_words(part), chosen=False) for part in Part),
        hours=_hours(HOURS, DEFAULT_HOURS),
        break_glass_hours=_hours(BREAK_GLASS, BREAK_GLASS_HOURS),
    )


async def lines_of(
    web: Web, session: ReadSession, person: SignedInPerson, *, task: TaskId | None = None, mine: bool = False
) -> tuple[AccessLine, ...]:
    """Requests and grants, newest first. `mine`: one's own, and break-glasses that wait for a second person."""
    names, now = await names_for(web, session, person), web.house.clock.now()
    found = await grants.accesses(session, web.house.vault, person.org, now=now, task=task)
    if mine:
        found = [each for each in found if person.person in {each.asked_by, each.answered_by} or _waits(each)]
    return tuple(_line(each, person, names_of=lambda who: name_of(names, who)) for each in found)


def part_list(parts: Sequence[Part]) -> str:
    """Parts in a sentence."""
    return ", ".join(part_words(part).lower() for part in parts)


def hours_words(count: int) -> str:
    """A number of hours, in days where those are whole."""
    return wording.counted(count // 24, "day") if count % 24 == 0 else wording.counted(count, "hour")


def _waits(each: Access) -> bool:
    return each.is_break_glass and each.state is State.WAITING


def _hours(offered: Sequence[int], chosen: int) -> tuple[Choice, ...]:
    every = sorted({*offered, chosen})
    return tuple(Choice(value=str(each), title=hours_words(each), chosen=each == chosen) for each in every)


def _line(each: Access, person: SignedInPerson, *, names_of: Callable[[UUID | None], str]) -> AccessLine:
    state, tone = _STATES[each.state]
    own = person.person == each.asked_by
    taking_part = own or (each.is_break_glass and person.person == each.answered_by)
    return AccessLine(
        id=each.id,
        task=each.task,
        is_break_glass=each.is_break_glass,
        state=state,
        tone="no" if each.is_break_glass and each.state is State.LIVE else tone,
        is_live=each.state is State.LIVE,
        is_waiting=each.state is State.WAITING,
        is_unseen=each.is_break_glass and each.answered_at is not None and each.seen_at is None,
        asked_by=names_of(each.asked_by),
        asked_at=each.asked_at,
        asked_parts=tuple(Choice(value=part.value, title=part_words(part), chosen=True) for part in each.asked_parts),
        hours=_hours(HOURS, each.asked_hours),
        parts=part_list(each.parts or each.asked_parts),
        answered_by=names_of(each.answered_by) if each.answered_by else "",
        answered_at=each.answered_at,
        expires_at=each.expires_at,
        ended_by=names_of(each.ended_by) if each.ended_by else "",
        ended_at=each.ended_at,
        reason=each.reason,
        may_second=_waits(each) and person.role is Role.SUPPORT and not own,
        may_withdraw=taking_part and each.state in {State.WAITING, State.LIVE} and person.role is Role.SUPPORT,
    )
