"""Ground to measure on: a server of its own in a folder of its own, a house over it, and rooms that do next to nothing.

Measurements never touch the installation they run from.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from joule.assembly import House, open_house
from joule.database import migrate
from joule.database.server import EmbeddedServer, ServerAddress
from joule.kernel.action import Action, Effect
from joule.kernel.clock import SystemClock
from joule.kernel.errors import PermitMisused
from joule.kernel.handler import Method
from joule.kernel.ids import OrgId, PersonId, new_id
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import DatabaseSettings, Settings
from joule.vault.local_key_file import LocalKeyFile

Payload = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Think(Action[Payload]):
    """Stands for a model call: asks nobody, answers at once."""

    name: ClassVar[str] = "bench.think"
    effect: ClassVar[Effect] = Effect.MODEL
    step: int
    prompt: str


@dataclass(frozen=True, kw_only=True)
class Ring(Action[Payload]):
    """Stands for an outside effect: rings no bell, answers at once."""

    name: ClassVar[str] = "bench.ring"
    effect: ClassVar[Effect] = Effect.SEND
    step: int


POLICIES = "\n".join(
    f'@id("bench.p{n}") @reason("bench") permit (principal, action == Joule::Action::"{name}", resource) '
    f'when {{ context.role == "{role}" && context.purpose == "essential.service" && context.via == "{via}" }};'
    for n, (name, role, via) in enumerate(
        [("bench.think", "member", "agent"), ("bench.ring", "member", "agent")]
        + [(f"memory.{verb}", "support", "agent") for verb in ("list_files", "read_file", "recall", "remember") * 24]
        + [("bench.ring", "support", "system"), ("bench.think", "support", "system")]
    )
)


class BenchHandler:
    """Does next to nothing, under a permit like everybody."""

    def __init__(self) -> None:
        self.rung = 0

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {Think: self.think, Ring: self.ring}

    async def think(self, permit: Permit, action: Think) -> Payload:
        _expect(permit, action)
        return {"tool": "ring", "id": f"c{action.step}", "text": "x" * 400}

    async def ring(self, permit: Permit, action: Ring) -> Payload:
        _expect(permit, action)
        self.rung += 1
        return {"ok": True, "step": action.step, "text": "y" * 400}


def _expect(permit: Permit, action: Action[Any]) -> None:
    if permit.action is not action:
        raise PermitMisused("this permit was issued for another action")


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where a benchmark runs."""

    settings: Settings
    address: ServerAddress
    server: EmbeddedServer
    home: Path


@asynccontextmanager
async def ground(**overrides: Any) -> AsyncIterator[Ground]:
    """A migrated database and a key file in a new folder; gone afterwards."""
    home = await asyncio.to_thread(_folder)
    server = EmbeddedServer(home=home)
    try:
        address = await asyncio.to_thread(server.start)
        await asyncio.to_thread(migrate.upgrade, address.owner_url)
        settings = Settings(
            home=home,
            environment="test",
            database=DatabaseSettings(url=address.app_url, owner_url=address.owner_url),
            **overrides,
        )
        LocalKeyFile.create(settings.key_file)
        yield Ground(settings=settings, address=address, server=server, home=home)
    finally:
        await asyncio.to_thread(server.stop)
        shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def house_on(ground: Ground, *, handler: BenchHandler) -> AsyncIterator[House]:
    """A house with the bench's room in it, judged by 100 policies more than usual."""
    async with open_house(ground.settings, clock=SystemClock(), more=[handler], more_policy=POLICIES) as house:
        yield house


def somebody(org: OrgId) -> Principal:
    """A member, through the agent."""
    return Principal(org=org, person=PersonId(new_id()), role=Role.MEMBER, via=Via.AGENT)


def _folder() -> Path:
    """A new folder whose path the server's own user may walk."""
    home = Path(tempfile.mkdtemp(prefix="joule-bench-", dir="/tmp"))
    home.chmod(0o711)
    return home
