"""What comes of exporting, rotating and delivering."""

from dataclasses import dataclass

from pydantic import SecretBytes

from joule.kernel.ids import TaskId


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle. `content` is the zip file itself; the journal keeps its size and hash, never the bytes."""

    task: TaskId
    file_name: str
    rows: int
    size: int
    sha256: str
    content: SecretBytes


@dataclass(frozen=True, kw_only=True)
class KeyRotated:
    """The public key that signs from now on, as an auditor keeps it."""

    ordinal: int
    public_key: str


@dataclass(frozen=True, kw_only=True)
class DeliveryChosen:
    """Whether heads are sent somewhere now."""

    on: bool


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """How many heads went out, and whether more are waiting."""

    heads: int
    more: bool
