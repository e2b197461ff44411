"""Puts the proof together: the ways signed heads leave by, each over what only the house may use."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from integrations.broker.guard import Endpoint, Network
from integrations.broker.posting import post, post_address
from integrations.oauth.errors import HostRefused
from joule.assembly.buckets import bucket_client
from joule.database.engine import Database
from joule.identity.deployment import DEPLOYMENT
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId
from joule.kernel.sections import ProofSettings
from joule.vault.vault import Vault
from traces.proof.delivering import BUCKET, WEBHOOK, Carrier, SignedHead
from traces.proof.errors import AddressRefused, DeliveryFailed
from traces.proof.proofs import Proofs, proofs
from traces.proof.signing import Signing


class Webhook:
    """Posts heads to the address an organisation chose, with the keys that check them."""

    def __init__(self, *, network: Network, signing: Signing) -> None:
        self._network, self._signing = network, signing

    async def carry(self, org: OrgId, address: str, heads: Sequence[SignedHead]) -> None:
        """See `Carrier`. Heads may come twice: `number` grows by one from head to head."""
        document = {
            "version": "joule/heads/v1",
            "organisation": str(org),
            "keys": [key.statement for key in await self._signing.keys()],
            "heads": [{"number": head.number, "note": head.note} for head in heads],
        }
        problem = await post(self._network, address, document, headers={"joule-last-head": str(heads[-1].number)})
        if problem:
            raise DeliveryFailed(problem)


class Bucket:
    """Puts heads into the deployment's bucket, one object each; the same name for the same head."""

    def __init__(self, client: Any, *, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    async def carry(self, org: OrgId, address: str, heads: Sequence[SignedHead]) -> None:
        """See `Carrier`. A bucket that keeps objects locked takes them just as well."""
        for head in heads:
            await asyncio.to_thread(self._put, f"joule-heads/{org}/{head.name}", head.note.encode())

    def _put(self, key: str, content: bytes) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped,unused-ignore]

        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType="text/plain; charset=utf-8",
                ChecksumAlgorithm="SHA256",
            )
        except (BotoCoreError, ClientError) as problem:
            raise DeliveryFailed("bucket_refused") from problem


def proving(settings: ProofSettings, *, database: Database, vault: Vault, clock: Clock, network: Network) -> Proofs:
    """The proof of this house. Raises `Misconfigured` for a bucket that would be spoken with in clear."""
    loopback = loopback_of(settings)

    def checked(url: str) -> str:
        try:
            return post_address(url, loopback=loopback)
        except HostRefused as problem:
            raise AddressRefused(f"heads cannot be sent there: {problem.reason}") from problem

    def carriers(signing: Signing) -> Mapping[str, Carrier]:
        ways: dict[str, Carrier] = {WEBHOOK: Webhook(network=network, signing=signing)}
        if settings.bucket is not None:
            client = bucket_client(settings.endpoint, of="signed heads", setting="JOULE_PROOF_ENDPOINT")
            ways[BUCKET] = Bucket(client, bucket=settings.bucket)
        return ways

    return proofs(database=database, vault=vault, clock=clock, scope=DEPLOYMENT, carriers=carriers, checked=checked)


def loopback_of(settings: ProofSettings) -> tuple[Endpoint, ...]:
    """Where on this machine heads may be posted, for trying."""
    return (("127.0.0.1", settings.webhook_port),) if settings.webhook_port else ()
