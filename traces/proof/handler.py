"""The only way in to the proof's effects: bundles leave under a permit, keys are replaced and heads are sent under one."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretBytes

from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.errors import NotFound
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit
from traces.proof.actions import ChooseDelivery, DeliverHeads, ExportContent, ExportRecord, RotateSigningKey
from traces.proof.bundle import Bundles, Form
from traces.proof.delivering import Delivery
from traces.proof.results import Bundle, Delivered, DeliveryChosen, KeyRotated
from traces.proof.signing import Signing


class ProofHandler:
    """Exports, rotates and delivers."""

    def __init__(self, *, admission: Admission, bundles: Bundles, signing: Signing, delivery: Delivery) -> None:
        self._admission = admission
        self._bundles, self._signing, self._delivery = bundles, signing, delivery

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            ExportRecord: self.export_record,
            ExportContent: self.export_content,
            RotateSigningKey: self.rotate_signing_key,
            ChooseDelivery: self.choose_delivery,
            DeliverHeads: self.deliver_heads,
        }

    async def export_record(self, permit: Permit, action: ExportRecord) -> Bundle:
        self._admission.admit(permit, action)
        return await self._bundle(action, Form.SEALED if action.sealed else Form.REDACTED)

    async def export_content(self, permit: Permit, action: ExportContent) -> Bundle:
        self._admission.admit(permit, action)
        return await self._bundle(action, Form.CONTENT)

    async def rotate_signing_key(self, permit: Permit, action: RotateSigningKey, session: WriteSession) -> KeyRotated:
        self._admission.admit(permit, action)
        if action.principal.org != self._signing.scope:
            raise NotFound("signing key")  # it belongs to the deployment, not to an organisation
        key = await self._signing.rotate(session)
        return KeyRotated(ordinal=key.ordinal, public_key=key.line)

    async def choose_delivery(self, permit: Permit, action: ChooseDelivery, session: WriteSession) -> DeliveryChosen:
        self._admission.admit(permit, action)
        on = await self._delivery.choose(session, action.principal.org, action.url, decision=permit.decision)
        return DeliveryChosen(on=on)

    async def deliver_heads(self, permit: Permit, action: DeliverHeads) -> Delivered:
        self._admission.admit(permit, action)
        return await self._delivery.deliver(action.principal.org, action.sink, decision=permit.decision)

    async def _bundle(self, action: ExportRecord | ExportContent, form: Form) -> Bundle:
        built = await self._bundles.build(action.principal.org, action.task, form)
        return Bundle(
            task=action.task,
            file_name=built.file_name,
            rows=built.rows,
            size=len(built.content),
            sha256=built.sha256,
            content=SecretBytes(built.content),
        )
