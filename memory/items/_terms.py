"""On what terms an item is kept: how many, from when until when, one writer at a time, and what must not come back."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from joule.database.engine import WriteSession
from joule.kernel.errors import Invalid
from joule.kernel.ids import ProjectId
from memory.items.actions import ProposeItem, Remember

MAX_ITEMS = 2_000  # in a project
MAX_PROPOSALS = 200  # of these
MAX_PINNED = 20
LAPSES_AFTER = timedelta(days=30)  # a proposal that nobody answers


def check(action: Remember | ProposeItem, now: datetime) -> None:
    """Raise `Invalid` for times that cannot be, and for a confidence that is no percentage."""
    times = (action.valid_from, action.valid_to, action.expires_at)
    if any(each is not None and each.tzinfo is None for each in times):
        raise Invalid("a time needs its time zone", advice="Give the time with its time zone.")
    if action.expires_at is not None and action.expires_at <= now:
        raise Invalid("an item cannot end in the past", advice="Give a later date, with its time zone.")
    if action.valid_from is not None and action.valid_to is not None and action.valid_to <= action.valid_from:
        raise Invalid("what holds cannot end before it begins", advice="Give an end after the beginning.")
    if not 0 <= action.confidence <= 100:
        raise Invalid("a confidence is a percentage", advice="Give a number from 0 to 100.")
    for each in action.sources:
        if (each.start is None) != (each.end is None) or not 0 <= (each.start or 0) <= (each.end or 0):
            raise Invalid("a place in a source has a start and an end", advice="Give both, in this order, or neither.")


def declined(text_key: bytes) -> str:
    """The tombstone of a text that a person declined."""
    return f"declined:{text_key.hex()}"


def forgotten(text_key: bytes) -> str:
    """How the tombstones of a text that was forgotten begin; a text can be forgotten more than once."""
    return f"forgotten:{text_key.hex()[:32]}/"


async def one_at_a_time(session: WriteSession, project: ProjectId) -> None:
    """Two tasks that remember at once must see each other's texts and counts."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"memory:{project}", 0))))
