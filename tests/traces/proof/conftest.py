"""Journals and proofs over a test's own database, and one record to tamper with, made once."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from joule.bench._tampered import Subject, subject
from joule.database.engine import Database
from joule.identity.deployment import DEPLOYMENT
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId, new_id
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.vault import Vault
from tests.support.clock import StoppedClock
from tests.support.postgres import TestServer
from traces.opening import Journals
from traces.proof import queries
from traces.proof.delivering import Carrier
from traces.proof.proofs import Proofs, proofs


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A record that was made once, and what an auditor has kept of it."""

    subject: Subject
    head: str
    key: str


def proofs_over(database: Database, vault: Vault, clock: Clock, **carriers: Carrier) -> Proofs:
    return proofs(
        database=database,
        vault=vault,
        clock=clock,
        scope=DEPLOYMENT,
        carriers=lambda signing: carriers,
        checked=lambda url: url,
    )


@pytest.fixture
def journals(database: Database, vault: Vault, clock: StoppedClock) -> Journals:
    return Journals(database=database, vault=vault, clock=clock)


@pytest.fixture
def proving(database: Database, vault: Vault, clock: StoppedClock) -> Proofs:
    return proofs_over(database, vault, clock)


@pytest.fixture(scope="session")
def kept(test_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Two tasks with their bundles, and the newest head and key."""
    folder: Path = tmp_path_factory.mktemp("proof")
    with test_server.clone() as address:
        yield asyncio.run(_kept(address.app_url, folder))


async def _kept(url: str, folder: Path) -> Kept:
    database, clock = Database(url, pool_size=3), StoppedClock(datetime.now(UTC))
    vault = Vault(wrapper=LocalKeyFile.create(folder / "kek.json"), clock=clock, environment="test", cache_seconds=60)
    proving = proofs_over(database, vault, clock)
    org = OrgId(new_id())
    try:
        made = await subject(Journals(database=database, vault=vault, clock=clock), proving, org)
        async with database.read(org) as session:
            heads = await queries.newest_heads(session, org)
        return Kept(subject=made, head=heads[0].note, key=(await proving.signing.keys())[-1].line)
    finally:
        await database.close()
