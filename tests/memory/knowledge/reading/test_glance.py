"""A preview shows the beginning of a file, and nothing of a hostile one gets further than that."""

import io
import struct
import zlib
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from reportlab.pdfgen import canvas

from memory.knowledge.reading.errors import Broken, Encrypted, ReadingUnavailable, Unreadable
from memory.knowledge.reading.glance import Glancer
from tests.support import documents


def workbook() -> bytes:
    made = openpyxl.Workbook()
    made.active.title = "Spend"
    for row in (["channel", "spend", "day"], ["search", 120.5, date(2026, 3, 1)], ["mail", "=B2*2", None]):
        made.active.append(row)
    for number in range(80):
        made.active.append([f"row {number}", number])
    hidden = made.create_sheet("Secret")
    hidden.sheet_state = "hidden"
    hidden.append(["not shown"])
    made.create_sheet("Empty")
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def pdf(pages: int = 2) -> bytes:
    content = io.BytesIO()
    drawing = canvas.Canvas(content, pagesize=(300, 400))
    for number in range(pages):
        drawing.setFillColorRGB(1, 0, 0)
        drawing.rect(0, 0, 300, 200, fill=1, stroke=0)
        drawing.setFillColorRGB(0, 0, 0)
        drawing.drawString(40, 300, f"Page {number + 1}")
        drawing.showPage()
    drawing.save()
    return content.getvalue()


async def test_the_first_rows_of_a_workbook_are_shown_as_people_see_them():
    found = await Glancer().workbook(workbook())

    spend, empty = found.sheets
    assert (spend.name, empty.name, empty.rows) == ("Spend", "Empty", ())
    assert spend.rows[:3] == (("channel", "spend", "day"), ("search", "120.5", "2026-03-01"), ("mail", "=B2*2", ""))
    assert (len(spend.rows), spend.more) == (51, True)
    assert "not shown" not in str(found)


async def test_the_first_page_of_a_pdf_is_a_picture_packed_by_us():
    found = await Glancer().first_page(pdf())

    assert found.pages == 2
    assert found.png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", found.png[16:24])
    assert (width, height) == (900, 1200)
    pixels = zlib.decompress(found.png[41 : found.png.index(b"IEND") - 8])
    last_row = pixels[-(3 * width) :]
    assert last_row[:3] == b"\xff\x00\x00"  # red below, as it was drawn


async def test_a_workbook_that_unpacks_to_far_too_much_is_refused():
    with pytest.raises(Unreadable):
        await Glancer().workbook(documents.zip_bomb(workbook(), 300))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"%PDF-1.4 cut"])
async def test_what_is_none_is_refused(content: bytes):
    glancer = Glancer()
    with pytest.raises(Unreadable):
        await glancer.workbook(content)


async def test_a_pdf_with_a_password_says_so():
    with pytest.raises(Encrypted):
        await Glancer().first_page(_locked())


def _locked() -> bytes:
    drawing, content = documents.drawn_pdf(password="open sesame")
    drawing.showPage()
    drawing.save()
    return content.getvalue()


LIES = """
import json, os, sys
sys.stdin.buffer.read()
os.write(1, b"\\x06")
body = {answer!r}
os.write(1, len(body).to_bytes(8, "big") + body)
"""


@pytest.mark.parametrize(
    "answer",
    [
        b'{"pages":1,"width":2000,"height":2000}\nshort',
        b'{"pages":1,"width":99999,"height":1}\n' + bytes(10),
        b'{"pages":1,"width":1,"height":1,"script":"x"}\n' + bytes(3),
        b"\x89PNG",
    ],
)
async def test_a_process_that_was_taken_over_gets_no_picture_through(tmp_path: Path, answer: bytes):
    program = tmp_path / "lies.py"
    program.write_text(LIES.format(answer=answer))

    with pytest.raises(Broken):
        await Glancer(program=program).first_page(pdf(1))


async def test_one_that_is_not_shut_in_is_not_asked(tmp_path: Path):
    program = tmp_path / "open.py"
    program.write_text("import sys; sys.stdin.buffer.read(); print('hello')")

    with pytest.raises(ReadingUnavailable):
        await Glancer(program=program).workbook(workbook())
