"""The one shape through which an effect happens.

A room offers a `Handler`; its `methods` say which actions it performs. Each method spends its permit first, then acts.
A method for an internal effect also receives the transaction in which the journal rows stand, so that the effect and
its record are committed together or not at all.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from joule.kernel.action import Action

Method = Callable[..., Awaitable[Any]]  # (permit, action) for reads and outside effects, (permit, action, session) else


class Handler(Protocol):
    """A room's only way in to its effects."""

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        """Which actions this room performs, and how."""
        ...
