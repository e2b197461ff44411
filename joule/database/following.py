"""What a room calls when it erases a source, so that what others made from it goes in the same transaction."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permit

Follower = Callable[[WriteSession, Permit, OrgId, Sequence[str]], Awaitable[Mapping[str, int]]]
"""Erases what was made from these sources, named `kind:id` as labels name them; how much, by word.

Raises nothing for sources it has never heard of.
"""
