"""The backend `gvisor` keeps the contract of all backends, where gVisor is installed."""

import shutil
from collections.abc import AsyncIterator

import pytest

from sandbox.contract import Boundary, Killer, Limits
from sandbox.gvisor.jail import Gvisor
from sandbox.local.backend import LocalBackend
from sandbox.testing import CHECKS, Check, a_sandbox, run
from tests.support.clock import StoppedClock


@pytest.fixture
async def backend(clock: StoppedClock) -> AsyncIterator[LocalBackend]:
    found = LocalBackend(clock=clock, jail=Gvisor())
    yield found
    await found.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_contract(backend: LocalBackend, check: Check):
    await check(backend)
