"""Performs what can be done with connected accounts."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from integrations import _allowing, _registering, stepping
from integrations._calling import Calling
from integrations._consenting import Consenting
from integrations._late import Late
from integrations._wanting import Wanting
from integrations.actions import (
    BeginConnection,
    BeginStepUp,
    DescribeConnections,
    DraftAtProvider,
    FinishConnection,
    ReadFromProvider,
    RefreshGrant,
    RevokeConnection,
    SendToProvider,
    SetAllowList,
    SetProviderClient,
    SetProviderRule,
    SpendAtProvider,
    TellProvider,
)
from integrations.broker.broker import Broker
from integrations.broker.connectors import Connector
from integrations.clients import Clients
from integrations.endpoints import ProviderEndpoints
from integrations.refreshing import Refreshing
from integrations.results import (
    AllowListSet,
    Answer,
    ClientSet,
    Connected,
    Connections,
    ConsentPage,
    ProviderTold,
    Refreshed,
    Revoked,
    RuleSet,
)
from integrations.revoking import Revoking, SyncedContent
from integrations.stepping import Questions
from joule.database.engine import Database, WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit
from joule.vault.vault import Vault


class IntegrationsHandler:
    """The only way to connect, use and disconnect accounts."""

    def __init__(
        self,
        *,
        admission: Admission,
        database: Database,
        vault: Vault,
        clock: Clock,
        clients: Clients,
        endpoints: ProviderEndpoints,
        refreshing: Refreshing,
        broker: Broker,
        synced: SyncedContent,
        connectors: Mapping[str, Connector] = MappingProxyType({}),
        questions: Questions,
        demo_host: str | None = None,
    ) -> None:
        self._admission = admission
        self._database, self._vault, self._clock = database, vault, clock
        self._questions = questions
        self._refreshing = refreshing
        late = Late(database=database, vault=vault, clock=clock)
        self._consenting = Consenting(
            database=database,
            vault=vault,
            clock=clock,
            endpoints=endpoints,
            late=late,
            wanting=Wanting(vault=vault, demo_host=demo_host),
            questions=questions,
        )
        self._revoking = Revoking(
            database=database, vault=vault, clock=clock, endpoints=endpoints, synced=synced, waiting=questions
        )
        self._calling = Calling(
            database=database, vault=vault, clock=clock, clients=clients, broker=broker, connectors=connectors
        )

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            SetProviderClient: self.set_provider_client,
            SetProviderRule: self.set_provider_rule,
            SetAllowList: self.set_allow_list,
            BeginConnection: self.begin_connection,
            BeginStepUp: self.begin_step_up,
            FinishConnection: self.finish_connection,
            RevokeConnection: self.revoke_connection,
            TellProvider: self.tell_provider,
            RefreshGrant: self.refresh_grant,
            DescribeConnections: self.describe_connections,
            ReadFromProvider: self.read_from_provider,
            DraftAtProvider: self.draft_at_provider,
            SendToProvider: self.send_to_provider,
            SpendAtProvider: self.spend_at_provider,
        }

    async def set_provider_client(self, permit: Permit, action: SetProviderClient, session: WriteSession) -> ClientSet:
        self._admission.admit(permit, action)
        ring = await self._vault.keyring(session, action.principal.org)
        return await _registering.set_client(session, ring, action, decision=permit.decision, now=self._clock.now())

    async def set_provider_rule(self, permit: Permit, action: SetProviderRule, session: WriteSession) -> RuleSet:
        self._admission.admit(permit, action)
        return await _allowing.set_rule(session, action, decision=permit.decision, now=self._clock.now())

    async def set_allow_list(self, permit: Permit, action: SetAllowList, session: WriteSession) -> AllowListSet:
        self._admission.admit(permit, action)
        return await _allowing.set_list(session, action, decision=permit.decision, now=self._clock.now())

    async def begin_connection(self, permit: Permit, action: BeginConnection) -> ConsentPage:
        self._admission.admit(permit, action)
        return await self._consenting.begin(action, decision=permit.decision)

    async def begin_step_up(self, permit: Permit, action: BeginStepUp) -> ConsentPage:
        self._admission.admit(permit, action)
        async with self._database.read(action.principal.org) as session:
            lacking = await self._questions.lacking(session, action.principal.org, action.question)
            wish = await stepping.wish(session, self._vault, action, lacking)
        return await self._consenting.begin(wish, decision=permit.decision)

    async def finish_connection(self, permit: Permit, action: FinishConnection) -> Connected:
        self._admission.admit(permit, action)
        return await self._consenting.finish(action, decision=permit.decision)

    async def revoke_connection(self, permit: Permit, action: RevokeConnection, session: WriteSession) -> Revoked:
        self._admission.admit(permit, action)
        return await self._revoking.revoke(session, action, permit=permit)

    async def tell_provider(self, permit: Permit, action: TellProvider) -> ProviderTold:
        self._admission.admit(permit, action)
        return await self._revoking.tell(action, decision=permit.decision, task=permit.task)

    async def refresh_grant(self, permit: Permit, action: RefreshGrant) -> Refreshed:
        self._admission.admit(permit, action)
        return await self._refreshing.ahead(action.principal.org, action.grant, decision=permit.decision)

    async def describe_connections(self, permit: Permit, action: DescribeConnections) -> Connections:
        self._admission.admit(permit, action)
        return await self._calling.describe(action)

    async def read_from_provider(self, permit: Permit, action: ReadFromProvider) -> Answer:
        self._admission.admit(permit, action)
        return await self._calling.call(action, decision=permit.decision)

    async def draft_at_provider(self, permit: Permit, action: DraftAtProvider) -> Answer:
        self._admission.admit(permit, action)
        return await self._calling.call(action, decision=permit.decision)

    async def send_to_provider(self, permit: Permit, action: SendToProvider) -> Answer:
        self._admission.admit(permit, action)
        return await self._calling.call(action, decision=permit.decision)

    async def spend_at_provider(self, permit: Permit, action: SpendAtProvider) -> Answer:
        self._admission.admit(permit, action)
        return await self._calling.call(action, decision=permit.decision)
