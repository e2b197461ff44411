"""A worker in a process of its own, to be killed: `python -m tests.tasks.worker_process URL KEYFILE STALLED SCRIPT…`.

The script says what a run does by the request's first word: `quick` answers; `slow` writes its attempt into the file
named next and waits; `hold N` waits N seconds and answers.
"""

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

from joule.agent.task import Claim, Outcome, done
from joule.database.engine import Database
from joule.kernel.clock import SystemClock
from joule.kernel.settings import TaskSettings
from joule.tasks._serving import ProcrastinateServing
from joule.tasks.dispatch import Queue
from joule.tasks.worker import Worker
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.vault import Vault
from tests.tasks.conftest import member, nothing_erased


async def run(claim: Claim) -> Outcome:
    word, _, rest = claim.request.partition(" ")
    if word == "slow":
        path, _, first = rest.partition(" ")
        note(Path(path), claim.attempt)
        if claim.attempt == 1:
            await asyncio.sleep(float(first or 3600))
    elif word == "hold":
        await asyncio.sleep(float(rest))
    return done(f"attempt {claim.attempt}")


def note(path: Path, attempt: int) -> None:
    with path.open("a") as written:
        written.write(f"{attempt}\n")


async def main(url: str, key_file: str, stalled: float) -> None:
    clock = SystemClock()
    database = Database(url, pool_size=5)
    worker = Worker(
        database=database,
        vault=Vault(wrapper=LocalKeyFile(Path(key_file)), clock=clock, environment="test", cache_seconds=60),
        clock=clock,
        dispatcher=Queue(),
        serving=ProcrastinateServing(
            url, concurrency=8, stalled=timedelta(seconds=stalled), grace=timedelta(seconds=0.5)
        ),
        run=run,
        role_of=member,
        erased=nothing_erased,
        settings=TaskSettings(per_organisation=2, per_worker=8),
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    print("ready", flush=True)
    await worker.run()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
