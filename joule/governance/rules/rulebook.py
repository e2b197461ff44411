"""Which policies judge for an organisation: those Joule comes with, and its own beside them.

Whatever keeps an organisation's own from being read, what they might judge is denied: doubt refuses here as well.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database
from joule.governance.errors import PolicyInvalid
from joule.governance.policy import Policy
from joule.governance.rules._versions import SOURCE, Stored, one, prefix_of, standing
from joule.governance.rules.errors import DraftUnusable
from joule.governance.rules.results import State
from joule.kernel.errors import Corrupt, NotFound
from joule.kernel.ids import OrgId
from joule.vault.errors import NoKey, Shredded
from joule.vault.vault import Vault

FRESH = 2.0  # seconds for which a task goes on with the policies it found
_MOST = 500  # policies remembered, ready to judge


@dataclass(frozen=True, kw_only=True)
class InForce:
    """What decides for an organisation, and what is tried beside it. `number`: of its own version; 0: it has none."""

    policy: Policy
    number: int = 0
    trial: Policy | None = None
    looked: float = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether a task may go on with it without looking again."""
        return monotonic() - self.looked < FRESH


class Rulebook:
    """The policies of all organisations, as one process sees them."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault
        self._built: OrderedDict[tuple[str, UUID, bytes], Policy] = OrderedDict()
        self._building = asyncio.Lock()

    async def of(self, org: OrgId, base: Policy) -> InForce:
        """The policies as they are now. `base` are those Joule comes with. One look at the database.

        Raises `DatabaseAway` and the like when it cannot be looked.
        """
        looked = monotonic()
        async with self._database.read(org) as session:
            found = await standing(session, org)
            enforced, trial = found.get(State.ENFORCED), found.get(State.TRIAL)
            try:
                policy = base if enforced is None else await self._with(session, org, base, enforced)
            except DraftUnusable:
                policy = base.locked()
            try:
                tried = None if trial is None else await self._with(session, org, base, trial)
            except DraftUnusable:
                tried = None  # it decides nothing, so nothing is lost; the page says that it cannot be used
        number = 0 if enforced is None else enforced.number
        return InForce(policy=policy, number=number, trial=tried, looked=looked)

    async def with_version(self, session: AsyncSession, org: OrgId, base: Policy, version: UUID) -> tuple[Policy, int]:
        """`base` with one version of the organisation's own, whatever its state, and its number.

        Raises `NotFound`; `DraftUnusable` when this release cannot use it.
        """
        found = await one(session, org, version)
        if found is None:
            raise NotFound("policy version")
        return await self._with(session, org, base, found), found.number

    async def _with(self, session: AsyncSession, org: OrgId, base: Policy, version: Stored) -> Policy:
        name = (base.digest, version.id, version.source)
        known = self._built.get(name)
        if known is not None:
            self._built.move_to_end(name)
            return known
        try:
            keyring = await self._vault.keyring(session, org)
            source = keyring.open_text(version.source, row=version.id, field=SOURCE)
            async with self._building:
                built = await asyncio.to_thread(base.restricted, source, prefix=prefix_of(version.number))
        except (NoKey, Shredded, Corrupt, PolicyInvalid) as problem:
            raise DraftUnusable() from problem
        self._built[name] = built
        while len(self._built) > _MOST:
            self._built.popitem(last=False)
        return built
