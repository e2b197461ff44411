"""Key-encryption keys in one file on this machine.

The file is never made by accident: without it Joule does not start, because a fresh key would make everything stored
unreadable, and no key at all would store it in clear. It belongs to the user Joule runs as and to nobody else.
"""

import asyncio
import base64
import binascii
import json
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self
from uuid import UUID

from joule.kernel.errors import Corrupt
from joule.kernel.ids import new_id
from joule.vault import record
from joule.vault.errors import KeyFileRefused
from joule.vault.wrapper import KekName, WrapContext, WrappedKey

_FORMAT = 1
_LARGEST_FILE = 1_000_000  # bytes; thousands of keys


@dataclass(frozen=True, kw_only=True, repr=False)
class _Keys:
    """What the file says."""

    current: str
    by_id: dict[str, bytes]

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys do not leave the process")


class LocalKeyFile:
    """A `KeyWrapper` over a JSON file of keys by id. Notices when another process rotates the file."""

    scheme = "local-key-file"

    def __init__(self, path: Path) -> None:
        """Reads the file at once. Raises `KeyFileRefused` when it is missing, damaged, or open to others."""
        self._path = path
        self._keys, self._seen = _read(path)

    def __repr__(self) -> str:
        return f"<LocalKeyFile {self._path}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys do not leave the process")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Makes a new file with one fresh key. Raises `KeyFileRefused` rather than replace one."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        first = str(new_id())
        _write(path, _Keys(current=first, by_id={first: os.urandom(record.KEY_BYTES)}), replace=False)
        return cls(path)

    async def current(self) -> KekName:
        keys = await asyncio.to_thread(self._fresh)
        return KekName(scheme=self.scheme, kek_id=keys.current)

    async def wrap(self, key: bytes, context: WrapContext) -> WrappedKey:
        keys = await asyncio.to_thread(self._fresh)
        blob = record.seal(keys.by_id[keys.current], UUID(keys.current), key, context.to_bytes(), use=record.DATA_KEY)
        return WrappedKey(kek=KekName(scheme=self.scheme, kek_id=keys.current), blob=blob)

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        keys = await asyncio.to_thread(self._fresh)
        kek = keys.by_id.get(wrapped.kek.kek_id)
        if kek is None:
            raise KeyFileRefused(
                f"the key file {self._path} has no key {wrapped.kek.kek_id}",
                advice="Restore the key file from its backup; a key was removed while data keys still needed it.",
            )
        if record.key_id_of(wrapped.blob) != UUID(wrapped.kek.kek_id):
            raise Corrupt("a wrapped key names another wrapping key")
        return record.open_sealed(kek, wrapped.blob, context.to_bytes(), use=record.DATA_KEY)

    async def health(self) -> None:
        context = WrapContext(org=UUID(int=0), key=new_id(), subject="", environment="health")
        await self.unwrap(await self.wrap(os.urandom(record.KEY_BYTES), context), context)

    async def add(self) -> KekName:
        """Makes a fresh key and wraps with it from now on, in every process. Former keys still open."""
        return KekName(scheme=self.scheme, kek_id=await asyncio.to_thread(self._add))

    async def former(self) -> tuple[str, ...]:
        """The ids of the keys that are still there to open what they once wrapped."""
        keys = await asyncio.to_thread(self._fresh)
        return tuple(sorted(name for name in keys.by_id if name != keys.current))

    async def retire(self, kek_id: str) -> None:
        """Removes a former key for good. Only `joule.vault.rotation` may know that nothing needs it any more."""
        await asyncio.to_thread(self._remove, kek_id)

    def _add(self) -> str:
        keys, name = self._fresh(), str(new_id())
        _write(
            self._path,
            _Keys(current=name, by_id={**keys.by_id, name: os.urandom(record.KEY_BYTES)}),
            replace=True,
        )
        return self._fresh().current

    def _remove(self, kek_id: str) -> None:
        keys = self._fresh()
        if kek_id == keys.current:
            raise KeyFileRefused(
                "the current key cannot be retired", advice="Add a new key and rewrap the data keys first."
            )
        left = {name: key for name, key in keys.by_id.items() if name != kek_id}
        _write(self._path, _Keys(current=keys.current, by_id=left), replace=True)

    def _fresh(self) -> _Keys:
        # The file is looked at on every use, not only on an unknown id: a process that kept wrapping with the former
        # key after a rotation would keep that key from ever being retired.
        try:
            now = _fingerprint(os.stat(self._path, follow_symlinks=False))
        except OSError as problem:
            raise _refused(self._path, "cannot be read") from problem
        if now != self._seen:
            self._keys, self._seen = _read(self._path)
        return self._keys


_Fingerprint = tuple[int, int, int, int, int]


def _fingerprint(found: os.stat_result) -> _Fingerprint:
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid


def _read(path: Path) -> tuple[_Keys, _Fingerprint]:
    try:
        # Not blocking, so that a pipe put in its place is refused rather than waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyFileRefused(
            f"there is no key file at {path}",
            advice="Restore it from its backup; for a new installation make one with `joule vault create-key-file`.",
        ) from None
    except OSError as problem:
        raise _refused(path, "cannot be opened, or is a link") from problem
    try:
        # The open file is what is checked, so that nobody can swap it between the check and the reading.
        found = os.fstat(descriptor)
        _check(path, found)
        content = os.read(descriptor, _LARGEST_FILE)
    finally:
        os.close(descriptor)
    return _parse(path, content), _fingerprint(found)


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "is not a regular file")
    if found.st_uid != os.geteuid():
        raise _refused(path, "belongs to another user", advice=f"Run `chown` so that {path} is Joule's own.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise _refused(path, "can be read by other users", advice=f"Run `chmod 600 {path}`, then rotate its keys.")
    folder = os.stat(path.parent)
    if folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX:
        raise _refused(path, "is in a folder others can write to", advice=f"Run `chmod go-w {path.parent}`.")


def _parse(path: Path, content: bytes) -> _Keys:
    try:
        document: Any = json.loads(content)
        keys = {str(UUID(name)): base64.b64decode(value, validate=True) for name, value in document["keys"].items()}
        current = str(UUID(document["current"]))
        sound = document["format"] == _FORMAT and current in keys
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        # Without `from`: the cause would carry the file's text into a traceback.
        raise _refused(path, "is damaged") from None
    if not sound or any(len(key) != record.KEY_BYTES for key in keys.values()):
        raise _refused(path, "is damaged")
    return _Keys(current=current, by_id=keys)


def _write(path: Path, keys: _Keys, *, replace: bool) -> None:
    document = {
        "format": _FORMAT,
        "current": keys.current,
        "keys": {name: base64.b64encode(key).decode() for name, key in keys.by_id.items()},
    }
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600 from the start
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(draft, path)
        else:
            os.link(draft, path)  # unlike a rename, fails when the name is taken
    except FileExistsError:
        raise KeyFileRefused(
            f"there is a key file at {path} already", advice="Use it, or move it away if it protects nothing."
        ) from None
    finally:
        Path(draft).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refused(path: Path, problem: str, *, advice: str = "") -> KeyFileRefused:
    return KeyFileRefused(
        f"the key file {path} {problem}",
        advice=advice or "Restore the key file from its backup; Joule does not work without its keys.",
    )
