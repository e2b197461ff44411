"""The consents that let data train a model, and the one export that asks them.

Training is denied for everything, until an owner has said otherwise for each class a value is made of. What no class
speaks of is never let out.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import NotFound, Refused
from joule.kernel.ids import DecisionId, ItemId, PersonId, ProjectId, new_id
from joule.kernel.label import Purpose, Training, reclassify
from joule.kernel.principal import Principal
from joule.vault.keys import Keyring
from memory import _labels
from memory.items._recalling import all_of, current, of
from memory.items.actions import ExportForTraining, GiveTrainingConsent, WithdrawTrainingConsent
from memory.items.kinds import DataClass, ItemState, SourceKind, Withheld
from memory.items.queries import standing
from memory.items.results import (
    ConsentGiven,
    ConsentWithdrawn,
    ExportedForTraining,
    PastExport,
    RecalledItem,
    WithheldItem,
)
from memory.items.tables import TrainingConsentRow, TrainingExportRow
from memory.tables import MemoryItemRow

_CLASSES = {  # by the word a source begins with
    # Whoever has edited the item since: an agent's act names its message, and may have put the words together itself.
    SourceKind.MESSAGE: frozenset({DataClass.PROMPTS, DataClass.CHAT_HISTORY, DataClass.OUTPUTS}),
    SourceKind.DOCUMENT: frozenset({DataClass.KNOWLEDGE}),
    SourceKind.CONNECTION: frozenset({DataClass.INTEGRATIONS}),
    SourceKind.FILE: frozenset({DataClass.FILES}),
    SourceKind.PERSON: frozenset[DataClass](),
    "provider": frozenset({DataClass.INTEGRATIONS}),
    "mcp": frozenset({DataClass.INTEGRATIONS}),
}
_PERSONAL = "user."
_NOT_PERSONAL = "user.content."  # that somebody wrote it, not that it tells of anybody


async def give(
    session: WriteSession, action: GiveTrainingConsent, *, decision: DecisionId, now: datetime
) -> ConsentGiven:
    org = action.principal.org
    row = await _standing_row(session, action)
    existing = row is not None
    if row is None:
        row = TrainingConsentRow(
            org_id=org,
            id=new_id(),
            data_class=action.data_class.value,
            person=_person(action.principal),
            given_at=now,
            decision_id=decision,
        )
        session.add(row)
        await session.flush()
    return ConsentGiven(consent=row.id, data_class=action.data_class, given_at=row.given_at, existing=existing)


async def withdraw(
    session: WriteSession, action: WithdrawTrainingConsent, *, decision: DecisionId, now: datetime
) -> ConsentWithdrawn:
    row = await _standing_row(session, action)
    if row is None:
        raise NotFound("consent")
    row.withdrawn_at, row.withdrawn_by, row.decision_id = now, _person(action.principal), decision
    await session.flush()
    exports = await session.scalars(
        select(TrainingExportRow)
        .where(
            col(TrainingExportRow.org_id) == action.principal.org,
            col(TrainingExportRow.at) >= row.given_at,
            col(TrainingExportRow.data_classes).contains([action.data_class.value]),
        )
        .order_by(col(TrainingExportRow.at))
    )
    return ConsentWithdrawn(
        data_class=action.data_class,
        withdrawn_at=now,
        exports=tuple(
            PastExport(
                export=each.id, at=each.at, by=None if each.person is None else PersonId(each.person), items=each.items
            )
            for each in exports
        ),
    )


async def export(
    session: WriteSession,
    keyring: Keyring,
    action: ExportForTraining,
    project: ProjectId,
    *,
    decision: DecisionId,
    now: datetime,
) -> ExportedForTraining:
    principal = action.principal
    if action.label.training is not Training.ALLOWED:  # the policies have said so; a policy may be replaced
        raise Refused(action.name, reason="nothing trains a model unless an owner has said so")
    consents = await standing(session, principal.org)
    items = await all_of(session, keyring, project, principal.person, now, state=None)
    withheld = [found for each in items if (found := _withheld(each, consents.keys())) is not None]
    seen = {each.item for each in items}
    hidden = await session.scalars(select(col(MemoryItemRow.id)).where(*of(principal.org, project), *current(now)))
    withheld += [
        WithheldItem(item=ItemId(each), because=(Withheld.SOME_READERS,)) for each in hidden if each not in seen
    ]
    left_out = {each.item for each in withheld}
    given = tuple(_allowed(each, _person(principal)) for each in items if each.item not in left_out)
    classes = sorted(frozenset().union(*(classes_of(each)[0] for each in given)))
    row = TrainingExportRow(
        org_id=principal.org,
        id=new_id(),
        project_id=project,
        person=principal.person,
        at=now,
        items=len(given),
        withheld=len(withheld),
        data_classes=[each.value for each in classes],
        decision_id=decision,
    )
    session.add(row)
    await session.flush()
    return ExportedForTraining(
        export=row.id,
        items=given,
        withheld=tuple(withheld),
        consents=tuple(consents[each] for each in classes),
        label=_labels.of_all(each.label for each in given),
    )


def classes_of(item: RecalledItem) -> tuple[frozenset[DataClass], bool]:
    """The classes an item is made of, and whether something in it is of none that is known."""
    words = {each.kind.value for each in item.sources} | {source.partition(":")[0] for source in item.label.sources}
    made = {DataClass.MEMORY} | ({DataClass.OUTPUTS} if item.via == "agent" else set())
    known = {str(kind): classes for kind, classes in _CLASSES.items()}
    return frozenset(made).union(*(known.get(word, frozenset()) for word in words)), not words <= known.keys()


def _withheld(item: RecalledItem, consented: Iterable[DataClass]) -> WithheldItem | None:
    classes, has_unknown = classes_of(item)
    missing = sorted(classes - set(consented))
    personal = [
        word for word in item.label.categories if word.startswith(_PERSONAL) and not word.startswith(_NOT_PERSONAL)
    ]
    reasons = {
        Withheld.NO_CONSENT: bool(missing),
        Withheld.UNKNOWN_SOURCE: has_unknown,
        Withheld.PROPOSED: item.state != ItemState.LIVE,
        Withheld.SOME_READERS: item.label.readers is not None,
        Withheld.PERSONAL_DATA: bool(personal),
    }
    because = tuple(reason for reason, holds in reasons.items() if holds)
    return WithheldItem(item=item.item, because=because, missing=tuple(missing)) if because else None


def _allowed(item: RecalledItem, by: PersonId) -> RecalledItem:
    """The item with the label under which it leaves: an owner's consents are what lowers it, and nothing else does."""
    before = item.label
    after = replace(before, training=Training.ALLOWED, purposes=before.purposes | {Purpose.TRAIN})
    record = reclassify(before, after, by=by, reason="an owner's consent stands for every class of it")
    return replace(item, label=record.after)


async def _standing_row(
    session: WriteSession, action: GiveTrainingConsent | WithdrawTrainingConsent
) -> TrainingConsentRow | None:
    row: TrainingConsentRow | None = await session.scalar(
        select(TrainingConsentRow)
        .where(
            col(TrainingConsentRow.org_id) == action.principal.org,
            col(TrainingConsentRow.data_class) == action.data_class.value,
            col(TrainingConsentRow.withdrawn_at).is_(None),
        )
        .with_for_update()
    )
    return row


def _person(principal: Principal) -> PersonId:
    if principal.person is None:
        raise NotFound("person")
    return principal.person
