"""The program that glances at one file: like `_child.py`, shut in before it looks, with nothing but one pipe to answer on.

Answers with a length of eight bytes, one line of JSON, and the bytes that belong to it.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # our own tree before any other that is installed

from memory.kinds import MediaType
from memory.knowledge import _confine
from memory.knowledge.reading._formats import _must_be
from memory.knowledge.reading.errors import Broken, TookTooMuch, Unreadable
from memory.knowledge.reading.model import Limits

_LOOKS = {MediaType.PDF: "_glance_pdf", MediaType.XLSX: "_glance_xlsx"}


def main() -> None:
    """Look, answer, end."""
    asked = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    limits, kind = Limits(**asked["limits"]), MediaType(asked["media_type"])
    look = import_module(f"memory.knowledge.reading.{_LOOKS[kind]}")
    look.warm(limits)
    _confine.shut_in(memory_bytes=limits.memory_bytes, seconds=limits.seconds)
    os.write(1, _confine.SHUT_IN)
    told: dict[str, Any]
    try:
        _must_be(kind, content)
        told, more = look.glanced(content, limits)
    except Unreadable as problem:
        told, more = {"error": problem.code}, b""
    except MemoryError:
        told, more = {"error": TookTooMuch.code}, b""
    except Exception:  # noqa: BLE001 - whatever a parser trips over, the file is what it trips over
        told, more = {"error": Broken.code}, b""
    body = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n" + more
    left = memoryview(len(body).to_bytes(8, "big") + body)
    while left:
        left = left[os.write(1, left) :]


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing to tidy, and nothing of a file's may run at the end
