"""A worker that goes on asking a connected account until it is refused, and says when each of both happened.

Run as `python -m joule.bench._revoke_worker ORG PERSON CONNECTION`, with `JOULE_*` set by the benchmark.
"""

import asyncio
import json
import sys
import time
from uuid import UUID

from integrations.actions import ReadFromProvider
from integrations.demo import PROVIDER
from joule.assembly import open_house
from joule.kernel.errors import JouleError
from joule.kernel.ids import OrgId, PersonId, TaskId, new_id
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings

EVERY = 0.08  # seconds; below what the demonstration allows one connection
LONGEST = 120.0


async def main() -> None:
    org, person, connection = (UUID(each) for each in sys.argv[1:])
    who = Principal(org=OrgId(org), person=PersonId(person), role=Role.MEMBER, via=Via.AGENT)
    async with open_house(Settings()) as house:
        journal = await house.journals.open(who.org, TaskId(new_id()), attempt=1, retention="90d")
        gate, until, n = house.gate.over(journal), time.time() + LONGEST, 0
        told: dict[str, float | str] = {"refused": "never"}
        while time.time() < until:
            action = ReadFromProvider(
                principal=who, connection=connection, provider=PROVIDER, operation="read_campaigns", inputs="{}"
            )
            try:
                await gate.perform(action, call=f"act/{n}/0")
            except JouleError as problem:
                told = {"refused": problem.code, "at": time.time(), "calls": n}
                break
            if n == 0:
                _say("ready")
            n += 1
            await asyncio.sleep(EVERY)
    _say(json.dumps(told))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
