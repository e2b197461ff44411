"""What the shut-in process says of a document, in values any other language has too.

Pure. `_answer` reads it again on the other side, and believes none of it.
"""

from typing import Any

from memory.knowledge.reading.model import Mark, Parsed


def told(parsed: Parsed) -> dict[str, Any]:
    """The document as lists and words; each path of headings once."""
    paths: dict[tuple[str, ...], int] = {}
    blocks = [
        [
            part.text,
            part.page,
            paths.setdefault(part.heading, len(paths)),
            [mark.value for mark in sorted(part.marks, key=list(Mark).index)],
        ]
        for part in parsed.parts
    ]
    return {
        "blocks": blocks,
        "paths": [list(path) for path in paths],
        "pages": parsed.pages,
        "title": parsed.title,
        "warnings": [warning.value for warning in parsed.warnings],
    }
