"""Keeps remembered items. Texts are sealed; the same text is kept once; forgetting one removes its row.

What a person says by their own hand, or the agent in the person's own words, is used at once. Everything else, and
whatever contradicts an item without replacing it, is kept as a proposal that only people see.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from joule.database.engine import WriteSession
from joule.kernel.errors import Conflict, Invalid, NotFound
from joule.kernel.ids import ItemId, ProjectId, minted_at, new_id
from joule.kernel.label import Integrity, Label, join
from joule.kernel.permit import Permit
from joule.kernel.principal import Principal, Via
from joule.vault.keys import Keyring
from memory import _labels, _words, gone
from memory.errors import Declined, TooMuch
from memory.items import _quoting, _sources, _terms
from memory.items._recalling import SUBJECT, TEXT, current, is_current, of, text_of
from memory.items.actions import AcceptItem, DeclineItem, EditItem, ForgetItem, PinItem, ProposeItem, Remember
from memory.items.kinds import ItemState, SourceKind
from memory.items.results import Forgotten, Remembered
from memory.masking import Screen
from memory.tables import MemoryItemRow

_OUTSIDE = frozenset({SourceKind.DOCUMENT, SourceKind.CONNECTION, SourceKind.FILE})


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """The items of one project, for one action."""

    session: WriteSession
    keyring: Keyring
    permit: Permit
    principal: Principal
    project: ProjectId
    now: datetime
    screen: Screen

    async def keep(self, action: Remember | ProposeItem) -> Remembered:
        """Raises `SourceGone` or `Declined` for what must not come back, `NotQuoted` for words that are not where the agent
        says, `TooMuch` when there is no room.
        """
        _terms.check(action, self.now)
        words = self.screen.seen(_words.item_text(action.text))
        subject = self.screen.seen(_words.subject(action.subject))
        label = self._label(action, words.categories | subject.categories)
        act = _sources.of_act(action.sources, label=label, permit=self.permit)
        await gone.must_stand(self.session, self.principal.org, _sources.names(act))
        if self.principal.via is Via.AGENT:
            here = self.keyring, self.project, self.principal.person
            await _quoting.check(self.session, *here, words.text, action.sources)
        await _terms.one_at_a_time(self.session, self.project)
        key, about = self._key(words.text), self._about(subject.text)
        if self.principal.via is not Via.PERSON:
            await self._must_not_come_back(key)
        replaces = action.replaces if isinstance(action, Remember) else None
        other = None if replaces else await self._contradicted(action.kind, about, key)
        is_proposal = isinstance(action, ProposeItem) or other is not None or not self._is_agreed(label)
        row = await self._twin(key)
        existing = row is not None
        if row is None:
            row = await self._added(action, words.text, subject.text, label, is_proposal=is_proposal)
            row.contradicts = replaces if is_proposal and replaces else other
        elif row.id == replaces:
            raise Invalid("an item cannot replace itself", advice="Remember something else, or leave it as it is.")
        elif row.state == ItemState.PROPOSED and not is_proposal:
            row.state, row.contradicts = ItemState.LIVE, None  # somebody says it who need not be asked
            self._touch(row, label)
        await self.session.flush()
        await _sources.add(self.session, self.principal.org, row.id, act, decision=self.permit.decision)
        if replaces is not None:
            old = await self._locked(replaces)
            if not is_proposal:
                await self._supersede(old, row.id)
        return self._kept(row, existing=existing)

    async def edit(self, action: EditItem) -> Remembered:
        """Raises `Conflict` when somebody else has edited it since `expected` was read."""
        words = self.screen.seen(_words.item_text(action.text))
        await _terms.one_at_a_time(self.session, self.project)
        row = await self._locked(action.item, state=None)
        if action.expected is not None and row.generation != action.expected:
            raise Conflict("remembered item")
        key = self._key(words.text)
        twin = await self.session.scalar(select(MemoryItemRow).where(*self._here(), col(MemoryItemRow.text_key) == key))
        if twin is not None and twin.id != row.id:
            if is_current(twin, self.now):
                raise Invalid("this is remembered already", advice="Forget one of the two items.")
            if twin.superseded_by != row.id:
                raise Conflict("item")
            await self.session.delete(twin)
            await self.session.flush()
        # The new words are made from the old ones: what was untrusted is not made trusted by a correction.
        label = join([_labels.label_of(row), _labels.of_item(action.label)])
        subject = None
        if row.subject is not None:
            subject = self.keyring.open(row.subject, row=row.id, field=SUBJECT, generation=row.generation)
        row.generation += 1
        row.text = self.keyring.seal_text(words.text, row=row.id, field=TEXT, generation=row.generation)
        if subject is not None:
            row.subject = self.keyring.seal(subject, row=row.id, field=SUBJECT, generation=row.generation)
        row.text_key = key
        self._touch(row, replace(label, categories=label.categories | words.categories))
        await self.session.flush()
        return self._kept(row)

    async def pin(self, action: PinItem) -> Remembered:
        await _terms.one_at_a_time(self.session, self.project)
        row = await self._locked(action.item)
        if action.pinned and not row.pinned:
            pinned = await self.session.scalar(
                select(func.count()).where(*self._here(), col(MemoryItemRow.pinned).is_(True))
            )
            if (pinned or 0) >= _terms.MAX_PINNED:
                raise TooMuch(f"{_terms.MAX_PINNED} items are pinned already", advice="Unpin another item first.")
        row.pinned, row.updated_at, row.decision_id = action.pinned, self.now, self.permit.decision
        await self.session.flush()
        return self._kept(row)

    async def accept(self, action: AcceptItem) -> Remembered:
        """Raises `NotFound` unless it is a proposal still."""
        await _terms.one_at_a_time(self.session, self.project)
        row = await self._locked(action.item, state=ItemState.PROPOSED)
        other, row.state, row.contradicts = row.contradicts, ItemState.LIVE, None
        row.updated_at, row.decision_id = self.now, self.permit.decision
        await self.session.flush()
        if other is not None and action.replace:
            try:
                old = await self._locked(ItemId(other))
            except NotFound:
                return self._kept(row)  # it has gone meanwhile: there is nothing to replace
            await self._supersede(old, row.id)
        return self._kept(row)

    async def decline(self, action: DeclineItem) -> Forgotten:
        """Raises `NotFound` unless it is a proposal still."""
        await _terms.one_at_a_time(self.session, self.project)
        row = await self._locked(action.item, state=ItemState.PROPOSED)
        await self._bury(_terms.declined(row.text_key))
        return await self._erase(row)

    async def forget(self, action: ForgetItem) -> Forgotten:
        await _terms.one_at_a_time(self.session, self.project)
        row = await self._locked(action.item, state=None)
        await self._bury(f"{_terms.forgotten(row.text_key)}{new_id()}")
        return await self._erase(row)

    async def _erase(self, row: MemoryItemRow) -> Forgotten:
        before = await self.session.scalar(select(func.count()).where(*self._here()))
        await self.session.delete(row)  # what it had replaced goes with it, by the foreign key
        await self.session.flush()
        after = await self.session.scalar(select(func.count()).where(*self._here()))
        return Forgotten(items=(before or 0) - (after or 0))

    def _is_agreed(self, label: Label) -> bool:
        by_hand = self.principal.via is Via.PERSON
        return by_hand or self.permit.own_words or self.permit.approved or label.integrity is Integrity.TRUSTED

    def _label(self, action: Remember | ProposeItem, categories: frozenset[str]) -> Label:
        label = _labels.of_item(action.label, permit=self.permit)
        label = replace(label, categories=label.categories | categories)
        if any(each.kind in _OUTSIDE for each in action.sources):  # quoted: whoever quotes, the words are an outsider's
            return replace(label, integrity=Integrity.UNTRUSTED, sources=label.sources | _sources.names(action.sources))
        return label

    async def _must_not_come_back(self, key: bytes) -> None:
        """What a person declined, or forgot since this task began, is not kept on the agent's word."""
        org, begun = self.principal.org, minted_at(self.permit.task)
        forgotten = await gone.last_of(self.session, org, _terms.forgotten(key))
        is_late = forgotten is not None and begun <= forgotten
        is_declined = not self.permit.own_words and await gone.among(self.session, org, [_terms.declined(key)])
        if is_late or is_declined:
            raise Declined

    async def _contradicted(self, kind: str, about: bytes | None, key: bytes) -> UUID | None:
        """The item that says something else about the same thing."""
        if about is None:
            return None
        item = MemoryItemRow
        rows = await self.session.scalars(
            select(item)
            .where(*self._here(), *current(self.now), col(item.subject_key) == about, col(item.kind) == kind)
            .where(col(item.state) == ItemState.LIVE.value, col(item.text_key) != key)
            .order_by(col(item.created_at).desc())
        )
        return next((row.id for row in rows if _labels.may_read(row, self.principal.person)), None)

    async def _twin(self, key: bytes) -> MemoryItemRow | None:
        """The item that says the same. One that is over makes room."""
        row = await self.session.scalar(
            select(MemoryItemRow).where(*self._here(), col(MemoryItemRow.text_key) == key).with_for_update()
        )
        if row is None:
            return None
        if not _labels.may_read(row, self.principal.person):
            raise Conflict("remembered item")
        if is_current(row, self.now):
            return row
        await self.session.delete(row)
        await self.session.flush()
        return None

    async def _added(
        self, action: Remember | ProposeItem, text: str, subject: str, label: Label, *, is_proposal: bool
    ) -> MemoryItemRow:
        await self._must_have_room(is_proposal=is_proposal)
        item = new_id()
        row = MemoryItemRow(
            org_id=self.principal.org,
            id=item,
            project_id=self.project,
            kind=action.kind.value,
            text=self.keyring.seal_text(text, row=item, field=TEXT),
            text_key=self._key(text),
            state=ItemState.PROPOSED.value if is_proposal else ItemState.LIVE.value,
            subject=self.keyring.seal_text(subject, row=item, field=SUBJECT) if subject else None,
            subject_key=self._about(subject),
            confidence=action.confidence,
            valid_from=action.valid_from,
            valid_to=action.valid_to,
            expires_at=action.expires_at,
            created_at=self.now,
            updated_at=self.now,
            decision_id=self.permit.decision,
            **_labels.columns(label, principal=self.principal, permit=self.permit),
        )
        self.session.add(row)
        return row

    async def _must_have_room(self, *, is_proposal: bool) -> None:
        count, of_these = func.count(), func.count().filter(col(MemoryItemRow.state) == ItemState.PROPOSED.value)
        items, proposals = (await self.session.execute(select(count, of_these).where(*self._here()))).one()
        if items >= _terms.MAX_ITEMS:
            raise TooMuch(
                f"{_terms.MAX_ITEMS} items are remembered already", advice="Forget some that are no longer needed."
            )
        if is_proposal and proposals >= _terms.MAX_PROPOSALS:
            raise TooMuch(
                f"{_terms.MAX_PROPOSALS} proposals are waiting already", advice="Accept or decline some of them."
            )

    async def _supersede(self, old: MemoryItemRow, by: UUID) -> None:
        old.superseded_by, old.pinned, old.updated_at, old.decision_id = by, False, self.now, self.permit.decision
        await self.session.flush()

    async def _locked(self, item: ItemId, *, state: ItemState | None = ItemState.LIVE) -> MemoryItemRow:
        row = await self.session.scalar(
            select(MemoryItemRow)
            .where(*self._here(), col(MemoryItemRow.id) == item, *current(self.now))
            .with_for_update()
        )
        is_there = row is not None and _labels.may_read(row, self.principal.person)
        if row is None or not is_there or (state is not None and row.state != state):
            raise NotFound("proposal" if state is ItemState.PROPOSED else "remembered item")
        return row

    async def _bury(self, name: str) -> None:
        await gone.bury(self.session, self.principal.org, [name], at=self.now, decision=self.permit.decision)

    def _touch(self, row: MemoryItemRow, label: Label) -> None:
        row.updated_at, row.decision_id = self.now, self.permit.decision
        for name, value in _labels.columns(label, principal=self.principal, permit=self.permit).items():
            setattr(row, name, value)

    def _here(self) -> tuple[Any, ...]:
        return of(self.principal.org, self.project)

    def _key(self, text: str) -> bytes:
        return self.keyring.commitment(TEXT, self.project.bytes, _words.sameness(text))

    def _about(self, subject: str) -> bytes | None:
        said = _words.sameness(subject)
        return self.keyring.commitment(SUBJECT, self.project.bytes, said) if said else None

    def _kept(self, row: MemoryItemRow, *, existing: bool = False) -> Remembered:
        return Remembered(
            item=ItemId(row.id),
            text=text_of(row, self.keyring),
            kind=row.kind,
            pinned=row.pinned,
            label=_labels.label_of(row),
            existing=existing,
            state=row.state,
            contradicts=None if row.contradicts is None else ItemId(row.contradicts),
            generation=row.generation,
        )
