"""Where the bytes of artifacts lie: a folder of this machine, or a bucket that speaks S3. Sealed before they get here.

A name in the store is two ids, never a word of the guest's. Something is there whole or not at all: a folder writes
beside and renames, a bucket takes an object in one piece. Blocking; called from threads.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

from joule.kernel.errors import Corrupt, NotFound
from joule.kernel.ids import OrgId
from joule.vault.keys import Keyring
from sandbox.artifacts.errors import StoreAway

CHUNK = 2**20  # bytes of content in one sealed record
_LENGTH = struct.Struct(">I")
_MOST = 2 * CHUNK  # bytes a sealed record can have; more is nonsense
_FIELD = "artifact_blob.content"


class Store(Protocol):
    """Keeps bytes under two ids. Raises `StoreAway`."""

    def put(self, org: OrgId, blob: UUID, parts: Iterable[bytes]) -> None:
        """Keep it, whole or not at all."""
        ...

    def get(self, org: OrgId, blob: UUID) -> bytes:
        """What was put. Raises `NotFound`."""
        ...

    def delete(self, org: OrgId, blob: UUID) -> None:
        """Forget it; forgetting what is not there is no error."""
        ...

    def used(self) -> int:
        """How many bytes lie in it, of all organisations together."""
        ...


class FolderStore:
    """A folder of this machine. `root` is made when it is first needed, for its owner alone."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, org: OrgId, blob: UUID, parts: Iterable[bytes]) -> None:
        target = self._path(org, blob)
        staging = self._root / "staging" / uuid4().hex
        try:
            self._root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self._root, staging.parent, target.parent.parent, target.parent):
                folder.mkdir(exist_ok=True, mode=0o700)
            descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            staging.replace(target)
            _settled(target.parent)
        except OSError as problem:
            raise StoreAway() from problem
        finally:
            with suppress(OSError):
                staging.unlink(missing_ok=True)

    def get(self, org: OrgId, blob: UUID) -> bytes:
        try:
            return self._path(org, blob).read_bytes()
        except FileNotFoundError:
            raise NotFound("artifact") from None
        except OSError as problem:
            raise StoreAway() from problem

    def delete(self, org: OrgId, blob: UUID) -> None:
        try:
            self._path(org, blob).unlink(missing_ok=True)
        except OSError as problem:
            raise StoreAway() from problem

    def used(self) -> int:
        found = 0
        for folder, _, names in os.walk(self._root):
            for name in names:
                with suppress(FileNotFoundError):  # it ended just now
                    found += os.stat(os.path.join(folder, name), follow_symlinks=False).st_size
        return found

    def _path(self, org: OrgId, blob: UUID) -> Path:
        return self._root / org.hex / blob.hex[-2:] / blob.hex


class BucketStore:
    """A bucket that speaks S3. `client` is boto3's; its time limits and credentials are whoever's that made it."""

    def __init__(self, client: Any, *, bucket: str, prefix: str = "artifacts/") -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def put(self, org: OrgId, blob: UUID, parts: Iterable[bytes]) -> None:
        self._ask("put_object", Key=self._key(org, blob), Body=b"".join(parts))

    def get(self, org: OrgId, blob: UUID) -> bytes:
        found = self._ask("get_object", Key=self._key(org, blob))
        try:
            return bytes(found["Body"].read())
        except Exception as problem:
            raise StoreAway() from problem

    def delete(self, org: OrgId, blob: UUID) -> None:
        self._ask("delete_object", Key=self._key(org, blob))

    def used(self) -> int:
        found, more = 0, dict[str, str]()
        while True:
            told = self._ask("list_objects_v2", Prefix=self._prefix, **more)
            found += sum(int(each["Size"]) for each in told.get("Contents", ()))
            if not told.get("IsTruncated"):
                return found
            more = {"ContinuationToken": told["NextContinuationToken"]}

    def _key(self, org: OrgId, blob: UUID) -> str:
        return f"{self._prefix}{org.hex}/{blob.hex}"

    def _ask(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, operation)(Bucket=self._bucket, **arguments)
        except Exception as problem:
            told = getattr(problem, "response", None)
            code = told.get("Error", {}).get("Code") if isinstance(told, dict) else None
            if code in {"NoSuchKey", "404"}:
                raise NotFound("artifact") from None
            raise StoreAway() from problem


def sealed(keyring: Keyring, blob: UUID, content: bytes) -> Iterator[bytes]:
    """`content` as records of at most `CHUNK` bytes: each bound to its place, the last one bound to being the last."""
    pieces = [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)] or [b""]
    for number, piece in enumerate(pieces):
        record = keyring.seal(piece, row=blob, field=_place(number, last=number == len(pieces) - 1))
        yield _LENGTH.pack(len(record)) + record


def opened(keyring: Keyring, blob: UUID, stored: bytes) -> bytes:
    """What was sealed. Raises `Corrupt` when anything was changed, moved, cut off or put after it."""
    records, at = [], 0
    while at < len(stored):
        head = stored[at : at + _LENGTH.size]
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else _MOST + 1
        record = stored[at + _LENGTH.size : at + _LENGTH.size + length]
        if length > _MOST or len(record) != length:
            raise Corrupt("a stored artifact is not whole")
        records.append(record)
        at += _LENGTH.size + length
    if not records:
        raise Corrupt("a stored artifact is empty")
    last = len(records) - 1
    return b"".join(
        keyring.open(record, row=blob, field=_place(number, last=number == last))
        for number, record in enumerate(records)
    )


def _place(number: int, *, last: bool) -> str:
    return f"{_FIELD}.{number}{'.last' if last else ''}"


def _settled(folder: Path) -> None:
    """A rename is durable once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
