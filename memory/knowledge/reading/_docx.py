"""Reads Word documents: paragraphs under their headings, tables, text boxes and footnotes.

Text that Word does not show (the hidden attribute, white on white, letters of a point) is kept apart and marked.
Deleted text of tracked changes, field codes, headers and footers are not part of the text.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import docx
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn
from lxml import etree  # type: ignore[import-untyped]

from memory.kinds import MediaType
from memory.knowledge.reading import _archive
from memory.knowledge.reading.errors import Broken, TooManyPages
from memory.knowledge.reading.model import Block, Limits, Mark, Parsed, assembled

ROWS = 900  # characters of rows in one part
_HIDDEN, _TABLE = frozenset({Mark.HIDDEN}), frozenset({Mark.TABLE})
_P, _TBL, _TR, _TC, _SDT, _SDT_CONTENT = (qn(f"w:{name}") for name in ("p", "tbl", "tr", "tc", "sdt", "sdtContent"))
_R, _T, _BR, _CR, _TAB, _RENDERED = (qn(f"w:{n}") for n in ("r", "t", "br", "cr", "tab", "lastRenderedPageBreak"))
_VAL, _TYPE, _FILL = qn("w:val"), qn("w:type"), qn("w:fill")
_BOX, _HYPHEN = qn("w:txbxContent"), qn("w:noBreakHyphen")
_NOT_TEXT = {qn(f"w:{name}") for name in ("del", "moveFrom", "instrText", "delText", "rPr", "pPr", "sdtPr")}
_NOT_TEXT.add("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback")  # says the same once more
_OFF = {"0", "false", "off", "none"}
_WHITE = {"FFFFFF", "FEFEFE", "FDFDFD"}
_TINY = 3  # half points


def warm(limits: Limits) -> None:
    """Read the library's own empty document."""
    file = io.BytesIO()
    document = docx.Document()
    document.add_heading("One")
    document.add_paragraph("Two")
    document.save(file)
    read(file.getvalue(), limits, MediaType.DOCX)


def read(content: bytes, limits: Limits, kind: MediaType) -> Parsed:
    """The text of the document's body and footnotes."""
    warnings = _archive.looked_over(content, limits)
    try:
        document = docx.Document(io.BytesIO(_archive.plain(content)))
        body = document.element.body
        styles = _Styles(_styles(document))
    except (OpcError, KeyError, ValueError, AttributeError, etree.XMLSyntaxError) as problem:
        raise Broken from problem
    rendered = next(body.iter(_RENDERED), None) is not None
    walk = _Walk(styles=styles, limits=limits, rendered=rendered)
    blocks = list(walk.blocks(body, 0))
    for part in document.part.rels.values():
        if part.reltype.endswith(("/footnotes", "/endnotes")) and not part.is_external:
            blocks += walk.notes(etree.fromstring(part.target_part.blob, etree.XMLParser(resolve_entities=False)))
    title = (document.core_properties.title or "").strip() or next((b.text for b in blocks if b.heading), None)
    paged = walk.page > 1
    return assembled(
        blocks if paged else map(_unpaged, blocks),
        pages=walk.page if paged else None,
        title=title,
        warnings=sorted(warnings),
    )


def _styles(document: Any) -> Any:
    """The list of styles. Not asked of the library: where a document has none, it would open a file of its own."""
    for part in document.part.rels.values():
        if part.reltype.endswith("/styles") and not part.is_external:
            return part.target_part.element
    return ()


def _unpaged(block: Block) -> Block:
    return Block(text=block.text, heading=block.heading, marks=block.marks)


class _Styles:
    """What the named styles say: levels of headings, and which text they hide."""

    def __init__(self, styles: Any) -> None:
        self._based: dict[str, str] = {}
        self._levels: dict[str, int] = {}
        self._hiding: dict[str, bool] = {}
        for style in styles:
            if style.tag != qn("w:style"):
                continue
            name = style.get(qn("w:styleId"), "")
            based, named = style.find(qn("w:basedOn")), style.find(qn("w:name"))
            self._based[name] = "" if based is None else based.get(_VAL, "")
            said = "" if named is None else named.get(_VAL, "").lower()
            outline = style.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
            if said == "title":
                self._levels[name] = 1
            elif said.startswith("heading ") and said[8:].isdigit():
                self._levels[name] = int(said[8:])
            elif outline is not None:
                self._levels[name] = _level(outline)
            properties = style.find(qn("w:rPr"))
            if properties is not None and _hides(properties, backed=True) is not None:
                self._hiding[name] = bool(_hides(properties, backed=True))

    def level(self, name: str) -> int:
        """1 to 9 for a heading; 0 for none."""
        return int(self._of(name, self._levels, 0))

    def hides(self, name: str) -> bool:
        """Whether text of this style is not shown."""
        return bool(self._of(name, self._hiding, False))

    def _of(self, name: str, table: dict[str, Any], default: Any) -> Any:
        for _ in range(20):  # styles based on each other in a circle end here
            if name in table:
                return table[name]
            name = self._based.get(name, "")
        return default


@dataclass(kw_only=True)
class _Walk:
    """Goes through the document once, keeping the page and the headings it is under."""

    styles: _Styles
    limits: Limits
    rendered: bool  # Word left a note where its pages broke; else only forced breaks are known
    page: int = 1
    path: list[tuple[int, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    started: int = 1  # the page on which the paragraph's first letter stands

    def blocks(self, of: Any, depth: int) -> Iterator[Block]:
        if depth > self.limits.depth:
            raise Broken
        for element in of:
            if element.tag == _P:
                yield from self._paragraph(element)
            elif element.tag == _TBL:
                yield from self._table(element, depth)
            elif element.tag == _SDT:
                for content in element.iterchildren(_SDT_CONTENT):
                    yield from self.blocks(content, depth + 1)

    def notes(self, of: Any) -> list[Block]:
        self.path = []
        return [block for note in of if note.get(_TYPE) is None for block in self.blocks(note, 0)]

    def _paragraph(self, paragraph: Any) -> Iterator[Block]:
        style = _style(paragraph, "w:pPr", "w:pStyle")
        text, hidden = self._text(paragraph, hiding=self.styles.hides(style))
        outline = paragraph.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        level = self.styles.level(style) if outline is None else _level(outline)
        if level and text:
            text = " ".join(text.split())
            self.path = [*((above, title) for above, title in self.path if above < level), (level, text)]
        yield Block(text=text, page=self.started, heading=self._heading())
        yield Block(text=hidden, page=self.started, heading=self._heading(), marks=_HIDDEN)

    def _table(self, table: Any, depth: int) -> Iterator[Block]:
        held: list[str] = []
        hidden: list[str] = []
        page = self.page
        for row in _within(table, _TR):
            cells = []
            for cell in _within(row, _TC):
                text, unseen = self._text(cell, hiding=False, backed=True)
                cells.append(" ".join(text.split()))
                hidden.append(unseen)
            line = " | ".join(cells)
            if held and sum(map(len, held)) + len(line) > ROWS:
                yield Block(text="\n".join(held), page=page, heading=self._heading(), marks=_TABLE)
                held, page = [], self.page
            if line.strip(" |"):
                held.append(line)
        yield Block(text="\n".join(held), page=page, heading=self._heading(), marks=_TABLE)
        yield Block(text="\n".join(filter(None, hidden)), page=page, heading=self._heading(), marks=_HIDDEN)

    def _heading(self) -> tuple[str, ...]:
        return tuple(title for _, title in self.path)

    def _text(self, of: Any, *, hiding: bool, backed: bool = False) -> tuple[str, str]:
        """What of an element is shown and what is not."""
        self.shown, self.hidden, self.started = [], [], self.page
        self._collect(of, hiding=hiding, backed=backed, depth=0)
        return "".join(self.shown).strip(), "".join(self.hidden).strip()

    def _collect(self, of: Any, *, hiding: bool, backed: bool, depth: int) -> None:
        if depth > 4 * self.limits.depth:
            raise Broken
        for element in of:
            tag = element.tag
            if tag in _NOT_TEXT:
                continue
            if tag == _R:
                self._collect(element, hiding=self._is_hidden(element, hiding, backed), backed=backed, depth=depth + 1)
            elif tag == _T:
                self._put(element.text or "", hiding)
            elif tag == _RENDERED or (tag == _BR and element.get(_TYPE) == "page"):
                self._break(counts=(tag == _RENDERED) == self.rendered)
            elif tag in {_BR, _CR}:
                self._put("\n", hiding)
            elif tag == _TAB:
                self._put(" ", hiding)
            elif tag == _HYPHEN:
                self._put("-", hiding)
            elif tag in {_P, _TBL, _TR, _TC, _BOX}:
                self._collect(element, hiding=hiding, backed=backed, depth=depth + 1)
                self._put("\n", hiding)
            else:
                self._collect(element, hiding=hiding, backed=backed, depth=depth + 1)

    def _put(self, text: str, hiding: bool) -> None:
        (self.hidden if hiding else self.shown).append(text)

    def _break(self, *, counts: bool) -> None:
        self.page += counts
        if self.page > self.limits.pages:
            raise TooManyPages
        if not "".join(self.shown).strip():
            self.started = self.page

    def _is_hidden(self, run: Any, hiding: bool, backed: bool) -> bool:
        properties = run.find(qn("w:rPr"))
        if properties is None:
            return hiding
        said = _hides(properties, backed=backed)
        if said is not None:
            return said
        style = _style(run, "w:rPr", "w:rStyle")
        return hiding or bool(style and self.styles.hides(style))


def _within(of: Any, tag: str) -> Iterator[Any]:
    """The rows of a table or cells of a row, those in a content control too; not those of a table in a cell."""
    for element in of:
        if element.tag == tag:
            yield element
        elif element.tag == _SDT:
            yield from (one for content in element.iterchildren(_SDT_CONTENT) for one in content.iterchildren(tag))


def _hides(properties: Any, *, backed: bool) -> bool | None:
    """What run properties say of being seen; None when nothing. `backed`: something coloured may lie under it."""
    vanish = properties.find(qn("w:vanish"))
    if vanish is not None:
        return vanish.get(_VAL, "1") not in _OFF
    size, colour = properties.find(qn("w:sz")), properties.find(qn("w:color"))
    if size is not None and (size.get(_VAL) or "").isdigit() and int(size.get(_VAL)) <= _TINY:
        return True
    if colour is not None and colour.get(_VAL, "").upper() in _WHITE and not backed:
        under = [element.get(_FILL, "auto").upper() for element in _shades(properties)]
        return all(fill == "AUTO" or fill in _WHITE for fill in under) and properties.find(qn("w:highlight")) is None
    return None


def _level(outline: Any) -> int:
    """1 to 9; 0 for the level of plain text."""
    said = outline.get(_VAL, "9")
    return int(said) + 1 if said in set("012345678") else 0


def _shades(properties: Any) -> Iterator[Any]:
    """The shadings of the run and of the paragraphs around it."""
    yield from properties.iterchildren(qn("w:shd"))
    for above in properties.iterancestors(_P):
        yield from above.iterfind(f"{qn('w:pPr')}/{qn('w:shd')}")


def _style(of: Any, properties: str, style: str) -> str:
    found = of.find(f"{qn(properties)}/{qn(style)}")
    return "" if found is None else found.get(_VAL, "")
