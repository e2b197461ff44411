"""What the pages of integrations show: plain values, every choice made already."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class ProviderLine:
    """One provider in the catalogue. `standing` is empty while nothing is to be said about it."""

    href: str
    title: str
    what_it_is: str
    worst: str
    standing: str
    tone: str
    is_demo: bool


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A group of providers under its title."""

    title: str
    providers: tuple[ProviderLine, ...]


@dataclass(frozen=True, kw_only=True)
class ScopeLine:
    """One permission as it can be chosen. `by_joule`: the provider has no such limit, only Joule keeps it."""

    id: str
    name: str
    words: str
    ticked: bool
    always: bool
    by_joule: bool
    allowed: bool


@dataclass(frozen=True, kw_only=True)
class Ability:
    """What Joule could do with some of the permissions, from reading to spending."""

    key: str
    title: str
    words: str
    tone: str
    scopes: tuple[ScopeLine, ...]


@dataclass(frozen=True, kw_only=True)
class Known:
    """A fact about a provider. `unverified`: it was not seen in a source."""

    name: str
    value: str
    href: str = ""
    link: str = ""
    unverified: bool = False


@dataclass(frozen=True, kw_only=True)
class OperationLine:
    """One thing the agent may be asked for. `needs` names what is lacking; empty when it can be used."""

    title: str
    words: str
    kind: str
    tone: str
    needs: str = ""
    unverified: bool = False


@dataclass(frozen=True, kw_only=True)
class ClientForm:
    """The app registered at the provider, as far as it may be shown: the secret never is."""

    source: str  # organisation, deployment, builtin or empty when there is none
    client_id: str
    redirect_uri: str
    registers_at: str
    registers_words: str
    wants_secret: bool
    wants_key: bool = False
    extras: tuple[tuple[str, str], ...] = ()  # name, words of a further secret

    @property
    def is_there(self) -> bool:
        """Whether an account can be connected at all."""
        return bool(self.source)


@dataclass(frozen=True, kw_only=True)
class ConnectionLine:
    """One connected account in a list."""

    href: str
    provider: str
    account: str
    by: str
    used_at: datetime | None
    health: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class MembersLine:
    """One answer to how far members may give permissions themselves."""

    value: str
    words: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class ProviderPage:
    """All that is said about one provider, and the forms."""

    href: str
    title: str
    what_it_is: str
    is_demo: bool
    is_allowed: bool
    only_listed: bool
    could: tuple[Ability, ...]
    abilities: tuple[Ability, ...]
    permitted: tuple[Ability, ...]
    mode: str  # read or more
    members: tuple[MembersLine, ...]
    splits: bool
    facts: tuple[Known, ...]
    notes: tuple[str, ...]
    unverified: tuple[str, ...]
    operations: tuple[OperationLine, ...]
    connections: tuple[ConnectionLine, ...]
    client: ClientForm
    tenant_words: str = ""
    tenant: str = ""
    demo_address: str = ""
    hidden: tuple[tuple[str, str], ...] = ()  # what the form carries along unseen


@dataclass(frozen=True, kw_only=True)
class GrantedScope:
    """A permission of a connection: asked for, given, or both."""

    name: str
    words: str
    standing: str
    tone: str


@dataclass(frozen=True, kw_only=True)
class TokenLine:
    """What became of one token at the provider."""

    token: str
    outcome: str
    tone: str
    words: str


@dataclass(frozen=True, kw_only=True)
class ConnectionPage:
    """One connected account, or what is left of it."""

    href: str
    provider: str
    provider_href: str
    account: str
    health: str
    tone: str
    advice: str
    is_over: bool
    facts: tuple[Known, ...]
    scopes: tuple[GrantedScope, ...]
    difference: str
    operations: tuple[OperationLine, ...]
    more_href: str = ""
    tokens: tuple[TokenLine, ...] = ()
    is_telling: bool = False
    told: str = ""
    settings_url: str = ""
    settings_words: str = ""
    receipt: str = ""  # what its button says; empty while there is none
    receipt_words: str = ""
    unnamed: str = ""
    mend: str = ""  # where the advice leads; empty when it leads nowhere


@dataclass(frozen=True, kw_only=True)
class SyncedLine:
    """One thing that came from an account and is kept here."""

    kind: str
    words: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class RevokePage:
    """What stops when an account is disconnected, before it is."""

    href: str
    provider: str
    account: str
    stops: tuple[str, ...]
    shared_with: tuple[str, ...]
    synced: str
    things: tuple["SyncedLine", ...]
    more_things: str
    can_be_told: bool
    at_provider: str
    settings_url: str
    settings_words: str


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why the answer of a provider was not taken, and what to do now."""

    title: str
    words: str
    advice: str


@dataclass(frozen=True, kw_only=True)
class HealthLine:
    """One connection as support sees it: no account, no scope, no token."""

    id: str
    provider: str
    health: str
    tone: str
    advice: str
    used_at: datetime | None
    expires_at: datetime | None
