"""Reads web pages: what a reader came for, under its headings, without menus and without what the page hides.

What is hidden (`_html_hidden`) is taken out first, kept apart and marked; the rest goes through trafilatura.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any

import lxml.html  # type: ignore[import-untyped]
import trafilatura
from lxml import etree

from memory._content import decode
from memory.errors import NotText
from memory.kinds import MediaType
from memory.knowledge.reading import _html_hidden
from memory.knowledge.reading.errors import Broken, TooLong
from memory.knowledge.reading.model import Block, Limits, Mark, Parsed, assembled

ROWS = 900  # characters of rows in one part
_CODECS = (
    *("utf-8", "iso-8859-1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252"),
    *("windows-1254", "shift_jis", "euc-jp", "gbk", "gb18030", "big5", "euc-kr", "koi8-r"),
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_-]{2,30})""", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # no text of any page
_LEVELS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = {"p", "li", "h1", "h2", "h3", "h4", "h5", "h6", "td", "th", "pre", "blockquote", "dt", "dd", "figcaption"}
_BREAK = "\ue000"  # stands for a line break until the other white space is gone
_LITTLE = 0.25  # of the page's visible text: less than this is not what a reader came for
_SAMPLE = b"""<!doctype html><meta charset=utf-8><title>One</title><body><nav><a href=/>Home</a></nav><article><h1>One</h1>
<p>Two sentences are here. They are long enough to be taken for the text of this page, and to be kept.</p>
<p style="display:none">Three</p><ul><li>Four</ul><table><tr><td>5<td>6</table></article></body>"""


def warm(limits: Limits) -> None:
    """Bring in the encodings, and read a page."""
    for codec in _CODECS:
        codecs.lookup(codec)
        b"a".decode(codec)
    read(_SAMPLE, limits, MediaType.HTML)


def read(content: bytes, limits: Limits, kind: MediaType) -> Parsed:
    """The main text of the page."""
    text = _decoded(content)
    if len(text) > 4 * limits.characters:
        raise TooLong
    try:
        page = lxml.html.document_fromstring(_CONTROL.sub(" ", text))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as problem:
        raise Broken from problem
    named = page.find(".//title")
    title = " ".join(named.text_content().split()) if named is not None else ""
    apart = [Block(text=hidden, marks=frozenset({Mark.HIDDEN})) for hidden in _html_hidden.taken_out(page)]
    visible = _visible_length(page)
    found = list(_main(page))
    if len(found) < 2 or sum(len(block.text) for block in found) < _LITTLE * visible:
        found = list(_everything(page))
    title = title or next((block.text for block in found if block.heading), "")
    return assembled([*found, *apart], pages=None, title=title or None)


def _decoded(content: bytes) -> str:
    said = _CHARSET.search(content[:4096])
    if said and not content.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            codec = codecs.lookup(said.group(1).decode()).name
            return content.decode("cp1252" if codec == "iso8859-1" else codec, "replace")
        except (LookupError, ValueError):
            pass
    try:
        return decode(content)[0]
    except NotText:
        raise Broken from None


def _visible_length(page: Any) -> int:
    return sum(len((element.text or "").strip()) for element in page.iter(*_BLOCKS))


def _main(page: Any) -> Iterator[Block]:
    """What trafilatura takes for the text of the page."""
    document: Any = trafilatura.bare_extraction(page, include_comments=False, favor_recall=True, with_metadata=False)
    if document is not None and document.body is not None:
        yield from _blocks(document.body)


def _blocks(body: Any) -> Iterator[Block]:
    path: list[tuple[int, str]] = []
    for element in body:
        heading = tuple(title for _, title in path)
        if element.tag == "head":
            title = _flat(element)
            if title:
                level = _LEVELS.get(element.get("rend", "h2"), 2)
                path = [*((above, said) for above, said in path if above < level), (level, title)]
                yield Block(text=title, heading=tuple(said for _, said in path))
        elif element.tag == "table":
            yield from _table(element, heading)
        elif element.tag == "list":
            yield Block(text="\n".join(f"- {line}" for item in element if (line := _flat(item))), heading=heading)
        else:
            yield Block(text=_flat(element, lines=element.tag in {"code", "quote"}), heading=heading)


def _table(table: Any, heading: tuple[str, ...]) -> Iterator[Block]:
    held: list[str] = []
    for row in table.iter("row"):
        line = " | ".join(_flat(cell) for cell in row.iter("cell"))
        if held and sum(map(len, held)) + len(line) > ROWS:
            yield Block(text="\n".join(held), heading=heading, marks=frozenset({Mark.TABLE}))
            held = []
        if line.strip(" |"):
            held.append(line)
    yield Block(text="\n".join(held), heading=heading, marks=frozenset({Mark.TABLE}))


def _everything(page: Any) -> Iterator[Block]:
    """All visible text, where a page is not made like an article."""
    path: list[tuple[int, str]] = []
    for unwanted in list(page.iter("head", "nav", "svg")):
        unwanted.drop_tree()
    taken: set[Any] = set()
    for element in page.iter():
        above = element.getparent()
        if above in taken or not isinstance(element.tag, str):
            taken.add(element)
        elif element.tag in _BLOCKS or _speaks(element):
            taken.add(element)
            text = _flat(element)
            if element.tag in _LEVELS and text:
                level = _LEVELS[element.tag]
                path = [*((higher, said) for higher, said in path if higher < level), (level, text)]
            yield Block(text=text, heading=tuple(said for _, said in path))


def _speaks(element: Any) -> bool:
    """Whether words stand in it directly, not only in elements within it."""
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def _flat(element: Any, *, lines: bool = False) -> str:
    """The words of an element; with `lines` as they stand, else its own line breaks only."""
    for line_break in element.iter("lb", "br"):
        line_break.text = _BREAK
    text = "".join(element.itertext()).replace(_BREAK, "\n" if lines else _BREAK)
    if lines:
        return text.strip()
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split(_BREAK))))
