"""Seals one organisation and writes in another, to be killed in the middle of both: `… URL KEYFILE SEALED WRITTEN`."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from joule.database.engine import Database
from joule.kernel.clock import SystemClock
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.vault import Vault
from tests.traces.proof.conftest import proofs_over
from traces.opening import Journals
from traces.records import Kind


async def work(url: str, key_file: str, sealed: str, written: str) -> None:
    database, clock = Database(url, pool_size=3), SystemClock()
    vault = Vault(wrapper=LocalKeyFile(Path(key_file)), clock=clock, environment="test", cache_seconds=60)
    proving = proofs_over(database, vault, clock)

    async def write() -> None:
        journals = Journals(database=database, vault=vault, clock=clock)
        journal = await journals.open(OrgId(UUID(written)), TaskId(new_id()), attempt=1, retention="90d")
        await journal.write(Kind.TEXT, call="model/0", content={"text": "word"})

    await asyncio.gather(proving.sealing.seal(OrgId(UUID(sealed))), write())


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
