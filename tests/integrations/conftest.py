"""A house with the demonstration provider beside it."""

from collections.abc import AsyncIterator

import pytest

from joule.kernel.settings import Settings
from tests.support.accounts import Office, office
from tests.support.clock import StoppedClock


@pytest.fixture
async def here(settings: Settings, clock: StoppedClock) -> AsyncIterator[Office]:
    async with office(settings, clock) as found:
        yield found
