"""Performs what keeps connected accounts sound."""

from collections.abc import Mapping
from typing import Any

from integrations import pins
from integrations.care import rekeying
from integrations.care.actions import AcceptIssuer, LookAtGrant, NameAccount, RotateKeys
from integrations.care.looking import Looking
from integrations.care.naming import Naming
from integrations.care.results import IssuerAccepted, KeysRotated, Looked, Named
from integrations.catalogue.load import catalogue
from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import Invalid
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit
from joule.vault.vault import Vault

MOST_AT_ONCE = 500


class CareHandler:
    """The only way to change keys, pins and what is known of a grant's life."""

    def __init__(self, *, admission: Admission, vault: Vault, clock: Clock, looking: Looking, naming: Naming) -> None:
        self._admission = admission
        self._vault, self._clock, self._looking, self._naming = vault, clock, looking, naming

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            RotateKeys: self.rotate_keys,
            LookAtGrant: self.look_at_grant,
            NameAccount: self.name_account,
            AcceptIssuer: self.accept_issuer,
        }

    async def rotate_keys(self, permit: Permit, action: RotateKeys, session: WriteSession) -> KeysRotated:
        self._admission.admit(permit, action)
        if action.before > self._clock.now():
            raise Invalid("keys cannot be newer than now", advice="Name a time that has passed.")
        if not 0 < action.batch <= MOST_AT_ONCE:
            raise Invalid("that many rows at once would keep others waiting", advice=f"Choose 1 to {MOST_AT_ONCE}.")
        return await rekeying.rotate(
            session,
            self._vault,
            action.principal.org,
            before=action.before,
            many=action.batch,
            decision=permit.decision,
        )

    async def look_at_grant(self, permit: Permit, action: LookAtGrant) -> Looked:
        self._admission.admit(permit, action)
        return await self._looking.at(action.principal.org, action.grant, decision=permit.decision)

    async def name_account(self, permit: Permit, action: NameAccount) -> Named:
        self._admission.admit(permit, action)
        return await self._naming.of(action.principal.org, action.grant, decision=permit.decision)

    async def accept_issuer(self, permit: Permit, action: AcceptIssuer, session: WriteSession) -> IssuerAccepted:
        self._admission.admit(permit, action)
        provider = catalogue().provider(action.provider).id
        return IssuerAccepted(provider=provider, pins=await pins.forget(session, action.principal.org, provider))
