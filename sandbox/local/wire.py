"""The frames between host and guest. What comes from the guest is an attacker's: every length is bounded before it is read.

A frame is one byte of kind, four of length (big endian), and its body. To the guest: `q` request (JSON), `d` bytes that
belong to it, `.` their end; anything else, while a job runs, ends the job. From the guest: `k` answer (JSON), `r` refusal
of its system (JSON with `errno`), `d` bytes of a file, `o` and `e` output, `x` the end of a job (JSON).
"""

import asyncio
import json
import struct
from typing import Any, Final

from sandbox.errors import ProtocolBroken, SandboxGone

_HEAD: Final = struct.Struct(">cI")
CHUNK: Final = 65_536  # bytes
MOST: Final = 2**20  # bytes of one frame: a list of files is the largest there is
_KINDS: Final = frozenset({b"k", b"r", b"d", b"o", b"e", b"x"})


class Wire:
    """One connection to a guest."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, kind: bytes, body: bytes = b"") -> None:
        """Raises `SandboxGone` when nobody listens any more."""
        try:
            self._writer.write(_HEAD.pack(kind, len(body)) + body)
            await self._writer.drain()
        except (ConnectionError, RuntimeError) as problem:
            raise SandboxGone() from problem

    async def ask(self, request: dict[str, Any], content: bytes | None = None) -> None:
        """Send a request, and the bytes that belong to it."""
        await self.send(b"q", json.dumps(request).encode())
        if content is not None:
            for start in range(0, len(content), CHUNK):
                await self.send(b"d", content[start : start + CHUNK])
            await self.send(b".")

    async def receive(self) -> tuple[bytes, bytes]:
        """The next frame. Raises `ProtocolBroken` for what is none, `SandboxGone` at the end of the connection."""
        try:
            kind, length = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            if kind not in _KINDS or length > MOST:
                raise ProtocolBroken("a frame of an unknown kind, or too long")
            return kind, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as problem:
            raise SandboxGone() from problem

    def close(self) -> None:
        self._writer.close()


def parsed(body: bytes) -> Any:
    """JSON from the guest. Raises `ProtocolBroken`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise ProtocolBroken("an answer that is no JSON") from problem


def whole(value: Any, *, least: int = 0, most: int = 2**53) -> int:
    """A whole number from the guest. Raises `ProtocolBroken`."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise ProtocolBroken("a number out of bounds")
