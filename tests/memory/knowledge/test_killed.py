"""A worker's process is killed while it indexes: nothing is half visible, nothing is lost, and the next one goes on."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta

from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import EmbeddingSettings, Settings
from memory.knowledge import queries
from memory.knowledge.actions import AddDocument, IndexDocument, SearchKnowledge
from tests.support.clock import StoppedClock
from tests.support.house import home

# Reads its settings and the ids as the worker would, keeps one batch, says so, and then never gets any further.
WORKER = """
import asyncio, sys
from uuid import UUID
from joule.assembly import open_house
from joule.kernel.ids import OrgId, ProjectId
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from joule.llm.providers.base import VectorBatch
from memory.knowledge.actions import IndexDocument

class Slow:
    provider, model, recipient, batches = "offline", "slow", "none", 0

    async def embed(self, texts, *, aim):
        self.batches += 1
        if self.batches == 2:
            print("one batch is kept", flush=True)
            await asyncio.Event().wait()
        return VectorBatch(vectors=tuple((1.0, *[0.0] * 383) for _ in texts))

async def main():
    org, project, document = map(UUID, sys.argv[1:])
    system = Principal(org=OrgId(org), person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    async with open_house(Settings(), embeddings=Slow()) as house:
        await house.commands.perform(IndexDocument(principal=system, project=ProjectId(project), document=document))

asyncio.run(main())
"""


async def test_a_killed_workers_document_is_taken_up_where_it_was(settings: Settings) -> None:
    settings = settings.model_copy(update={"embedding": EmbeddingSettings(name="none")})
    clock = StoppedClock(datetime.now(UTC))
    content = "\n\n".join(f"# Colony {n}\n\nPelicans of colony {n} nest early." for n in range(100)).encode()
    async with home(settings, clock=clock) as here:
        perform, project = here.house.commands.perform, here.project
        added = await perform(AddDocument(principal=here.owner, project=project, title="a.md", content=content))
        system = Principal(org=here.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        index = IndexDocument(principal=system, project=project, document=added.document)
        search = SearchKnowledge(principal=here.owner, project=project, query="pelicans", limit=20)

        await _killed(settings, str(here.org), str(project), str(added.document))

        assert (await perform(search)).passages == ()
        waiting = await perform(index)
        assert (waiting.state, waiting.chunks) == ("indexing", 0)  # as far as anybody knows it is still being read
        clock.advance(timedelta(minutes=2))
        done = await perform(index)
        assert (done.state, done.chunks) == ("ready", 100)
        assert len((await perform(search)).passages) == 20
        async with here.house.database.read(here.org) as session:
            keyring = await here.house.vault.keyring(session, here.org)
            (view,) = await queries.list_documents(session, keyring, project, reader=None)
        assert (view.state, view.chunks) == ("ready", 100)


async def _killed(settings: Settings, *ids: str) -> None:
    """A worker in a process of its own, killed after its first batch."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, *ids), stdout=asyncio.subprocess.PIPE, env=_environment(settings)
    )
    assert worker.stdout is not None
    try:
        async with asyncio.timeout(60):
            said = await worker.stdout.readline()
        assert said == b"one batch is kept\n"
    finally:
        worker.send_signal(signal.SIGKILL)
        ended = await worker.wait()
    assert ended == -signal.SIGKILL


def _environment(settings: Settings) -> dict[str, str]:
    database, key_file = settings.database, settings.vault.key_file
    assert database.url is not None
    assert database.owner_url is not None
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("JOULE_")},
        "JOULE_HOME": str(settings.home),
        "JOULE_ENVIRONMENT": settings.environment,
        "JOULE_DATABASE_URL": database.url.get_secret_value(),
        "JOULE_DATABASE_OWNER_URL": database.owner_url.get_secret_value(),
        "JOULE_VAULT_KEY_FILE": str(key_file),
    }
