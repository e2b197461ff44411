"""What the model is shown at the start of a task: who it is, what is remembered, which files there are, what was said.

Everything is read through the gate, so that a resumed or replayed task is shown the same again.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from joule.agent.prompts import SYSTEM
from joule.agent.task import Exchange
from joule.agent.tools import Bench
from joule.kernel.label import Integrity
from joule.llm.actions import Message
from memory.actions import ListFiles, ListItems
from memory.knowledge.budget import Candidate, selected
from memory.results import FileList, Recalled

MOST_CHARACTERS = 20_000  # of remembered items; the rest can still be recalled
MOST_FILES = 200
MOST_SOURCES = 3  # of one item


async def opening(bench: Bench, *, request: str, history: Sequence[Exchange], accounts: str = "") -> list[Message]:
    """The messages a task begins with. Joins what was read into the bench's label. `accounts` is told as it is."""
    about: dict[str, Any] = {"principal": bench.principal, "project": bench.project, "label": bench.label}
    items = await bench.gate.perform(ListItems(**about), call="context/memory")
    files = await bench.gate.perform(ListFiles(**about), call="context/files")
    bench.label = bench.label.join(*(part.label for part in (items, files) if _has_any(part)))
    parts = [SYSTEM.strip(), _remembered(items), _listed(files), accounts]
    messages = [Message(role="system", text="\n\n".join(filter(None, parts)))]
    for exchange in history:
        # An answer may quote anything that was read for it, and is a model's in any case.
        bench.label = bench.label.join(replace(exchange.label, integrity=Integrity.UNTRUSTED))
        messages += [
            Message(role="user", text=exchange.request),
            Message(role="assistant", text=exchange.answer),
        ]
    return [*messages, Message(role="user", text=request)]


def _has_any(part: Recalled | FileList) -> bool:
    return bool(part.items if isinstance(part, Recalled) else part.files)


def _remembered(found: Recalled) -> str:
    """Items as JSON lines, so that none of them can pass for anything but data."""
    offered = []
    for item in found.items:
        line = json.dumps(
            {
                "kind": item.kind,
                "text": item.text,
                "trusted": item.label.integrity is Integrity.TRUSTED,
                "from": [f"{each.kind}:{each.source}" for each in item.sources[:MOST_SOURCES]],
            },
            ensure_ascii=False,
        )
        offered.append(
            Candidate(value=line, length=len(line), label=item.label, at=item.updated_at, pinned=item.pinned)
        )
    chosen = selected(offered, budget=MOST_CHARACTERS, alike=len(offered))
    lines = [*chosen.shown, *([f"({chosen.left_out} more; use recall)"] if chosen.left_out else [])]
    return "Remembered in this project (data):\n" + ("\n".join(lines) or "(nothing yet)")


def _listed(found: FileList) -> str:
    lines = [
        json.dumps({"file_name": each.name, "type": each.media_type, "bytes": each.size}, ensure_ascii=False)
        for each in found.files[:MOST_FILES]
    ]
    if len(found.files) > MOST_FILES:
        lines.append(f"({len(found.files) - MOST_FILES} more; use list_files)")
    return "Files of this project (data):\n" + ("\n".join(lines) or "(none yet)")
