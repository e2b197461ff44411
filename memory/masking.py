"""What is looked for in every text before it is kept, and what of it is covered: by the organisation's own rule.

Card numbers are covered whatever the rule says, for they are never stored.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import WriteSession
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permit
from memory.detecting import MASKED_BY_DEFAULT, Detector, Finding, FindingKind, categories, masked
from memory.knowledge.tables import TextRuleRow

People = Callable[[AsyncSession, OrgId], Awaitable[Collection[str]]]


async def nobody(session: AsyncSession, org: OrgId) -> Collection[str]:
    """An organisation whose people are not known by name."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A text as it may be kept, as long as it was, and what was found in it."""

    text: str
    findings: tuple[Finding, ...]  # in order; offsets hold in both texts

    @property
    def categories(self) -> frozenset[str]:
        return categories(self.findings)

    @property
    def has_cards(self) -> bool:
        """Whether a full payment card number stood in it: then it may not be kept as it came, in any form."""
        return any(each.kind is FindingKind.CARD for each in self.findings)


class Screen:
    """Looks a text over for one organisation, as it was when the screen was made."""

    def __init__(self, *, detector: Detector, kinds: frozenset[FindingKind]) -> None:
        self._detector, self.kinds = detector, kinds

    def seen(self, text: str, *, bare: bool = True) -> Seen:
        """Blocks while it looks: some megabytes a second. `bare`: see `Detector.find`."""
        findings = self._detector.find(text, bare=bare)
        return Seen(text=masked(text, findings, self.kinds), findings=findings)


async def screen_of(session: AsyncSession, org: OrgId, people: People = nobody) -> Screen:
    """The organisation's screen: its rule, and its own people."""
    return Screen(detector=Detector(await people(session, org)), kinds=await rule_of(session, org))


async def rule_of(session: AsyncSession, org: OrgId) -> frozenset[FindingKind]:
    """What is covered in this organisation."""
    row = await session.get(TextRuleRow, org)
    chosen = MASKED_BY_DEFAULT if row is None else frozenset(map(FindingKind, row.masked))
    return chosen | {FindingKind.CARD}


async def set_rule(
    session: WriteSession, permit: Permit, kinds: Collection[FindingKind], *, clock: Clock
) -> frozenset[FindingKind]:
    """Cover these from now on."""
    chosen = frozenset(kinds) | {FindingKind.CARD}
    principal = permit.action.principal
    values = {
        "masked": sorted(chosen),
        "set_by": principal.person,
        "updated_at": clock.now(),
        "decision_id": permit.decision,
    }
    made = insert(TextRuleRow).values(org_id=principal.org, **values)
    await session.execute(made.on_conflict_do_update(index_elements=["org_id"], set_=values))
    return chosen
