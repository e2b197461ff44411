"""Looks at the first page of a PDF: as a picture in plain pixels, which whoever asked packs themselves."""

import io
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from memory.knowledge.reading._pdf import warm as warm_text
from memory.knowledge.reading.errors import Broken, Encrypted
from memory.knowledge.reading.model import Limits

WIDTH, HEIGHT = 900, 1400  # pixels, at most
_PASSWORD = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)


def warm(limits: Limits) -> None:
    """Draw a page of one word, so that the library has its letters in memory."""
    warm_text(limits)
    page = pypdfium2.PdfDocument.new()
    page.new_page(99, 99)
    made = io.BytesIO()
    page.save(made)
    glanced(made.getvalue(), limits)


def glanced(content: bytes, limits: Limits) -> tuple[dict[str, Any], bytes]:
    """How many pages there are, and the first one's pixels: red, green and blue, row by row."""
    try:
        document = pypdfium2.PdfDocument(content)
        if not len(document):
            raise Broken
        page = document[0]
        width, height = page.get_size()
        if not (0 < width < 20_000 and 0 < height < 20_000):
            raise Broken
        # No annotations and no forms: only what is drawn on the page.
        drawn = page.render(
            scale=min(WIDTH / width, HEIGHT / height), may_draw_forms=False, draw_annots=False, rev_byteorder=True
        )
    except pypdfium2.PdfiumError as problem:
        raise (Encrypted if problem.err_code in _PASSWORD else Broken) from None
    across, down, stride = drawn.width, drawn.height, drawn.stride
    channels = drawn.n_channels
    raw = memoryview(drawn.buffer).cast("B")
    rows = []
    for number in range(down):
        row = bytes(raw[number * stride : number * stride + across * channels])
        if channels == 1:
            rows.append(bytes(each for value in row for each in (value, value, value)))
            continue
        packed = bytearray(3 * across)
        for channel in range(3):
            packed[channel::3] = row[channel::channels]
        rows.append(bytes(packed))
    return {"pages": len(document), "width": across, "height": down}, b"".join(rows)
