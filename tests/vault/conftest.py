"""A vault over a watched key file."""

from pathlib import Path

import pytest

from joule.vault.local_key_file import LocalKeyFile
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.vault.support import Watched


@pytest.fixture
def key_file(tmp_path: Path) -> LocalKeyFile:
    return LocalKeyFile.create(tmp_path / "keys" / "kek.json")


@pytest.fixture
def wrapper(key_file: LocalKeyFile) -> Watched:
    return Watched(key_file)


@pytest.fixture
def vault(wrapper: Watched, clock: StoppedClock) -> Vault:
    return Vault(wrapper=wrapper, clock=clock, environment="test", cache_seconds=60)
