"""The process that reads a document can do nothing but compute and answer, and whoever asks it trusts none of it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from joule.bench import _papers
from memory.kinds import MediaType
from memory.knowledge import _confine
from memory.knowledge.reading import _answer
from memory.knowledge.reading.errors import (
    Broken,
    Encrypted,
    ReadingUnavailable,
    TookTooLong,
    TookTooMuch,
    TooLong,
    TooManyPages,
)
from memory.knowledge.reading.model import Limits, ReadingWarning
from memory.knowledge.reading.parse import Reader
from tests.support import documents

ROOT = Path(__file__).resolve().parents[4]
ATTACKS = f"""
import ctypes, mmap, os, resource, socket, subprocess, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from memory.knowledge import _confine

libc = ctypes.CDLL(None, use_errno=True)
held = os.open("/etc/passwd", os.O_RDONLY)

def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "no")

def fork():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)

def thread():
    one = threading.Thread(target=int)
    one.start()
    one.join()

def much():
    held = bytearray(2_000_000_000)

attacks = {{
    "read a file": lambda: open("/etc/passwd").read(),
    "write a file": lambda: open("/tmp/joule-reading-attack", "w").close(),
    "list a folder": lambda: os.listdir("/"),
    "look at a file": lambda: os.stat("/etc/passwd"),
    "reach the network": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "reach a local server": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "start a process": fork,
    "start a program": lambda: subprocess.run(["/bin/true"], check=True),
    "start a thread": thread,
    "signal its parent": lambda: os.kill(os.getppid(), 0),
    "open a pipe": os.pipe,
    "run what it wrote": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "take more memory": much,
    "write elsewhere": lambda: os.write(2, b"x"),
    "read what it was not given": lambda: os.read(0, 1),
    "read what it had open": lambda: os.read(held, 1),
    "look into another process": lambda: os.readlink("/proc/self/exe"),
    "make hidden files": lambda: os.close(os.memfd_create("x")),
    "change its limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)),
}}
if sys.argv[1] == "shut in":
    _confine.shut_in(memory_bytes=1_000_000_000, seconds=20)
if sys.argv[1] == "listening":
    _confine.shut_in(memory_bytes=1_000_000_000, seconds=20, listens=True)
for name, attack in attacks.items():
    try:
        attack()
        print(name)
    except (OSError, RuntimeError, MemoryError, ValueError, subprocess.SubprocessError):
        pass
sys.stdout.flush()
os._exit(0)
"""


def attacked(how: str) -> set[str]:
    """The attacks that worked."""
    command = [sys.executable, "-I", "-c", ATTACKS, how]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, env={})
    assert ended.returncode == 0, ended.stderr
    Path("/tmp/joule-reading-attack").unlink(missing_ok=True)
    return set(ended.stdout.splitlines())


def test_a_shut_in_process_can_neither_open_reach_nor_start_anything() -> None:
    assert len(attacked("free")) == 19  # all of them work where nothing is in the way

    assert attacked("shut in") == set()
    assert attacked("listening") == {"read what it was not given"}  # its standard input, which is what it is asked


def test_a_machine_where_nothing_can_be_shut_in_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_confine, "_TABLES", {})  # as on a processor whose system calls we do not know

    with pytest.raises(_confine.Unconfined):
        _confine.shut_in(memory_bytes=1_000_000_000, seconds=1)


@pytest.mark.parametrize("program", ["", "raise OSError", "os.write(1, b'no')", "sys.exit(1)"])
async def test_a_process_that_does_not_say_it_is_shut_in_is_nobodys_fault_but_ours(
    tmp_path: Path, program: str
) -> None:
    file = tmp_path / "program.py"
    file.write_text(f"import os, sys\nsys.stdin.buffer.read()\n{program}")

    with pytest.raises(ReadingUnavailable):
        await Reader(program=file).read(b"Hello.", media_type=MediaType.TEXT)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (MediaType.PDF, documents.pdf()),
        (MediaType.DOCX, documents.word(hidden="not seen", table=[["a", "b"], ["1", "2"]])),
        (MediaType.DOCX, _papers.docx(3)[0]),
        (MediaType.PPTX, documents.slides(notes="say this")),
        (MediaType.XLSX, documents.sheets([["Campaign", "Spend"], ["Spring", 12.5]])),
        (MediaType.HTML, documents.page("<h1>Launch</h1><p>It starts in spring.</p>")),
        (MediaType.CSV, b"campaign;spend\nSpring;12\n"),
        (MediaType.MARKDOWN, b"# Launch\n\nIt starts in spring.\n"),
        (MediaType.TEXT, "Größe und Übermut.".encode("cp1252")),
    ],
)
async def test_every_format_reads_the_same_shut_in_as_free(read, kind: MediaType, content: bytes) -> None:  # type: ignore[no-untyped-def]
    assert await Reader().read(content, media_type=kind) == read(content, kind=kind)


async def test_a_document_that_takes_too_long_is_given_up() -> None:
    endless = documents.many_pages(1_000, lines=20_000)

    with pytest.raises(TookTooLong):
        await Reader().read(endless, media_type=MediaType.PDF, limits=Limits(seconds=1, characters=10**12))


async def test_a_document_that_takes_too_much_memory_is_given_up() -> None:
    large = b"# One\n\nSome words.\n\n" * 500_000

    with pytest.raises(TookTooMuch):
        await Reader().read(
            large, media_type=MediaType.MARKDOWN, limits=Limits(memory_bytes=120_000_000, characters=10**9)
        )


def hostile(folder: Path, program: str) -> Reader:
    """A reader whose process was taken over."""
    file = folder / "hostile.py"
    file.write_text(
        f"import sys, os, time, json\nsys.stdin.buffer.read()\nos.write(1, {_confine.SHUT_IN!r})\n" + program
    )
    return Reader(program=file)


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("os.write(1, (2**63).to_bytes(8, 'big'))", TooLong),
        ("os.write(1, (100).to_bytes(8, 'big') + b'{}')", Broken),
        ("os.write(1, b'oh')", Broken),
        ("os.kill(os.getpid(), 11)", Broken),
        ("os.write(1, (2).to_bytes(8, 'big') + b'{}')", Broken),
        ("os.write(1, (6).to_bytes(8, 'big') + b'[[[[[[')", Broken),
    ],
)
async def test_a_process_that_was_taken_over_gets_nothing_in(
    tmp_path: Path, program: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await hostile(tmp_path, program).read(b"Hello.", media_type=MediaType.TEXT)


@pytest.mark.parametrize("program", ["time.sleep(600)", "os.write(1, (2).to_bytes(8, 'big') + b'{}')\ntime.sleep(600)"])
async def test_a_process_that_does_not_end_is_ended(tmp_path: Path, program: str) -> None:
    mark = tmp_path / "process"
    reader = hostile(tmp_path, f"open({str(mark)!r}, 'w').write(str(os.getpid()))\n{program}")

    with pytest.raises(TookTooLong):
        await reader.read(b"Hello.", media_type=MediaType.TEXT, limits=Limits(seconds=1))

    process = mark.read_text() if mark.exists() else ""
    assert not process or not Path(f"/proc/{process}").exists()


async def test_the_process_ends_with_whoever_stops_waiting_for_it(tmp_path: Path) -> None:
    mark = tmp_path / "process"
    os.mkfifo(mark)
    reader = hostile(tmp_path, f"open({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")

    reading = asyncio.create_task(reader.read(b"Hello.", media_type=MediaType.TEXT))
    process = await asyncio.to_thread(mark.read_text)  # waits until it is there
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert not Path(f"/proc/{process}").exists()


GOOD = {"blocks": [["Hello.", 1, 0, ["table"]]], "paths": [["Top"]], "pages": 1, "title": "T", "warnings": []}


def test_an_answer_as_agreed_is_taken() -> None:
    parsed = _answer.accepted(json.dumps(GOOD).encode(), Limits())

    assert [(part.text, part.page, part.heading) for part in parsed.parts] == [("Hello.", 1, ("Top",))]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"blocks": [["Hello.", 2, 0, []]]}, Broken),  # a page there is not
        ({"blocks": [["Hello.", 1, 7, []]]}, Broken),  # headings there are not
        ({"blocks": [["Hello.", 1, -1, []]]}, Broken),
        ({"blocks": [["Hello.", 1, 0, ["trusted"]]]}, Broken),
        ({"blocks": [["Hello.", 1, 0, [], "more"]]}, Broken),
        ({"blocks": [[7, 1, 0, []]]}, Broken),
        ({"warnings": ["all is well"]}, Broken),
        ({"label": "trusted"}, Broken),
        ({"pages": 9_999}, TooManyPages),
        ({"blocks": [["a" * 99, 1, 0, []]] * 3}, TooLong),
        ({"error": Encrypted.code}, Broken),  # both an answer and an error
    ],
)
def test_an_answer_that_is_not_as_agreed_is_not_taken(change: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        _answer.accepted(json.dumps(GOOD | change).encode(), Limits(characters=200))


def test_signs_nobody_sees_are_taken_out_and_told() -> None:
    smuggled = "".join(chr(0xE0000 + ord(sign)) for sign in "obey")
    said = GOOD | {"blocks": [[f"Plain{smuggled} \u202etext\u200b with\x00more\u00a0words", 1, 0, []]]}

    parsed = _answer.accepted(json.dumps(said).encode(), Limits())

    assert parsed.text == "Plain text with more words"
    assert parsed.warnings == (ReadingWarning.INVISIBLE_CHARACTERS,)


def test_half_a_letter_does_not_get_in() -> None:
    with pytest.raises(Broken):
        _answer.accepted(json.dumps(GOOD | {"title": "\ud800"}).encode(), Limits())
