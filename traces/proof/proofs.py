"""What the rest of the house uses of the proof: who signs, what seals, what checks."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId
from joule.vault.vault import Vault
from traces.proof.bundle import Bundles
from traces.proof.delivering import Carrier, Delivery
from traces.proof.sealing import Sealing
from traces.proof.signing import Signing
from traces.proof.verifying import Checked, verify_organisation


@dataclass(frozen=True, kw_only=True)
class Proofs:
    """One process's hold on the proof."""

    database: Database
    clock: Clock
    signing: Signing
    sealing: Sealing
    bundles: Bundles
    delivery: Delivery

    async def verify(self, org: OrgId) -> AsyncIterator[Checked]:
        """See `verify_organisation`: says how far it has come, ends with one that is `done`."""
        async for checked in verify_organisation(self.database, self.clock, org, keys=await self.signing.keys()):
            yield checked

    async def state(self, org: OrgId, kind: str, body: dict[str, object]) -> str:
        """A signed statement about `org`, as a note: see `Signer.state`."""
        return (await self.signing.signer()).state(org, kind, body)


def proofs(
    *,
    database: Database,
    vault: Vault,
    clock: Clock,
    scope: OrgId,
    carriers: Callable[[Signing], Mapping[str, Carrier]],
    checked: Callable[[str], str],
) -> Proofs:
    """`scope` is the deployment's own organisation, under which the signing key is kept. The rest: see `Delivery`."""
    signing = Signing(database=database, vault=vault, clock=clock, scope=scope)
    sealing = Sealing(database=database, clock=clock, signing=signing)
    bundles = Bundles(database=database, vault=vault, clock=clock, signing=signing, sealing=sealing)
    delivery = Delivery(database=database, vault=vault, clock=clock, carriers=carriers(signing), checked=checked)
    return Proofs(database=database, clock=clock, signing=signing, sealing=sealing, bundles=bundles, delivery=delivery)
