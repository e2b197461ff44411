"""Checks that what is put before people as a quotation stands where it is said to stand.

A model may write any ids and any words; a person who agrees to a sentence sees the document's name above it.
"""

import asyncio
import unicodedata
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from joule.kernel.errors import NotFound
from joule.kernel.ids import PersonId, ProjectId
from joule.vault.keys import Keyring
from memory.errors import NotQuoted
from memory.items.kinds import SourceKind
from memory.items.results import SourceSpan
from memory.knowledge import _rows, _sealed

_MARKS = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "’": "'", "‘": "'", "\u00ad": None})
_AROUND = " \"'.…"


async def check(
    session: AsyncSession,
    keyring: Keyring,
    project: ProjectId,
    reader: PersonId | None,
    text: str,
    spans: Iterable[SourceSpan],
) -> None:
    """Raise `NotQuoted` unless the text stands in each document that is named, and in the span of it; letter case,
    line breaks and the marks around it aside. A document of another project, or one that is gone, is none.
    """
    for span in spans:
        if span.kind is not SourceKind.DOCUMENT:
            continue
        try:
            row = await _rows.readable(session, keyring, project, span.source, reader)
            version = await _rows.version_of(session, keyring.org, row.id, row.version or row.newest, words=True)
        except NotFound:
            raise NotQuoted from None
        written = "" if version.text is None else await asyncio.to_thread(_sealed.text_of, version, keyring)
        if not _plain(text) or _plain(text) not in _plain(written[span.start : span.end]):
            raise NotQuoted


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).translate(_MARKS).casefold().split()).strip(_AROUND)
