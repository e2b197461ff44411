"""What there is on the host to steal, to reach and to spoil: made for the attacks, and taken away after them."""

import ctypes
import os
import secrets
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from joule.bench.attacks.attack import Given
from sandbox.local import bwrap

_KERNEL = ctypes.CDLL(None, use_errno=True)
_PACK = ("numpy", "pandas", "matplotlib")


@contextmanager
def ground() -> Iterator[Given]:
    """The host as an attacker would like to find it. Services answer everybody with the mark."""
    mark = f"mark-{secrets.token_hex(8)}"
    with ExitStack() as until:
        folder = Path(until.enter_context(tempfile.TemporaryDirectory(prefix="joule-ground-")))
        folder.chmod(0o755)
        _write(folder / "secret", mark)
        pack = folder / "pack"
        pack.mkdir()
        for name in _PACK:
            _write(pack / f"{name}.py" if name != "matplotlib" else pack / name / "__init__.py", "")
        _write(pack / "matplotlib" / "pyplot.py", "")
        _write(pack / "kept", "of the host")
        pack.chmod(0o777)
        (pack / "kept").chmod(0o666)
        shared = Path("/dev/shm") / mark
        _write(shared, mark)
        until.callback(shared.unlink)
        given: Given = {
            "mark": mark,
            "folder": str(folder),
            "secret": str(folder / "secret"),
            "pack": str(pack),
            "shared": str(shared),
            "scratch": "/tmp",
            "abstract": mark,
            "service": str(folder / "service"),
            "host_name": socket.gethostname(),
            "segment": until.enter_context(_segment(mark)),
            "process": until.enter_context(_bystander()),
            "patience": 0,
        }
        given["port"] = until.enter_context(_answering(socket.AF_INET, ("127.0.0.1", 0), mark))[1]
        given["metadata"] = until.enter_context(_answering(socket.AF_INET, ("127.0.0.1", 0), mark))[1]
        given["datagrams"] = until.enter_context(_echoing(mark))
        until.enter_context(_answering(socket.AF_UNIX, "\0" + mark, mark))
        until.enter_context(_answering(socket.AF_UNIX, given["service"], mark))
        os.chmod(given["service"], 0o777)  # noqa: S103
        yield given


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


@contextmanager
def _answering(family: int, address: object, mark: str) -> Iterator[tuple[str, int]]:
    """A service that says the mark to whoever connects, as an answer over HTTP."""
    said = f"HTTP/1.0 200 OK\r\nContent-Length: {len(mark)}\r\n\r\n{mark}".encode()
    service = socket.socket(family)
    service.bind(address)  # type: ignore[arg-type]
    service.listen()

    def serve() -> None:
        with suppress(OSError):
            while True:
                line, _ = service.accept()
                with line, suppress(OSError):
                    line.sendall(said)
                    line.shutdown(socket.SHUT_WR)
                    line.settimeout(2)
                    line.recv(1000)

    yield from _served(service, serve)


@contextmanager
def _echoing(mark: str) -> Iterator[int]:
    """A service of datagrams, as a resolver of names is one."""
    service = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    service.bind(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                asked, where = service.recvfrom(1000)
                if where is None:  # the end
                    return
                service.sendto(asked[:2] + mark.encode(), where)

    for address in _served(service, serve):
        yield address[1]


def _served(service: socket.socket, serve: "threading._Target") -> Iterator[tuple[str, int]]:  # type: ignore[name-defined]
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield service.getsockname()
    finally:
        with suppress(OSError):
            service.shutdown(socket.SHUT_RDWR)
        service.close()
        thread.join(5)


@contextmanager
def _segment(mark: str) -> Iterator[int]:
    """A segment of shared memory that everybody may read."""
    key = secrets.randbelow(2**31 - 2) + 1
    made = _KERNEL.shmget(key, 4096, 0o1666)
    if made < 0:
        raise OSError(ctypes.get_errno(), "no shared memory")
    try:
        _KERNEL.shmat.restype = ctypes.c_void_p
        at = _KERNEL.shmat(made, None, 0)
        ctypes.memmove(at, mark.encode(), len(mark))
        _KERNEL.shmdt(ctypes.c_void_p(at))
        yield key
    finally:
        _KERNEL.shmctl(made, 0, None)


@contextmanager
def _bystander() -> Iterator[int]:
    """A process of ours that has nothing to do with it."""
    with subprocess.Popen([bwrap.interpreter().program, "-I", "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            yield process.pid
        finally:
            process.kill()
