"""The program that reads one document: takes it from standard input, shuts itself in, gives blocks of text.

Started by `parse.Reader` as a file, with no environment. Everything it needs is imported, and tried on a sample of
the format, before it is shut in; the document is looked at only afterwards. Says that it is shut in, then answers with
a length of eight bytes and that much JSON. Whatever goes wrong before is not the document's fault: it ends in silence.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # our own tree before any other that is installed

from memory.knowledge import _confine
from memory.knowledge.reading import _formats
from memory.knowledge.reading._wire import told
from memory.knowledge.reading.errors import Broken, TookTooMuch, Unreadable
from memory.knowledge.reading.model import Limits

_GENTLY = 5  # whoever waits for a page or an answer goes first


def main() -> None:
    """Read, answer, end."""
    os.nice(_GENTLY)
    asked = json.loads(sys.stdin.buffer.readline())
    document = sys.stdin.buffer.read()
    limits = Limits(**asked["limits"])
    read = _formats.prepared(asked["media_type"], limits)
    _confine.shut_in(memory_bytes=limits.memory_bytes, seconds=limits.seconds)
    os.write(1, _confine.SHUT_IN)
    try:
        answer = told(read(document, limits))
    except Unreadable as problem:
        answer = {"error": problem.code}
    except MemoryError:
        answer = {"error": TookTooMuch.code}
    except Exception:  # noqa: BLE001 - whatever a parser trips over, the document is what it trips over
        answer = {"error": Broken.code}
    _answer(answer)


def _answer(answer: dict[str, Any]) -> None:
    try:
        body = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    except MemoryError:
        body = json.dumps({"error": TookTooMuch.code}).encode()
    left = memoryview(len(body).to_bytes(8, "big") + body)
    while left:
        left = left[os.write(1, left) :]


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing to tidy, and nothing of a document's may run at the end
