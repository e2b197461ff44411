"""The format of a journal row: a canonical head in clear, content sealed apart, each row chained to the one before.

A head cannot hold free text: each attribute has a declared shape (closed word, id, number, hash), and anything else is
refused. The bytes of the head are RFC 8785 canonical JSON, stored exactly as they were hashed; the hash of a row is the
RFC 9162 leaf hash, so that the rows of many tasks can stand in one Merkle tree.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson

from joule.kernel.ids import OrgId, TaskId
from traces.errors import HeadRefused

VERSION: Final = 1
GENESIS: Final = bytes(32)


class Kind(StrEnum):
    """What a row says happened."""

    TASK_STARTED = "task.started"
    TASK_RESUMED = "task.resumed"
    TASK_PAUSED = "task.paused"
    TASK_ENDED = "task.ended"
    INTENT = "action.intent"
    RESULT = "action.result"
    PERFORMED = "action.performed"  # INTENT and RESULT of a read or model call, written at once: see `traces.pairing`
    FAILED = "action.failed"
    REFUSED = "action.refused"
    ASKED = "approval.asked"
    GIVEN = "approval.given"
    DECLINED = "approval.declined"
    TEXT = "text.delta"


_WORD = re.compile(r"[a-z][a-z0-9_.:/#+-]{0,63}")  # closed vocabularies: action names, codes, enums, policy ids
_HEX = re.compile(r"[0-9a-f]{16,128}")


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and _reads_as_word(value)


@lru_cache(maxsize=4096)  # the words are few and come in every row
def _reads_as_word(value: str) -> bool:
    return _WORD.fullmatch(value) is not None


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _is_id(value: Any) -> bool:
    try:
        return bool(str(UUID(value)) == value)
    except (ValueError, TypeError, AttributeError):
        return False


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 64 and all(map(_is_word, value))


def _are_facts(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_word(name) and (isinstance(fact, bool) or _is_word(fact) or _is_count(fact) or _is_id(fact))
        for name, fact in value.items()
    )


ATTRIBUTES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "about_task": _is_id,  # another task: the one whose content was asked for, granted or read
    "access": _is_id,  # the request or grant
    "action": _is_word,
    "approval_id": _is_id,
    "artifact_bytes": _is_count,
    "artifacts": _is_count,
    "attempt": _is_count,
    "binding": _is_hash,  # keyed commitment to what was asked
    "boundary": _is_word,  # what stood between code and the machine
    "bundle": _is_hash,  # digest of the policies that decided
    "code": _is_word,
    "code_version": _is_word,
    "decision": _is_word,
    "decision_id": _is_id,
    "duration_us": _is_count,
    "effect": _is_word,
    "exit_code": _is_count,
    "facts": _are_facts,
    "facts_schema": _is_count,
    "fresh": _is_count,  # 1: the sandbox was made for this run
    "graph": _is_hash,
    "input_tokens": _is_count,
    "integrity": _is_word,
    "killed_by": _is_word,
    "model": _is_word,  # as the deployment names it
    "outcome": _is_word,
    "output_tokens": _is_count,
    "parts": _is_word,  # of a task's content, joined by +
    "person": _is_id,
    "policies": _are_words,
    "of_task": _is_id,  # whose code asked for this
    "project": _is_id,
    "prompt": _is_hash,
    "provider": _is_word,
    "received_bytes": _is_count,
    "refused_files": _is_count,
    "sent_bytes": _is_count,
    "session": _is_id,
    "spend_micros": _is_count,
    "status": _is_count,  # of a host's answer
    "task_kind": _is_word,
    "thread": _is_id,
    "tool": _is_word,
    "tools": _is_hash,
    "trial": _is_word,  # what policies on trial would have decided, where that is something else
    "trial_policies": _are_words,
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one row says, whatever its place in the chain. `content` is JSON data by field; it will be sealed.

    What may stand in a head is checked here, so that a row nobody may write stops the effect it stands for.
    """

    kind: Kind
    at: datetime
    call: str | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `HeadRefused` when an attribute or the call key is not of its declared shape."""
        check_attributes(self.attrs)
        if self.call is not None and not _is_word(self.call):
            raise HeadRefused("a call key is made of words and numbers")


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row in its place: what is inserted, and what is verified."""

    seq: int
    kind: Kind
    at: datetime
    call: str | None
    head: bytes
    hash: bytes
    sealed: Mapping[str, bytes]


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of JSON data made of ASCII keys, strings, integers, booleans, lists and None."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def leaf(head: bytes) -> bytes:
    """The hash of a row: SHA-256 over a zero byte and the head (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x00" + head).digest()


def check_attributes(attrs: Mapping[str, Any]) -> None:
    """Raise `HeadRefused` unless every attribute is known and of its declared shape."""
    for name, value in attrs.items():
        shape = ATTRIBUTES.get(name)
        if shape is None:
            raise HeadRefused(f"a head has no attribute called {name!r}")
        if not shape(value):
            raise HeadRefused(f"the attribute {name!r} may not hold this value")


def head_of(
    *,
    org: OrgId,
    task: TaskId,
    seq: int,
    row: Row,
    content: Mapping[str, Mapping[str, Any]],
    previous: bytes,
) -> bytes:
    """The canonical bytes of one head. `content` is what `seals` says of each sealed field."""
    return canonical(
        {
            "v": VERSION,
            "org": str(org),
            "task": str(task),
            "seq": seq,
            "ts": row.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "kind": row.kind.value,
            "call": row.call,
            "attrs": dict(row.attrs),
            "content": content,
            "prev": previous.hex(),
        }
    )


def seal_entry(sealed: bytes, commitment: bytes, length: int) -> dict[str, Any]:
    """What a head says of one sealed field: the hash of the ciphertext, the keyed commitment to the plaintext, its size."""
    return {"ct": hashlib.sha256(sealed).hexdigest(), "cm": commitment.hex(), "len": length, "k": sealed[5:21].hex()}
