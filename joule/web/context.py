"""What the pages work with: the parts of the house they need, declared here, and what the web itself has made."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from joule.database.engine import Database
from joule.governance.policy import Policy
from joule.identity.addresses import Addresses
from joule.identity.lifetimes import Lifetimes
from joule.identity.queries import Visitors
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.ids import OrgId
from joule.kernel.settings import Settings
from joule.privacy.parts import Rooms
from joule.vault.vault import Vault
from joule.web.guards import Address
from joule.web.markdown import Renderer
from joule.web.rendering import Templates
from memory.knowledge.reading.glance import Glancer
from sandbox.artifacts.store import Store
from sandbox.choosing import Backends
from traces.proof.signing import PublicKey
from traces.proof.verifying import Checked

R = TypeVar("R")


class Performs(Protocol):
    """Does what a person asks for, through the gate."""

    async def perform(self, action: Action[R]) -> R:
        """Raises what the gate or the action raises."""
        ...


class Sandboxes(Protocol):
    """Where what came out of sandboxes lies, and the kinds of them."""

    @property
    def store(self) -> Store: ...
    @property
    def backends(self) -> Backends: ...


class Keys(Protocol):
    """The public keys of this installation."""

    async def keys(self) -> tuple[PublicKey, ...]:
        """Oldest first; empty before anything was signed."""
        ...


class Proves(Protocol):
    """Checks an organisation's whole record, and says which keys do."""

    @property
    def signing(self) -> Keys: ...

    def verify(self, org: OrgId) -> AsyncIterator[Checked]:
        """Says how far it has come; the last word is `done`."""
        ...


class House(Protocol):
    """The house as its pages see it."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def database(self) -> Database: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def commands(self) -> Performs: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def reasons(self) -> Mapping[str, str]: ...
    @property
    def sandboxes(self) -> Sandboxes: ...
    @property
    def proofs(self) -> Proves: ...
    @property
    def rooms(self) -> Rooms: ...


@dataclass(frozen=True, kw_only=True)
class Web:
    """What every page may use."""

    house: House
    templates: Templates
    markdown: Renderer
    address: Address
    visitors: Visitors
    addresses: Addresses
    glancer: Glancer
    own_apps: frozenset[str] = frozenset()  # providers at which the deployment has an app of its own

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return self.house.settings

    @property
    def lifetimes(self) -> Lifetimes:
        """How long people stay signed in."""
        return Lifetimes.of(self.house.settings.web)
