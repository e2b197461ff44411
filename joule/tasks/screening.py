"""What looks a message over before anything of it is kept: covers what may not be kept, and says what it found."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId


@dataclass(frozen=True, kw_only=True)
class Screened:
    """A message as it may be kept, and the categories of data that were found in it."""

    text: str
    categories: frozenset[str] = frozenset()


Screening = Callable[[WriteSession, OrgId, str], Awaitable[Screened]]
