"""The wish that something under way should end."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop(asyncio.Event):
    """An event that can be waited for, or call somebody at once: a call costs nothing while nothing happens."""

    def __init__(self) -> None:
        super().__init__()
        self._called: list[Callable[[], object]] = []

    def set(self) -> None:
        super().set()
        for call in tuple(self._called):
            call()

    @contextmanager
    def calling(self, call: Callable[[], object]) -> Iterator[None]:
        """Meanwhile `call` is called when this is set; it is not, if it was set before."""
        self._called.append(call)
        try:
            yield
        finally:
            self._called.remove(call)
