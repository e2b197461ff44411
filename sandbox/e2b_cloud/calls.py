"""Asks E2B, each time for so long and no longer, and says in our own words what went wrong.

The library's timeouts are requests to the server: one that does not keep them is not waited for. Only what may be asked
twice is asked again, and a command is never among it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import e2b
from e2b.exceptions import SandboxException, SandboxUnreachableException

from joule.kernel.errors import JouleError
from sandbox.e2b_cloud.errors import E2bAway, E2bBusy, E2bKeyRefused, E2bRefused
from sandbox.errors import PathRefused, QuotaExceeded, SandboxGone

R = TypeVar("R")
SOON = 20.0  # seconds one answer may take
_TRIES = 3
_PAUSE = 0.2  # seconds before the second try; twice as long before each further one
_REFUSED = (e2b.InvalidArgumentException, e2b.TemplateException, e2b.NotFoundException)
_GONE = (e2b.SandboxNotFoundException, e2b.SandboxNotRunningException)


async def asked(doing: Awaitable[R], *, seconds: float = SOON) -> R:
    """What E2B answers. Raises one of our own errors, and `E2bAway` when it takes longer than that."""
    try:
        async with asyncio.timeout(seconds):
            return await doing
    except JouleError:
        raise
    except Exception as problem:
        raise told(problem) from problem


async def asked_again(make: Callable[[], Awaitable[R]], *, seconds: float = SOON) -> R:
    """The same for what may be asked twice: again when E2B was busy, away or silent, a few times."""
    for turn in range(_TRIES):
        try:
            return await asked(make(), seconds=seconds)
        except (E2bBusy, E2bAway):
            if turn == _TRIES - 1:
                raise
            await asyncio.sleep(_PAUSE * 2**turn)
    raise AssertionError("unreachable")


def told(problem: Exception) -> JouleError:
    """What an error of the library means for us. None of its words are kept: a server wrote them."""
    if isinstance(problem, e2b.AuthenticationException):
        return E2bKeyRefused()
    if isinstance(problem, e2b.RateLimitException | e2b.ServiceBusyException):
        return E2bBusy()
    if isinstance(problem, _GONE):
        return SandboxGone()
    if isinstance(problem, e2b.NotEnoughSpaceException):
        return QuotaExceeded("what is in the sandbox", limit=0)
    if isinstance(problem, e2b.FileNotFoundException):
        return PathRefused("there is no such file")
    if isinstance(problem, _REFUSED) or getattr(problem, "status_code", None) in {400, 403, 404, 422}:
        return E2bRefused()
    if isinstance(problem, SandboxUnreachableException):
        return E2bAway("could not be reached")
    if isinstance(problem, TimeoutError | e2b.TimeoutException):
        return E2bAway("did not answer in time")
    status = problem.status_code if isinstance(problem, SandboxException) else None
    return E2bAway("could not be reached" if status is None else f"answered with an error ({status})")
