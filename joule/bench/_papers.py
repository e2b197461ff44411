"""Makes documents to read, as large as asked, out of words of the trade; without the libraries that read them."""

import io
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

_WORDS = (
    "campaign budget audience newsletter spring launch conversion landing page creative keyword search video insight "
    "quarter growth plan revenue customer brand offer price season garden seed delivery partner event fair booth lead"
)
_NAMES = ("Grace Hopper", "Alan Turing", "Ada Lovelace", "Edsger Dijkstra")
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument."


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and some paragraphs."""

    heading: str
    paragraphs: tuple[str, ...]


def sections(count: int, *, seed: int = 1) -> Iterator[Section]:
    """As many sections, of about 2.5 KB each; some of their paragraphs name a person, an address or a number."""
    chance, known = random.Random(seed), _WORDS.split()
    for number in range(count):
        paragraphs = []
        for _ in range(5):
            words = [chance.choice(known) for _ in range(70)]
            words[chance.randrange(70)] = chance.choice(("+49 30 1234567", "grace@example.com", *_NAMES, "1,204,511"))
            paragraphs.append(" ".join(words).capitalize() + ".")
        yield Section(heading=f"Section {number + 1}", paragraphs=tuple(paragraphs))


def pdf(pages: int) -> bytes:
    """A section a page, its heading in larger letters, its lines as wide as a page."""
    bodies = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    for section in sections(pages):
        lines = [f"BT /F 18 Tf 72 770 Td ({section.heading}) Tj /F 10 Tf 12 TL 0 -30 Td"]
        for paragraph in section.paragraphs:
            lines += [f"({line}) Tj T*" for line in _lines(paragraph, 90)] + ["T*"]
        content = "\n".join([*lines, "ET"]).encode()
        bodies.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<</Font<</F 3 0 R>>>>>>"
            % (len(bodies) + 2)
        )
        bodies.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
    kids = b" ".join(b"%d 0 R" % number for number in range(4, len(bodies) + 1, 2))
    bodies[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, kids)
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    for number, body in enumerate(bodies, 1):
        out.write(b"%d 0 obj%s\nendobj\n" % (number, body))
    out.write(b"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF" % (len(bodies) + 1))
    return out.getvalue()


def docx(count: int) -> tuple[bytes, int]:
    """A Word document, and how long its text is unpacked."""
    paragraphs = []
    for section in sections(count):
        paragraphs.append(_paragraph(section.heading, "<w:pPr><w:outlineLvl w:val='0'/></w:pPr>"))
        paragraphs += [_paragraph(text) for text in section.paragraphs]
    body = f"<w:document xmlns:w='{_WORD}'><w:body>{''.join(paragraphs)}</w:body></w:document>"
    return _office("word/document.xml", body, f"{_TYPE}wordprocessingml.document.main+xml"), len(body)


def xlsx(rows: int) -> tuple[bytes, int]:
    """A workbook of one sheet, and how long it is unpacked."""
    chance, known = random.Random(2), _WORDS.split()
    lines = [_row(("Campaign", "Channel", "Clicks", "Spend"))]
    lines += [
        _row((f"Campaign {number}", chance.choice(known), chance.randrange(9_999), chance.randrange(99_999) / 100))
        for number in range(rows)
    ]
    sheet = f"<worksheet xmlns='{_SHEET}'><sheetData>{''.join(lines)}</sheetData></worksheet>"
    book = f"<workbook xmlns='{_SHEET}' xmlns:r='{_RELATION}'><sheets><sheet name='Spend' sheetId='1' r:id='rId1'/></sheets></workbook>"
    links = f"<Relationships xmlns='{_PACKAGE}/relationships'><Relationship Id='rId1' Type='{_RELATION}/worksheet' Target='worksheets/sheet1.xml'/></Relationships>"
    return _office(
        "xl/workbook.xml",
        book,
        f"{_TYPE}spreadsheetml.sheet.main+xml",
        {"xl/_rels/workbook.xml.rels": links, "xl/worksheets/sheet1.xml": sheet},
        f"<Override PartName='/xl/worksheets/sheet1.xml' ContentType='{_TYPE}spreadsheetml.worksheet+xml'/>",
    ), len(sheet)


def html(count: int) -> bytes:
    """A web page with a menu, an article and something hidden."""
    menu = "".join(f"<a href='/{number}'>Entry {number} of the menu</a> " for number in range(40))
    parts = "".join(
        f"<h2>{section.heading}</h2>" + "".join(f"<p>{text}</p>" for text in section.paragraphs)
        for section in sections(count)
    )
    hidden = "<p style='display:none'>Nobody sees this.</p>"
    page = f"<!doctype html><html><head><meta charset=utf-8><title>Guide</title></head><body><nav>{menu}</nav>"
    return f"{page}<article><h1>Guide</h1>{parts}{hidden}</article></body></html>".encode()


def csv(rows: int) -> bytes:
    """A table of campaigns."""
    chance, known = random.Random(3), _WORDS.split()
    lines = (
        f"Campaign {number};{chance.choice(known)};{chance.randrange(9_999)};{chance.randrange(9_999) / 100}"
        for number in range(rows)
    )
    return "\n".join(("campaign;channel;clicks;spend", *lines, "")).encode()


def text(count: int) -> str:
    """Plain paragraphs."""
    return "\n\n".join(paragraph for section in sections(count) for paragraph in section.paragraphs)


def _paragraph(words: str, properties: str = "") -> str:
    return f"<w:p>{properties}<w:r><w:t>{words}</w:t></w:r></w:p>"


def _row(cells: tuple[object, ...]) -> str:
    said = (
        f"<c t='inlineStr'><is><t>{cell}</t></is></c>" if isinstance(cell, str) else f"<c><v>{cell}</v></c>"
        for cell in cells
    )
    return f"<row>{''.join(said)}</row>"


def _office(main: str, body: str, kind: str, more: dict[str, str] | None = None, types: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f"<Types xmlns='{_PACKAGE}/content-types'>"
            "<Default Extension='rels' ContentType='application/vnd.openxmlformats-package.relationships+xml'/>"
            f"<Default Extension='xml' ContentType='application/xml'/><Override PartName='/{main}' ContentType='{kind}'/>"
            f"{types}</Types>",
        )
        archive.writestr(
            "_rels/.rels",
            f"<Relationships xmlns='{_PACKAGE}/relationships'><Relationship Id='rId1' Type='{_RELATION}/officeDocument' "
            f"Target='{main}'/></Relationships>",
        )
        archive.writestr(main, body)
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return out.getvalue()


def _lines(paragraph: str, width: int) -> Iterator[str]:
    line = ""
    for word in paragraph.split():
        if len(line) + len(word) > width:
            yield line
            line = ""
        line = f"{line} {word}".strip()
    yield line
