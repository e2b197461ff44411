"""What every test may ask for: a real database of its own, a stopped clock, a vault with a key in a file."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis  # here and not later: its plugin would else load it at the end, deep in greenlets, where 3.11 cannot
import pytest

from joule.database.engine import Database
from joule.database.server import ServerAddress
from joule.kernel.ids import OrgId, new_id
from joule.kernel.settings import DatabaseSettings, Settings, VaultSettings
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.support.listening import listening
from tests.support.postgres import TestServer, running_test_server

# A shared machine is slow at times; what is claimed is never how long an example takes.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(autouse=True)
def no_token_is_logged(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails whatever test has a token logged, by us or by a library."""
    with listening() as heard:
        yield
    if request.node.get_closest_marker("logs_tokens") is None:
        assert heard.by == []


@pytest.fixture(scope="session")
def test_server() -> Iterator[TestServer]:
    """The run's PostgreSQL, with a migrated template."""
    with running_test_server() as server:
        yield server


@pytest.fixture
def address(test_server: TestServer) -> Iterator[ServerAddress]:
    """A migrated database of this test's own, under both roles."""
    with test_server.clone() as address:
        yield address


@pytest.fixture
def owner_url(address: ServerAddress) -> str:
    """As the role that owns the schema."""
    return address.owner_url


@pytest.fixture
def app_url(address: ServerAddress) -> str:
    """As the role the application logs in with."""
    return address.app_url


@pytest.fixture
async def database(app_url: str) -> AsyncIterator[Database]:
    """Sessions as the application."""
    database = Database(app_url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
def clock() -> StoppedClock:
    """Time stands still until the test moves it."""
    return StoppedClock()


@pytest.fixture
def org() -> OrgId:
    """An organisation's id; no room knows it yet."""
    return OrgId(new_id())


@pytest.fixture
def settings(tmp_path: Path, address: ServerAddress) -> Settings:
    """Settings for this test's own database and home folder; nothing is read from the environment's database."""
    return Settings(
        home=tmp_path,
        environment="test",
        database=DatabaseSettings(url=address.app_url, owner_url=address.owner_url),
        vault=VaultSettings(key_file=tmp_path / "keys" / "kek.json"),
    )


@pytest.fixture
def vault(tmp_path: Path, clock: StoppedClock) -> Vault:
    """A vault over a fresh local key file."""
    wrapper = LocalKeyFile.create(tmp_path / "vault" / "kek.json")
    return Vault(wrapper=wrapper, clock=clock, environment="test", cache_seconds=60)
