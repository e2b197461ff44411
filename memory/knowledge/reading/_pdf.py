"""Reads PDF with pypdfium2: text by page, in lines, paragraphs and headings by what their letters look like.

Nothing in the file is run: the library is built without scripts, and forms are not opened. Text a reader cannot see
(written in no colour, in white on nothing, in tiny letters, or beside the page) is kept apart and marked.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pypdfium2  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from memory.kinds import MediaType
from memory.knowledge.reading._pdf_hidden import Unseen, place_of
from memory.knowledge.reading.errors import Broken, Empty, Encrypted, Scanned, TooLong, TooManyPages
from memory.knowledge.reading.model import Block, Limits, Mark, Parsed, ReadingWarning, assembled

_LARGER = 1.15  # times the letters of most of the text: a heading
_HEADING_CHARACTERS = 140
_LEVELS = 4
_GAP = 1.5  # times the height of a line: a new paragraph
_BULLET = re.compile(r"^(?:[•◦▪‣·*–-]|\d{1,3}[.)]|[a-z][.)])\s")
_TAIL = 4_096  # bytes in which a file says it ends here
_NO_TITLE = {"untitled", "untitled document", "(anonymous)", "document"}
_LITTLE = 20  # characters in a whole document: as good as none
_PASSWORD = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)


_Edges = dict[tuple[int, int], float]


@dataclass(frozen=True, kw_only=True)
class _Line:
    page: int
    text: str
    size: float  # height of its letters, in points
    top: float
    left: float
    right: float
    hidden: bool = False


def warm(limits: Limits) -> None:
    """Read a page of one word, so that the library has all it needs in memory."""
    page = b"BT /F 12 Tf 9 9 Td (Hi there, this is one page.) Tj ET"
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R"
        b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(page), page),
    )
    file = io.BytesIO(b"%PDF-1.4\n")
    file.seek(0, io.SEEK_END)
    for number, body in enumerate(objects, 1):
        file.write(b"%d 0 obj%s\nendobj\n" % (number, body))
    file.write(b"trailer<</Root 1 0 R/Size 5>>%%EOF")
    read(file.getvalue(), limits, MediaType.PDF)


def read(content: bytes, limits: Limits, kind: MediaType) -> Parsed:
    """The text of all pages."""
    if b"%%EOF" not in content.rstrip(b"\0 \t\r\n")[-_TAIL:]:
        raise Broken  # cut off; the library would make do with the pages that arrived
    try:
        document = pypdfium2.PdfDocument(content)
        count = len(document)
    except pypdfium2.PdfiumError as problem:
        raise (Encrypted if problem.err_code in _PASSWORD else Broken) from None
    if count > limits.pages:
        raise TooManyPages
    if count == 0:
        raise Broken
    lines: list[_Line] = []
    without_text = pictures = recognised = characters = 0
    for number in range(count):
        page = _Page(document, number)
        found = list(page.lines())
        characters += sum(len(line.text) for line in found)
        if characters > limits.characters:
            raise TooLong
        without_text += not found
        pictures += page.unseen.pictures > 0
        recognised += page.unseen.recognised
        page.close()
        lines += found
    if characters < _LITTLE and (not lines or pictures == count):
        raise Scanned if pictures else Empty
    blocks = list(_blocks(lines, _outline(document)))
    warnings = [
        warning
        for noticed, warning in (
            (_has_script(document, content), ReadingWarning.SCRIPT_IGNORED),
            (pdfium.FPDFDoc_GetAttachmentCount(document.raw) > 0, ReadingWarning.EMBEDDED_FILES_IGNORED),
            (without_text > 0 and pictures > 0, ReadingWarning.PAGES_WITHOUT_TEXT),
            (recognised, ReadingWarning.RECOGNISED_TEXT),
        )
        if noticed
    ]
    title = document.get_metadata_value("Title").strip()
    if title.casefold() in _NO_TITLE or title.startswith("Microsoft Word - "):
        title = ""
    title = title or next((block.text for block in blocks if block.heading), "")
    return assembled(blocks, pages=count, title=title or None, warnings=warnings)


class _Page:
    """One page, open until `close`."""

    def __init__(self, document: pypdfium2.PdfDocument, number: int) -> None:
        try:
            self._page = document[number]
            self._text = self._page.get_textpage()
        except pypdfium2.PdfiumError:
            raise Broken from None
        self._number = number + 1
        self._box = pdfium.FS_RECTF()
        self.unseen = Unseen(self._page, self._text.raw)

    def lines(self) -> Iterator[_Line]:
        at = 0
        for line in self._text.get_text_range().split("\r\n"):
            if line.strip():
                yield from self._line(line, at)
            at += _units(line) + 2

    def _line(self, line: str, at: int) -> Iterator[_Line]:
        box = self._box
        self._look_at(at + _units(line.rstrip()) - 1)
        right = float(box.right)
        self._look_at(at + len(line) - len(line.lstrip()))
        size, top, left = abs(float(box.top - box.bottom)), float(box.top), float(box.left)
        for part, hidden in self.unseen.parted(line, at, box, size):
            yield _Line(page=self._number, text=part, size=size, top=top, left=left, right=right, hidden=hidden)

    def _look_at(self, at: int) -> None:
        """Put the box of the letter at this place of the text into the box."""
        pdfium.FPDFText_GetLooseCharBox(self._text.raw, place_of(self._text.raw, at), self._box)

    def close(self) -> None:
        self._text.close()
        self._page.close()


def _units(text: str) -> int:
    """How many places the library counts for it: letters beyond the first 65,536 take two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _outline(document: pypdfium2.PdfDocument) -> dict[tuple[int, str], int]:
    """Levels of the headings the file itself lists, by page and text."""
    found: dict[tuple[int, str], int] = {}
    try:
        for entry in document.get_toc(max_depth=_LEVELS):
            target = entry.get_dest()
            page = None if target is None else target.get_index()
            if page is not None and len(found) < 5_000:
                found[page + 1, _folded(entry.get_title())] = entry.level + 1
    except (pypdfium2.PdfiumError, ValueError):
        return {}
    return found


def _has_script(document: pypdfium2.PdfDocument, content: bytes) -> bool:
    named = pdfium.FPDFDoc_GetJavaScriptActionCount(document.raw) > 0
    return named or b"/JavaScript" in content or re.search(rb"/JS[ \t\r\n(<]", content) is not None


def _blocks(lines: list[_Line], outline: dict[tuple[int, str], int]) -> Iterator[Block]:
    levels, edges = _levels(lines), _edges(lines)
    path: list[tuple[int, str]] = []
    held: list[_Line] = []
    held_level = 0
    for line in lines:
        level = 0 if line.hidden else _level(line, outline, levels)
        if held and (level != held_level or _parted(held, line, level)):
            yield _block(held, held_level, path, edges)
            held = []
        held.append(line)
        held_level = level
    if held:
        yield _block(held, held_level, path, edges)


def _block(held: list[_Line], level: int, path: list[tuple[int, str]], edges: _Edges) -> Block:
    """The block of these lines; a heading changes the path."""
    text = _joined(held, edges)
    if level:
        text = " ".join(text.split())
        path[:] = [*((above, title) for above, title in path if above < level), (level, text)]
    marks = frozenset({Mark.HIDDEN}) if held[0].hidden else frozenset()
    return Block(text=text, page=held[0].page, heading=tuple(title for _, title in path), marks=marks)


def _levels(lines: list[_Line]) -> dict[float, int]:
    """Which heights of letters are headings, and of which level: the tallest is the first."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[_rounded(line)] += 0 if line.hidden else len(line.text)
    if not sizes:
        return {}
    body = sizes.most_common(1)[0][0]
    large = sorted((size for size in sizes if size > body * _LARGER and sizes[size] * 3 < sizes[body]), reverse=True)
    return {size: min(at, _LEVELS) for at, size in enumerate(large, 1)}


def _level(line: _Line, outline: dict[tuple[int, str], int], levels: dict[float, int]) -> int:
    listed = outline.get((line.page, _folded(line.text)), 0)
    if listed or len(line.text) > _HEADING_CHARACTERS or not any(map(str.isalpha, line.text)):
        return listed
    return 0 if outline else levels.get(_rounded(line), 0)


def _parted(held: list[_Line], line: _Line, level: int) -> bool:
    """Whether a new block starts with this line."""
    last = held[-1]
    if line.page != last.page or line.hidden != last.hidden or abs(line.size - last.size) > 1.5:
        return True
    down = last.top - line.top
    if level:
        return not 0 < down < _GAP * last.size or len(held) > 2
    if down < 0 or down > _GAP * max(last.size, 1):
        return True
    short = last.right < 0.8 * max(one.right for one in held) and last.text.rstrip().endswith((".", "!", "?", ":"))
    return short or sum(len(one.text) for one in held) > 4_000


def _edges(lines: list[_Line]) -> _Edges:
    """How far to the right lines go that start where this one does: the edge of a column."""
    found: _Edges = {}
    for line in lines:
        found[_column(line)] = max(line.right, found.get(_column(line), 0))
    return found


def _column(line: _Line) -> tuple[int, int]:
    return line.page, round(line.left / 10)


def _joined(lines: list[_Line], edges: _Edges) -> str:
    """Lines as one paragraph: words cut at a line's end are whole again; rows and list entries stay lines."""
    text = lines[0].text.strip()
    for last, line in pairwise(lines):
        said = line.text.strip()
        if text.endswith(("\ufffe", "\u00ad", "\x02")):
            text = text[:-1] + said
        else:
            text += ("\n" if _BULLET.match(said) or _had_room(last, said, edges) else " ") + said
    return text


def _had_room(last: _Line, said: str, edges: _Edges) -> bool:
    """Whether the next word would have fitted on the line before: then the line was ended on purpose."""
    letter = (last.right - last.left) / max(len(last.text), 1)
    return last.right + letter * (len(said.split(maxsplit=1)[0]) + 2) < edges[_column(last)]


def _rounded(line: _Line) -> float:
    return round(line.size * 2) / 2


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
