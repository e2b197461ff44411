"""The way out of this sandbox: `urllib.request` and what builds on it use it by themselves. Standard library only.

There is no network here. Each request is handed to the host over one socket; the host decides, attaches what secrets
there are, and asks in its own name. Nothing here protects anything: whoever speaks to the socket otherwise gets no further.
"""

from __future__ import annotations

import email.message
import io
import json
import socket
import struct
import urllib.error
import urllib.parse
import urllib.request
import urllib.response

LINE = "/run/outside/line"
_LENGTH = struct.Struct(">I")


class Refused(OSError):
    """The host did not let the request out, or what came back in. Its text says why."""


class Answer:
    """What a host outside said."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    def json(self) -> object:
        return json.loads(self.body)


def fetch(url: str, *, method: str = "GET", headers: dict[str, str] | None = None, data: bytes = b"") -> Answer:
    """Ask a host outside. Raises `Refused` for one that is not on the organisation's list."""
    parts = urllib.parse.urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    asked = {
        "scheme": parts.scheme,
        "host": parts.hostname or "",
        "port": parts.port or (443 if parts.scheme == "https" else 80),
        "method": method,
        "path": path,
        "headers": list((headers or {}).items()),
    }
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(LINE)
        for part in (json.dumps(asked).encode(), data):
            line.sendall(_LENGTH.pack(len(part)) + part)
        told = json.loads(_part(line))
        if "refused" in told:
            raise Refused(told["refused"])
        return Answer(told["status"], [(name, value) for name, value in told["headers"]], _part(line))


def _part(line: socket.socket) -> bytes:
    (left,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    return _exactly(line, left)


def _exactly(line: socket.socket, left: int) -> bytes:
    parts = []
    while left:
        part = line.recv(min(left, 65536))
        if not part:
            raise Refused("the line broke")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


class _Opener(urllib.request.BaseHandler):
    handler_order = 100  # before those that would look for a network

    def default_open(self, request: urllib.request.Request) -> urllib.response.addinfourl | None:
        if request.type not in {"http", "https"}:
            return None
        data = request.data if isinstance(request.data, bytes) else b""
        headers = dict(request.header_items())
        try:
            answer = fetch(request.full_url, method=request.get_method(), headers=headers, data=data)
        except OSError as problem:
            raise urllib.error.URLError(problem) from problem
        told = email.message.Message()
        for name, value in answer.headers:
            told[name] = value
        response = urllib.response.addinfourl(io.BytesIO(answer.body), told, request.full_url, answer.status)
        response.msg = ""  # type: ignore[attr-defined]
        return response


urllib.request.install_opener(urllib.request.build_opener(_Opener))
