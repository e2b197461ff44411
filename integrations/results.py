"""What the actions of this room give back. A `Secret` shows, dumps and journals as stars; nothing here holds a token."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr

from joule.kernel.label import Label


class Secret(SecretStr):
    """Text nobody may read by accident. `get_secret_value` gives it."""

    def __len__(self) -> int:
        return 10  # the stars


@dataclass(frozen=True, kw_only=True)
class ExtraSecretGiven:
    """A secret that every call to a provider carries besides the token, by its name in the catalogue."""

    name: str
    value: Secret


@dataclass(frozen=True, kw_only=True)
class ClientSet:
    """Joule is now known at the provider as asked. `client` None: nothing is set any more."""

    provider: str
    client: UUID | None


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """What the organisation allows of the provider is now as asked."""

    provider: str


@dataclass(frozen=True, kw_only=True)
class AllowListSet:
    """What holds now, and the providers that are allowed by name."""

    only_listed: bool
    providers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ConsentPage:
    """Where to send the browser. `url` holds the state: it goes to this one browser and nowhere else."""

    url: Secret
    state: Secret
    provider: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Connected:
    """A consent that worked. `missing` was asked for and not given; `task` is the run that waited for it."""

    connection: UUID
    grant: UUID
    connections: tuple[UUID, ...]
    provider: str
    granted: tuple[str, ...]
    missing: tuple[str, ...]
    return_to: str | None = None
    task: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Synced:
    """How much is kept here that came through a connection."""

    files: int = 0
    items: int = 0
    documents: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.files + self.items + self.documents


@dataclass(frozen=True, kw_only=True)
class SyncedThing:
    """One thing that came through a connection: what it is, and since when it is here. No name."""

    kind: str
    id: UUID
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Revoked:
    """A connection that is dead for every worker. `revocation` None: siblings keep the grant, so the provider is not told.

    `siblings` are the connections that share the consent: those that ended with it, or those that go on through it.
    """

    connection: UUID
    grant: UUID
    provider: str
    revoked_at: datetime
    revocation: UUID | None
    siblings: tuple[UUID, ...] = ()
    found: Synced = field(default_factory=Synced)
    deleted: Synced = field(default_factory=Synced)


@dataclass(frozen=True, kw_only=True)
class TokenEnd:
    """What became of one token at the provider: revoked, already_dead, unsupported, failed, or waiting; and a word why."""

    token: str
    outcome: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class ProviderTold:
    """How far telling the provider has come. `state`: pending (tried again later), done, or gave_up."""

    revocation: UUID
    state: str
    tokens: tuple[TokenEnd, ...]


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """A grant after it was looked at. `changed`: its tokens are new."""

    grant: UUID
    generation: int
    changed: bool


@dataclass(frozen=True, kw_only=True)
class OfferedConnection:
    """One connected account: what may be asked of it now, and what it would need another permission for."""

    connection: UUID
    provider: str
    title: str
    read_only: bool
    epoch: int
    operations: tuple[str, ...]
    with_more_permission: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Connections:
    """The organisation's connected accounts that work."""

    connections: tuple[OfferedConnection, ...]
    catalogue_version: str
    label: Label


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the provider said, cut down to the fields the operation keeps, as JSON text. Data, never instructions.

    `cut`: some of those fields were too long to be kept whole.
    """

    data: str
    status: int
    label: Label
    next_page: str | None = None
    cut: bool = False
