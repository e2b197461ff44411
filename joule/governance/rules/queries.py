"""What pages and commands may see of an organisation's own policies, and what is wrong with a text before it is saved."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from joule.database.engine import ReadSession
from joule.governance.errors import PolicyInvalid
from joule.governance.policy import Policy, titles
from joule.governance.rules import _versions
from joule.governance.rules._versions import SOURCE, Stored, prefix_of
from joule.governance.rules.actions import LONGEST
from joule.governance.rules.results import State
from joule.kernel.errors import Corrupt
from joule.kernel.ids import OrgId
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault

_COUNTED = 100_000  # decisions looked at, at most, for what a trial came to
# What stands in a head is canonical, so these bytes are there exactly when the trial said something else.
_TRIED = text(
    "SELECT action, decision, substring(encode(head, 'escape') FROM '\"trial\":\"([a-z]+)\"') AS tried, count(*) AS times,"
    " count(DISTINCT task_id) AS tasks FROM ("
    "  SELECT task_id, action, decision, head FROM trace_event"
    "  WHERE org_id = :org AND at >= :since AND decision IS NOT NULL ORDER BY at DESC LIMIT :most"
    ") newest WHERE position(bytea '\\x22747269616c223a' IN head) > 0 GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1"
)


@dataclass(frozen=True, kw_only=True)
class VersionView:
    """One version. `source` is None where it cannot be opened any more."""

    version: UUID
    number: int
    state: State
    policies: int
    saved_at: datetime
    saved_by: UUID | None
    changed_at: datetime
    changed_by: UUID | None
    source: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a trial would have changed about one action."""

    action: str
    decided: str
    tried: str
    times: int
    tasks: int


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What is to be said of a text before it is saved. `problem` is empty when it can be used, and may quote it."""

    problem: str = ""
    advice: str = ""
    policies: int = 0


async def versions(session: ReadSession, vault: Vault, org: OrgId, *, with_source: bool = True) -> list[VersionView]:
    """The newest versions, newest first."""
    return [
        _view(each, await _source(session, vault, org, each) if with_source else None)
        for each in await _versions.every(session, org)
    ]


async def tried(session: ReadSession, org: OrgId, *, since: datetime, now: datetime) -> list[Tried]:
    """What the trial since `since` would have changed, over at most the last thirty days and 100,000 decisions."""
    since = max(since, now - timedelta(days=30))
    rows = (await session.execute(_TRIED, {"org": org, "since": since, "most": _COUNTED})).all()
    return [Tried(action=r.action, decided=r.decision, tried=r.tried, times=r.times, tasks=r.tasks) for r in rows]


async def names(session: ReadSession, vault: Vault, org: OrgId) -> dict[str, str]:
    """What people call their own policies (their @id), by the names that stand in the journal."""
    found: dict[str, str] = {}
    for each in await _versions.every(session, org):
        source = await _source(session, vault, org, each)
        if source is not None:
            prefix = prefix_of(each.number)
            found.update({f"{prefix}.{n}": title for n, title in enumerate(titles(source), start=1)})
    return found


def checked(source: str, *, base: Policy) -> Checked:
    """What is wrong with a draft, if anything: told to its author alone, since it may quote them."""
    if len(source) > LONGEST:
        return Checked(problem="The draft is too long.", advice=f"Keep it under {LONGEST:,} characters.")
    try:
        base.restricted(source, prefix="own.draft")
    except PolicyInvalid as problem:
        return Checked(problem=str(problem), advice=problem.advice())
    return Checked(policies=len(titles(source)))


async def _source(session: ReadSession, vault: Vault, org: OrgId, version: Stored) -> str | None:
    try:
        keyring = await vault.keyring(session, org)
        return keyring.open_text(version.source, row=version.id, field=SOURCE)
    except (NoKey, Shredded, Corrupt):
        return None


def _view(each: Stored, source: str | None) -> VersionView:
    return VersionView(
        version=each.id,
        number=each.number,
        state=each.state,
        policies=each.policies,
        saved_at=each.saved_at,
        saved_by=each.saved_by,
        changed_at=each.changed_at,
        changed_by=each.changed_by,
        source=source,
    )
