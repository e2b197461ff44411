"""Signed notes, as C2SP signed-note has them: a text, an empty line, and a line for each signature.

Pure. Checking notes is done by `traces.verify`, the file that is handed to others.
"""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, date, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from joule.kernel.ids import OrgId
from traces.proof.merkle import EMPTY
from traces.records import canonical

_ED25519 = b"\x01"  # the kind of signature, in key ids and in public keys


@dataclass(frozen=True, kw_only=True)
class Position:
    """A tree at one size."""

    origin: str
    size: int = 0
    root: bytes = EMPTY

    def words(self) -> str:
        return f"{self.size} {b64encode(self.root).decode()}"


def name_of(installation: str) -> str:
    """What an installation signs as."""
    return f"joule/{installation}"


def installation_of(first_public: bytes) -> str:
    """The name of an installation: 32 hexadecimal digits made from its first key, so that the name vouches for the key."""
    return hashlib.sha256(first_public).hexdigest()[:32]


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes that say which key made a signature."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def public_line(name: str, public: bytes) -> str:
    """A public key as people keep it: `name+id+key`."""
    return f"{name}+{key_id(name, public).hex()}+{b64encode(_ED25519 + public).decode()}"


def signed(text: str, *signers: tuple[str, Ed25519PrivateKey]) -> str:
    """`text` (which ends with a line end) with the signature of each (name, key)."""
    lines = []
    for name, key in signers:
        public = key.public_key().public_bytes_raw()
        lines.append(f"\u2014 {name} {b64encode(key_id(name, public) + key.sign(text.encode())).decode()}\n")
    return f"{text}\n{''.join(lines)}"


def origin_of(installation: str, org: OrgId, retention: str, day: date) -> str:
    """The name of one tree."""
    return f"{name_of(installation)}/{org}/{retention}/{day.isoformat()}"


def head_text(tree: Position, *, at: datetime, previous: Position, before: Position | None) -> str:
    """What a head says: its tree, when, the head before it in this tree, and the last head of the tree before this one.

    So a head somebody keeps vouches for its whole day up to there, and for all days before it.
    """
    behind = "-" if before is None else f"{before.origin} {before.words()}"
    return (
        f"{tree.origin}\n{tree.size}\n{b64encode(tree.root).decode()}\n"
        f"time {time_of(at)}\nprevious {previous.words()}\nbefore {behind}\n"
    )


def key_text(installation: str, ordinal: int, public: bytes, previous: bytes | None, *, at: datetime) -> str:
    """What says that a key is the next one of an installation. The key and the one before it both sign it."""
    former = "-" if previous is None else b64encode(previous).decode()
    return (
        f"{name_of(installation)}/key\n{ordinal}\n{b64encode(public).decode()}\nprevious {former}\ntime {time_of(at)}\n"
    )


def statement_text(installation: str, org: OrgId, kind: str, body: dict[str, object]) -> str:
    """What says something else, such as that keys were destroyed. `body`: ids, times, numbers and closed words."""
    return f"{name_of(installation)}/{org}/statement/{kind}\n{canonical(body).decode()}\n"


def seal_of(*, org: OrgId, task: str, retention: str, rows: int, head: bytes, at: datetime) -> bytes:
    """The bytes of one leaf: how far a task's chain had come at `at`."""
    return canonical(
        {
            "v": 1,
            "org": str(org),
            "task": task,
            "retention": retention,
            "n": rows,
            "head": head.hex(),
            "at": time_of(at),
        }
    )


def time_of(at: datetime) -> str:
    """An instant as signed bytes have it: UTC, microseconds, a Z."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
