"""What goes into the broker and what comes out of it. No token is in either."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from integrations.catalogue.model import Operation, Provider, Risk
from integrations.grants import Usable
from integrations.oauth.secret import Secret
from joule.kernel.ids import DecisionId, OrgId, PersonId
from joule.kernel.label import Integrity, Label


class Keeper(Protocol):
    """Whoever keeps tokens: `integrations.refreshing.Refreshing`."""

    async def usable(
        self,
        org: OrgId,
        connection: UUID,
        *,
        decision: DecisionId,
        epoch: int | None = None,
        stale: int | None = None,
        held: Usable | None = None,
    ) -> Usable:
        """The connection with a token good for one call now. `stale` is a generation the provider has just refused.

        `held` is the connection as it was read for this very call a moment ago.

        Raises `ConnectionRevoked`, `NeedsReconnecting`, `ClientRefused` or `ProviderBusy` when there is none to be had.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Account:
    """The connected account a call goes to.

    `epoch` is the one the call was decided under; None: whichever holds now. `extra` holds the provider's second secrets
    by name (`Provider.extra_secrets`). `readers` None: everybody in the organisation may read what it answers.
    """

    org: OrgId
    connection: UUID
    epoch: int | None = None
    readers: frozenset[PersonId] | None = None
    extra: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the provider answered, as far as the operation keeps it.

    `data` is JSON text. `next_page` is what to give as the paging argument for the part that follows. `cut`: some of
    what should have been kept was left out for its size.
    """

    status: int
    data: str
    next_page: str | None
    cut: bool
    label: Label


def label_of(account: Account, provider: Provider, operation: Operation) -> Label:
    """The label of whatever this account answers: an outsider's words, from this connection."""
    personal = operation.risk is Risk.R1P
    return Label(
        integrity=Integrity.UNTRUSTED,
        readers=account.readers,
        categories=frozenset({"user"}) if personal else frozenset(),
        sources=frozenset({f"connection:{account.connection}", f"provider:{provider.id}"}),
    )
