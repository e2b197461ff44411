"""Inside the walls: takes requests from one socket, runs each in a child, says what comes of it. Standard library only.

Nothing here protects the host: whatever runs in the sandbox may take this process over. The host believes nothing it
says. It has to be quick, so it imports little and late, and to leave nothing of one job to the next.
"""

from __future__ import annotations

import _socket
import _thread
import gc
import io
import json
import os
import resource
import select
import signal
import stat
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

HEAD = struct.Struct(">cI")
CHUNK = 65536
SITE = "/opt/site"
PACKAGES = frozenset({"matplotlib", "numpy", "openpyxl", "pandas", "PIL"})


def main() -> None:
    """Serve until the host hangs up."""
    settings = json.loads(sys.argv[2])
    connection = _socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(connection.fileno(), False)
    for name, value in settings["limits"].items():
        most = resource.getrlimit(which := getattr(resource, "RLIMIT_" + name))[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(which, (value, value))
    os.nice(10)
    if settings["pack"]:
        prepare(settings["imports"])
    gc.collect()
    gc.freeze()  # children share what is never touched again
    send(connection, b"k", json.dumps({"python": sys.version.split()[0]}).encode())
    while True:
        kind, body = receive(connection)
        if kind != b"q":
            return
        request = json.loads(body)
        try:
            OPERATIONS[request["op"]](connection, request)
        except OSError as problem:
            send(connection, b"r", json.dumps({"errno": problem.errno or 0}).encode())


def prepare(modules: list[str]) -> None:
    """Load what jobs are likely to import, so that each finds it loaded."""
    sys.path += os.environ.get("PYTHONPATH", SITE).split(":")
    fonts = os.path.join(SITE, "joule-fonts")
    if os.path.isdir(fonts):  # matplotlib wants to write beside its list of fonts
        os.makedirs(kept := os.environ["MPLCONFIGDIR"])
        for name in os.listdir(fonts):
            with open(os.path.join(fonts, name), "rb") as lent, open(os.path.join(kept, name), "wb") as own:
                own.write(lent.read())
    for module in modules:
        try:
            __import__(module)
        except ModuleNotFoundError:
            continue


def send(connection: _socket.socket, kind: bytes, body: bytes = b"") -> None:
    connection.sendall(HEAD.pack(kind, len(body)) + body)


def receive(connection: _socket.socket) -> tuple[bytes, bytes]:
    kind, length = HEAD.unpack(exactly(connection, HEAD.size))
    return kind, exactly(connection, length)


def exactly(connection: _socket.socket, length: int) -> bytes:
    parts = []
    while length:
        parts.append(connection.recv(min(length, CHUNK)) or os._exit(0))
        length -= len(parts[-1])
    return b"".join(parts)


def contents(connection: _socket.socket) -> Iterator[bytes]:
    """What follows a request, until its end."""
    while True:
        kind, body = receive(connection)
        if kind == b".":
            return
        yield body


def run(connection: _socket.socket, request: dict[str, Any]) -> None:
    given = os.open(name := f"/tmp/{os.urandom(8).hex()}", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)  # noqa: S108
    os.unlink(name)
    for part in contents(connection):
        os.write(given, part)
    os.lseek(given, 0, os.SEEK_SET)
    (out, out_in), (error, error_in) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        child_of(connection, request, given, out_in, error_in)
    for each in (given, out_in, error_in):
        os.close(each)
    began = time.monotonic()
    status, usage = watched(connection, child, {out: b"o", error: b"e"})
    told: dict[str, Any] = {"seconds": time.monotonic() - began, "peak": usage.ru_maxrss * 1024}
    told["code"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    told["signal"] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    send(connection, b"x", json.dumps(told).encode())


def child_of(connection: _socket.socket, request: dict[str, Any], given: int, out: int, error: int) -> NoReturn:
    """The job itself. Never returns."""
    code = 1
    try:
        connection.close()
        os.setsid()
        for source, target in ((given, 0), (out, 1), (error, 2)):
            os.dup2(source, target)
        os.closerange(3, 256)
        resource.setrlimit(resource.RLIMIT_CPU, (request["cpu"], request["cpu"]))
        os.environ.update(request["environment"])
        if "code" in request:
            code = python(request["code"])
        else:
            os.execvp(request["argv"][0], request["argv"])  # noqa: S606
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def python(code: str) -> int:
    """Run Python as a program runs: its own `__main__`, arguments and traceback."""
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True)
    if SITE not in sys.path and os.path.isdir(SITE):
        sys.path.append(SITE)
    sys.path.insert(0, os.getcwd())
    sys.argv = ["main.py"]
    gc.enable()
    module = type(sys)("__main__")
    module.__dict__["__loader__"] = type("Source", (), {"get_source": staticmethod(lambda name: code)})
    sys.modules["__main__"] = module
    try:
        exec(compile(code, "main.py", "exec"), module.__dict__)  # noqa: S102
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            return (ending.code or 0) & 255
        print(ending.code, file=sys.stderr)  # noqa: T201
        return 1
    except BaseException as problem:  # noqa: BLE001
        shown = problem.__traceback__.tb_next if problem.__traceback__ else None
        import traceback

        traceback.print_exception(type(problem), problem, shown)
        missing = isinstance(problem, ModuleNotFoundError) and (problem.name or "").partition(".")[0]
        if missing in PACKAGES and not os.path.isdir(SITE):
            print(f"{missing} is missing in sandboxes: run `joule sandbox install-pack` once.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def watched(connection: _socket.socket, child: int, streams: dict[int, bytes]) -> tuple[int, resource.struct_rusage]:
    """Pass on what a child says until it has ended; end it when the host says so. Nothing of it stays."""
    status, usage = 0, resource.getrusage(resource.RUSAGE_CHILDREN)
    done = end_of(child)
    waiting = [connection.fileno(), done, *streams]
    while len(waiting) > 1:
        ready, _, _ = select.select(waiting, [], [])
        for each in ready:
            if each in streams:
                part = os.read(each, CHUNK)
                if part:
                    send(connection, streams[each], part)
                else:
                    waiting.remove(each)
                    os.close(each)
            elif each == done:
                waiting.remove(done)
                _, status, usage = os.wait4(child, 0)
                while everybody_else():
                    time.sleep(0.001)  # until the first process has collected them
            else:
                receive(connection)  # whatever it says, it means: end this
                everybody_else()
    os.close(done)
    return status, usage


def end_of(child: int) -> int:
    """Can be read once the child has ended. Where the kernel has no such thing (an old gVisor), a thread waits for it."""
    try:
        return os.pidfd_open(child)
    except OSError:
        ended, ending = os.pipe()
        waiting = os.P_PID, child, os.WEXITED | os.WNOWAIT
        _thread.start_new_thread(lambda: os.waitid(*waiting) and os.close(ending), ())  # type: ignore[func-returns-value]
        return ended


def everybody_else() -> bool:
    """End all that jobs have left running, if anything. Neither this process nor the first one of the sandbox is meant by -1."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def opened(path: str, flags: int) -> int:
    """A file below the working folder, reached by no link at all; its folders are made if the file may be."""
    *folders, name = path.split("/")
    at = os.open(".", os.O_DIRECTORY)
    try:
        for each in folders:
            if flags & os.O_CREAT and each not in os.listdir(at):
                os.mkdir(each, dir_fd=at)
            left, at = at, os.open(each, os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(left)
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=at)
    finally:
        os.close(at)


def write(connection: _socket.socket, request: dict[str, Any]) -> None:
    problem = None
    try:
        kept = opened(request["path"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    except OSError as found:
        problem, kept = found, os.open("/dev/null", os.O_WRONLY)
    for part in contents(connection):
        try:
            while part:
                part = part[os.write(kept, part) :]
        except OSError as found:
            problem = problem or found
    if problem is None:
        os.fchmod(kept, 0o400 if request["read_only"] else 0o600)
    os.close(kept)
    if problem is not None:
        raise problem
    send(connection, b"k", b"{}")


def read(connection: _socket.socket, request: dict[str, Any]) -> None:
    found = opened(request["path"], os.O_RDONLY)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise IsADirectoryError(21, "no regular file")
        left = request["limit"] + 1
        while left and (part := os.read(found, min(left, CHUNK))):
            send(connection, b"d", part)
            left -= len(part)
    finally:
        os.close(found)
    send(connection, b"k", b"{}")


def listed(connection: _socket.socket, request: dict[str, Any]) -> None:
    found, top = [], request["under"] or "."
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            try:
                about = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(about.st_mode) and about.st_nlink == 1:
                found.append([os.path.relpath(path, "."), about.st_size])
            elif request["odd"]:
                found.append([os.path.relpath(path, "."), -1])
            if len(found) >= request["limit"]:
                folders.clear()
                break
    send(connection, b"k", json.dumps(found).encode())


OPERATIONS = {"run": run, "write": write, "read": read, "list": listed}

if __name__ == "__main__":
    main()
