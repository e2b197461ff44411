"""Calls operations: checks what the catalogue, the organisation and the consent say, then lets the broker do it.

Checked where the token is used, not where the call was planned: the broker checks once more, under the very consent this
was checked under, when it takes the token.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from integrations import glance
from integrations.actions import CallOperation, DescribeConnections, kind_of
from integrations.broker.broker import Broker
from integrations.broker.calls import Account
from integrations.broker.connectors import Connector
from integrations.catalogue import implied
from integrations.catalogue.arguments import checked
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Operation, Provider
from integrations.clients import Clients
from integrations.errors import (
    ArgumentsRefused,
    NotAllowedHere,
    OperationUnknown,
    ReadOnlyConnection,
    ScopeMissing,
)
from integrations.glance import AtHand
from integrations.grants import Usable
from integrations.oauth.secret import Secret
from integrations.queries import ConnectionView, connections
from integrations.results import Answer, Connections, OfferedConnection
from integrations.rules import Rule, rule_of
from integrations.tables import ConnectionRow
from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.ids import DecisionId, OrgId
from joule.kernel.label import Integrity, Label
from joule.vault.vault import Vault

NOTED_AT_MOST_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Calling:
    """What an agent may ask of connected accounts."""

    database: Database
    vault: Vault
    clock: Clock
    clients: Clients
    broker: Broker
    connectors: Mapping[str, Connector]  # by provider, for those whose operations need code

    async def call(self, action: CallOperation, *, decision: DecisionId) -> Answer:
        """What the provider answers. Raises one of this room's errors before, and whatever the broker raises."""
        org, shelf = action.principal.org, catalogue()
        provider, operation = shelf.provider(action.provider), shelf.operation(action.provider, action.operation)
        if kind_of(operation) is not type(action):
            raise OperationUnknown()
        arguments = checked(operation, _object(action.inputs))
        there = await glance.look(self.database, self.vault, org, action.connection)
        found = there.usable
        _check(found, provider, operation, there.rule)
        extra = await self._further(org, provider)
        account = Account(org=org, connection=found.connection, epoch=found.epoch, extra=extra)
        # Before it: nothing may fail once something was sent. What took time has the broker look again.
        noted = await self._note_use(org, there, decision)
        held = None if noted or provider.extra_secrets else found
        code = self.connectors.get(provider.id)
        reply = await self.broker.call(
            account, provider, operation, arguments, decision=decision, connector=code, held=held
        )
        return Answer(data=reply.data, status=reply.status, next_page=reply.next_page, label=reply.label, cut=reply.cut)

    async def describe(self, action: DescribeConnections) -> Connections:
        """The accounts that work, and what may be asked of each under the organisation's rules."""
        org = action.principal.org
        async with self.database.read(org) as session:
            views = [view for view in await connections(session, self.vault, org) if _works(view)]
            rules = {each: await rule_of(session, org, each) for each in {view.provider for view in views}}
        offered = [_offered(view, rules[view.provider]) for view in views if rules[view.provider].allowed]
        return Connections(
            connections=tuple(each for each in offered if each is not None),
            catalogue_version=catalogue().version,
            label=Label(
                integrity=Integrity.TRUSTED if not offered else Integrity.UNTRUSTED,  # account names are the provider's
                sources=frozenset(f"connection:{view.connection}" for view in views),
            ),
        )

    async def _further(self, org: OrgId, provider: Provider) -> Mapping[str, Secret]:
        if not provider.extra_secrets:
            return {}
        async with self.database.read(org) as session:
            return await self.clients.further(session, org, provider.id)

    async def _note_use(self, org: OrgId, there: AtHand, decision: DecisionId) -> bool:
        """Write down that the account is used; whether there was anything to write."""
        now = self.clock.now()
        if there.used_at is not None and now - there.used_at < NOTED_AT_MOST_EVERY:
            return False
        async with self.database.write(org) as session:
            row = await session.get(ConnectionRow, (org, there.usable.connection))
            if row is not None:
                row.used_at, row.decision_id = now, decision
        return True


def _object(inputs: str) -> Mapping[str, Any]:
    try:
        given = json.loads(inputs)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ArgumentsRefused("", "they are not one JSON object")
    return given


def _check(found: Usable, provider: Provider, operation: Operation, rule: Rule) -> None:
    if found.provider != provider.id:
        raise OperationUnknown()
    if not rule.allowed:
        raise NotAllowedHere(provider.title)
    permitted = rule.permitted(provider)
    if not implied.satisfied(provider, operation, permitted):
        raise NotAllowedHere(provider.title)
    if not implied.satisfied(provider, operation, found.granted):
        lacks = _lacking(provider, operation, found.granted, permitted)
        raise ScopeMissing(provider.id, lacks, connection=str(found.connection), title=provider.title)
    if found.read_only and operation.effect != "read":
        raise ReadOnlyConnection(provider.title)
    if not implied.satisfied(provider, operation, implied.closure(provider, found.granted) & permitted):
        raise NotAllowedHere(provider.title)


def _lacking(
    provider: Provider, operation: Operation, granted: tuple[str, ...], permitted: frozenset[str]
) -> tuple[str, ...]:
    """The smallest thing to ask for among what the organisation permits."""
    held = implied.closure(provider, granted)
    ways = [tuple(name for name in way if name not in held) for way in operation.any_of if permitted.issuperset(way)]
    return min(ways, key=lambda names: (max(provider.scopes[name].risk.rank for name in names), len(names)))


def _works(view: ConnectionView) -> bool:
    return view.status in {"active", "refresh_unknown"} and view.provider in catalogue().providers


def _offered(view: ConnectionView, rule: Rule) -> OfferedConnection | None:
    provider = catalogue().provider(view.provider)
    permitted = rule.permitted(provider)
    now: list[str] = []
    later: list[str] = []
    for operation in provider.operations.values():
        if not implied.satisfied(provider, operation, permitted):
            continue
        within = implied.closure(provider, view.granted) & permitted
        if not implied.satisfied(provider, operation, within):
            later.append(operation.id)  # also for one that is read only: whoever gives the permission says so anew
        elif operation.effect == "read" or not view.read_only:
            now.append(operation.id)
    return OfferedConnection(
        connection=view.connection,
        provider=provider.id,
        title=f"{provider.title}: {view.account}" if view.account else provider.title,
        read_only=view.read_only,
        epoch=view.epoch,
        operations=tuple(now),
        with_more_permission=tuple(later),
    )
