"""What reaching out, and choosing what may be reached, give back. No path, header, body or secret."""

from dataclasses import dataclass, field
from uuid import UUID

from pydantic import SecretStr

from joule.kernel.label import Label


class Secret(SecretStr):
    """Text nobody may read by accident: shown, dumped and journalled as stars."""

    def __len__(self) -> int:
        return 10  # the stars


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A host answered. `with_secret`: the proxy attached one; what came back holds it no more."""

    status: int
    sent: int  # bytes of data
    received: int
    with_secret: bool
    label: Label


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What goes back into the sandbox; no result of an action, so that no journal holds it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class HostListed:
    """A host that code may reach from now on."""

    host: UUID


@dataclass(frozen=True, kw_only=True)
class HostUnlisted:
    """A host that code may not reach any more: requests under way are answered, none is sent after this."""

    host: UUID
