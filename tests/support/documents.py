"""Makes documents of every format as bytes, good ones and hostile ones, so that no file of unknown origin is kept."""

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

import docx
import openpyxl
import pptx
from docx.oxml.ns import qn
from docx.oxml.parser import OxmlElement
from pptx.util import Emu
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

Section = tuple[str, Sequence[str]]
PLAN: tuple[Section, ...] = (
    ("Spring launch", ("The spring launch starts on the second of March with a budget of 40,000 euros.",)),
    ("Audience", ("We speak to gardeners between thirty and fifty.", "They read newsletters on Sunday mornings.")),
)


def pdf(sections: Iterable[Section] = PLAN, *, title: str = "Plan") -> bytes:
    """A PDF with one section a page, its heading in large letters."""
    style = getSampleStyleSheet()
    file = io.BytesIO()
    story: list[object] = []
    for heading, paragraphs in sections:
        story += [Paragraph(heading, style["Heading1"])]
        for text in paragraphs:
            story += [Paragraph(text, style["Normal"]), Spacer(1, 12)]
        story.append(PageBreak())
    SimpleDocTemplate(file, pagesize=A4, title=title).build(story)
    return file.getvalue()


def drawn_pdf(*, password: str = "", script: str = "") -> tuple[Canvas, io.BytesIO]:
    """A canvas and where it is saved, for what a plain document does not have."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, encrypt=StandardEncryption(password) if password else None)
    if script:
        canvas.setViewerPreference("HideToolbar", "true")
        canvas._doc.Catalog.__dict__["OpenAction"] = _action(script)
    return canvas, file


def _action(script: str) -> object:
    from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFName, PDFString

    return PDFDictionary({"S": PDFName("JavaScript"), "JS": PDFString(script)})


def many_pages(count: int, *, lines: int = 0) -> bytes:
    """A PDF of many pages, quick to make: all of them show the same content, so many lines of text."""
    content = b"BT /F 9 Tf 11 TL 9 9 Td %s ET" % (b"(Some words on a line) Tj T* " * lines)
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    kids = b" ".join(b"%d 0 R" % number for number in range(5, 5 + count))
    out.write(b"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n")
    out.write(b"2 0 obj<</Type/Pages/Count %d/Kids[%s]>>endobj\n" % (count, kids))
    out.write(b"3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n")
    out.write(b"4 0 obj<</Length %d>>stream\n%s\nendstream endobj\n" % (len(content), content))
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 3 0 R>>>>>>"
    for number in range(5, 5 + count):
        out.write(b"%d 0 obj%s endobj\n" % (number, page))
    out.write(b"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF" % (5 + count))
    return out.getvalue()


def pdf_with_a_letter_without_meaning() -> bytes:
    """A PDF whose first letter is painted and stands for no sign of Unicode, as browsers write some; then a white line."""
    meaning = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /A def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfrange <0020> <007E> <0020> endbfrange endcmap end end"""
    seen, white = (
        text.encode("utf-16-be").hex().encode() for text in ("\x00Seen line of text.", "White line of text.")
    )
    content = b"BT /F 12 Tf 72 700 Td <%s> Tj 1 g 0 -50 Td <%s> Tj ET" % (seen, white)
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/DescendantFonts[7 0 R]/ToUnicode 6 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(meaning), meaning),
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/A/DW 500/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
        b"/Supplement 0>>>>",
    )
    body = b"".join(b"%d 0 obj%s endobj\n" % (number, each) for number, each in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R/Size 8>>\n%%EOF"


def scanned_pdf(pages: int = 2, *, behind: str = "") -> bytes:
    """Pages that are pictures; with `behind`, words in no ink under each picture, as text recognition leaves them."""
    from reportlab.lib.utils import ImageReader

    canvas, file = drawn_pdf()
    for number in range(pages):
        if behind:
            text = canvas.beginText(72, 700)
            text.setTextRenderMode(3)
            text.textLine(f"{behind} {number + 1}")
            canvas.drawText(text)
        canvas.drawImage(ImageReader(_picture()), 0, 0, *A4)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _picture() -> io.BytesIO:
    """A grey PNG of one pixel."""
    raw = zlib.compress(b"\x00\x80")
    body = b"\x89PNG\r\n\x1a\n"
    header = b"\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00"
    for name, part in ((b"IHDR", header), (b"IDAT", raw), (b"IEND", b"")):
        body += len(part).to_bytes(4, "big") + name + part + zlib.crc32(name + part).to_bytes(4, "big")
    return io.BytesIO(body)


def word(sections: Iterable[Section] = PLAN, *, hidden: str = "", table: Sequence[Sequence[str]] = ()) -> bytes:
    """A Word document; `hidden` stands in it as hidden text."""
    document = docx.Document()
    for heading, paragraphs in sections:
        document.add_heading(heading, 1)
        for text in paragraphs:
            document.add_paragraph(text)
    if hidden:
        run = document.add_paragraph("Seen. ").add_run(hidden)
        run.font.hidden = True
    if table:
        grid = document.add_table(rows=0, cols=len(table[0]))
        for line in table:
            for cell, text in zip(grid.add_row().cells, line, strict=True):
                cell.text = text
    return _saved(document)


def word_with_pages(*pages: str) -> bytes:
    """A Word document that says where Word broke its pages."""
    document = docx.Document()
    for number, text in enumerate(pages):
        paragraph = document.add_paragraph()
        if number:
            paragraph.add_run()._r.append(OxmlElement("w:lastRenderedPageBreak"))
        paragraph.add_run(text)
    assert document.element.body.find(f".//{qn('w:t')}") is not None
    return _saved(document)


def slides(sections: Iterable[Section] = PLAN, *, notes: str = "", hidden: str = "", beside: str = "") -> bytes:
    """A presentation: a slide a section; notes on the first; a hidden slide; a text beside the first slide."""
    made = pptx.Presentation()
    for number, (heading, paragraphs) in enumerate(sections):
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text = heading
        slide.placeholders[1].text = "\n".join(paragraphs)
        if notes and not number:
            slide.notes_slide.notes_text_frame.text = notes
        if beside and not number:
            box = slide.shapes.add_textbox(Emu(made.slide_width + 999), Emu(0), Emu(9_999), Emu(9_999))
            box.text_frame.text = beside
    if hidden:
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text = hidden
        slide.element.set("show", "0")
    return _saved(made)


def sheets(
    rows: Sequence[Sequence[object]],
    *,
    hidden: Sequence[Sequence[object]] = (),
    percent: str = "",
    hide_row: int = 0,
    hide_column: str = "",
) -> bytes:
    """A workbook with one sheet called Spend, and a hidden one; of the first, a row and a column may be hidden."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Spend"
    for row in rows:
        sheet.append(list(row))
    if percent:
        for cell in sheet[percent]:
            cell.number_format = "0.0%"
    if hide_row:
        sheet.row_dimensions[hide_row].hidden = True
    if hide_column:
        sheet.column_dimensions[hide_column].hidden = True
    if hidden:
        other = book.create_sheet("Other")
        other.sheet_state = "hidden"
        for row in hidden:
            other.append(list(row))
    return _saved(book)


def page(body: str, *, title: str = "Page", head: str = "") -> bytes:
    """A web page."""
    return f"<!doctype html><html><head><meta charset=utf-8><title>{title}</title>{head}</head><body>{body}</body></html>".encode()


def member(archive: bytes, name: str) -> bytes:
    """One file of an office document."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read(name)


def replaced(archive: bytes, members: Mapping[str, bytes]) -> bytes:
    """An office document with some of its files replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, members.get(name, old.read(name)))
        for name in members.keys() - set(old.namelist()):
            new.writestr(name, members[name])
    return out.getvalue()


def zip_bomb(archive: bytes, megabytes: int) -> bytes:
    """An office document with a file of zeros in it that unpacks to that many megabytes."""
    out = io.BytesIO(archive)
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb,
        bomb.open("word/media/picture.bin", "w", force_zip64=True) as member,
    ):
        for _ in range(megabytes):
            member.write(bytes(1024 * 1024))
    return out.getvalue()


def _saved(document: object) -> bytes:
    file = io.BytesIO()
    document.save(file)  # type: ignore[attr-defined]
    return file.getvalue()
