"""How soon a disconnected account is refused in every worker, and whether a call still reaches the provider after it.

Four workers use one connection all the time. The clock starts with the click and stops when the last of them is refused.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

from integrations.actions import RevokeConnection
from joule.assembly import House, open_house
from joule.bench._ground import Ground, ground
from joule.bench._rotating import connect, rotating
from joule.bench.report import Report
from joule.identity.actions import FoundOrganisation
from joule.kernel.errors import Unavailable
from joule.kernel.ids import OrgId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import IntegrationSettings

WORKERS = 4
SETTLED = 1.0  # seconds after the last refusal in which a late call would show
TARGETS = {"last_refused_ms": {"max": 1000.0}, "calls_after": {"max": 0.0}, "not_refused": {"max": 0.0}}


async def run(*, quick: bool, rounds: int | None = None, **_: object) -> Report:
    """The worst of `rounds` disconnections (1 quick, else 5)."""
    rounds = rounds if rounds is not None else (1 if quick else 5)
    worst = {"last_refused_ms": 0.0, "click_ms": 0.0, "calls_after": 0.0, "calls_before": 0.0, "not_refused": 0.0}
    told: list[dict[str, Any]]
    async with rotating() as provider:
        settings = IntegrationSettings(demo_port=provider.port)
        async with ground(integrations=settings) as here, open_house(here.settings) as house:
            for _round in range(rounds):
                owner = await _owner(house)
                connection = await connect(house.database, house.vault, provider, org=owner.org, now=house.clock.now())
                provider.calls.clear()
                workers = [await _worker(here, owner, connection) for _ in range(WORKERS)]
                await asyncio.gather(*(_line(each) for each in workers))  # each has had an answer
                clicked = time.time()
                await house.commands.perform(RevokeConnection(principal=owner, connection=connection))
                returned = time.time()
                told = [json.loads(line) for line in await asyncio.gather(*(_line(each) for each in workers))]
                await asyncio.gather(*(each.wait() for each in workers))
                await asyncio.sleep(SETTLED)
                ends = [said["at"] for said in told if said["refused"] == "integrations.connection_revoked"]
                found = {
                    "last_refused_ms": (max(ends, default=clicked) - clicked) * 1e3,
                    "click_ms": (returned - clicked) * 1e3,
                    "calls_after": sum(at > returned for at in provider.calls),
                    "calls_before": sum(at <= returned for at in provider.calls),
                    "not_refused": WORKERS - len(ends),
                }
                worst = {name: max(value, found[name]) for name, value in worst.items()}
    return Report(
        name="revoke",
        figures={"workers": WORKERS, "rounds": rounds, **{name: round(value, 1) for name, value in worst.items()}},
        targets=TARGETS,
        notes="four processes, each asking every 80 ms; from the click to the last refusal, the worst round",
    )


async def _owner(house: House) -> Principal:
    org = OrgId(new_id())
    made = await house.commands.perform(
        FoundOrganisation(
            principal=Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM),
            organisation_name="Bench",
            owner_name="Owner",
            owner_email=f"owner-{org.hex[-8:]}@joule.invalid",
        )
    )
    return Principal(org=made.org, person=made.person, role=Role.OWNER, via=Via.PERSON)


async def _worker(here: Ground, owner: Principal, connection: object) -> asyncio.subprocess.Process:
    environment = {
        **os.environ,
        "JOULE_HOME": str(here.settings.home),
        "JOULE_ENVIRONMENT": here.settings.environment,
        "JOULE_DATABASE_URL": here.address.app_url,
        "JOULE_INTEGRATIONS_DEMO_PORT": str(here.settings.integrations.demo_port),
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "joule.bench._revoke_worker", str(owner.org), str(owner.person), str(connection)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )


async def _line(worker: asyncio.subprocess.Process) -> str:
    if worker.stdout is None:
        raise Unavailable("a process to measure with")
    return (await worker.stdout.readline()).decode()
