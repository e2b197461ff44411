"""Reads some of a document's text for the agent. What a reader of the document would not see is left out."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.errors import Invalid
from joule.kernel.ids import ProjectId
from joule.vault.keys import Keyring
from memory import _labels
from memory.knowledge import _rows, _sealed
from memory.knowledge.actions import ReadDocument
from memory.knowledge.errors import StillUnread
from memory.knowledge.reading.model import BETWEEN, Mark, Part
from memory.knowledge.results import DocumentText

LONGEST = 20_000  # characters at once
NOTES = "[Speaker notes] "


async def some(session: AsyncSession, keyring: Keyring, action: ReadDocument, project: ProjectId) -> DocumentText:
    """What stands from a page or a character on. Raises `NotFound` and `StillUnread`."""
    row = await _rows.readable(session, keyring, project, action.document, action.principal.person)
    number = action.version or row.version
    if not number:
        raise StillUnread
    version = await _rows.version_of(session, keyring.org, row.id, number, words=True)
    if version.text is None:
        raise StillUnread
    parts = await asyncio.to_thread(_sealed.parts_of, version, keyring)
    total = parts[-1].end if parts else 0
    shown = [part for part in parts if Mark.HIDDEN not in part.marks]
    start = _start(shown, action)
    text, end, page = _from(shown, start, max(1, min(action.limit, LONGEST)))
    return DocumentText(
        document=row.id,
        version=number,
        title=_sealed.title_of(row, keyring),
        text=text,
        start=start,
        end=end,
        total=total,
        page=page,
        pages=version.pages,
        truncated=any(part.end > end for part in shown),
        label=_labels.label_of(version),
    )


def _start(shown: list[Part], action: ReadDocument) -> int:
    wanted = action.page
    if wanted is None:
        return max(0, action.start)
    found = next((part.start for part in shown if part.page is not None and part.page >= wanted), None)
    if found is None:
        raise Invalid("the document has no such page", advice="Ask for a page it has, or read it from its start.")
    return found


def _from(shown: list[Part], start: int, limit: int) -> tuple[str, int, int | None]:
    """The text, where in the whole it ends, and the page it begins on."""
    texts: list[str] = []
    end, page, left = start, None, limit
    for part in shown:
        if part.end <= start:
            continue
        if left <= 0:
            break
        begin = max(start - part.start, 0)
        piece = part.text[begin : begin + left]
        page = part.page if not texts else page
        texts.append(NOTES + piece if Mark.SPEAKER_NOTES in part.marks else piece)
        end = part.start + begin + len(piece)
        left -= len(piece) + len(BETWEEN)
    return BETWEEN.join(texts), end, page
