"""A process that wants fresh tokens, many times at once, and may be killed while it gets them.

Run as `python -m joule.bench._refresh_worker`, with `JOULE_*` set by the benchmark. Each line of its input is one wish,
`org connection callers hours`, for which it forks: the line it answers with is the child's id, the next what came of it.
"""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

from joule.assembly.accounts import accounts
from joule.database.engine import Database
from joule.kernel.errors import JouleError, Misconfigured
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.kernel.settings import Settings
from joule.vault.configured import wrapper_of
from joule.vault.vault import Vault


class Ahead:
    """A clock that is ahead of the computer's, so that tokens are old without waiting."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


async def ask(org: OrgId, connection: UUID, *, callers: int, ahead: timedelta) -> list[str]:
    """What each caller got: its access token, or the code of what it met."""
    settings = Settings()
    if settings.database.url is None:
        raise Misconfigured("no database is configured", advice="The benchmark sets JOULE_DATABASE_URL.")
    clock = Ahead(ahead)
    database = Database(settings.database.url.get_secret_value(), pool_size=4)
    vault = Vault(wrapper=wrapper_of(settings), clock=clock, environment=settings.environment, cache_seconds=60)
    try:
        async with accounts(settings.integrations, database=database, vault=vault, clock=clock, followers=()) as parts:

            async def one() -> str:
                try:
                    found = await parts.refreshing.usable(org, connection, decision=DecisionId(new_id()))
                except JouleError as problem:
                    return problem.code
                return found.tokens.access_token.reveal()

            return list(await asyncio.gather(*(one() for _ in range(callers))))
    finally:
        await database.close()


def main() -> None:
    _say("ready")
    for line in sys.stdin:
        org, connection, callers, hours = line.split()
        child = os.fork()
        if child == 0:
            told = asyncio.run(
                ask(OrgId(UUID(org)), UUID(connection), callers=int(callers), ahead=timedelta(hours=float(hours)))
            )
            _say(json.dumps(told))
            os._exit(0)
        _say(str(child))
        os.waitpid(child, 0)
        _say("over")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
