"""Tells what of a PDF page's text a person looking at the page does not see.

Looks at how each piece of text is painted; letter by letter only where a page has something suspicious. White text
counts as seen where anything that is not white was painted before it: leaflets print white on colour.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

_TINY = 1.6  # points
_WHITE = 248  # of 255, in every colour
_NO_INK = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)
_DEPTH = 8  # forms within forms
_COVERS = 0.4  # of the page: a picture of it


@dataclass
class _Seen:
    """What was painted so far."""

    coloured: list[tuple[float, float, float, float]] = field(default_factory=list)
    texts: int = 0
    without_ink: int = 0
    largest_picture: float = 0.0


class Unseen:
    """What is hidden on one page. `pictures` counts images; `recognised` says all text lies, unpainted, behind one."""

    def __init__(self, page: pypdfium2.PdfPage, text: Any) -> None:
        self._text = text
        self._crop = page.get_cropbox()
        self._hidden: set[int] = set()
        self.pictures = 0
        seen = _Seen()
        self._look(page.raw, pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject, seen, 0)
        width, height = self._crop[2] - self._crop[0], self._crop[3] - self._crop[1]
        behind = seen.texts > 0 and seen.texts == seen.without_ink
        self.recognised = behind and seen.largest_picture >= _COVERS * abs(width * height)
        if self.recognised:
            self._hidden.clear()

    def parted(self, line: str, at: int, first: Any, size: float) -> Iterator[tuple[str, bool]]:
        """The line as what is seen and what is not. `at` is the place of its first letter, `first` that letter's box."""
        if size < _TINY or self._beside(first):
            yield line, True
            return
        if not self._hidden:
            yield line, False
            return
        shown: list[str] = []
        covered: list[str] = []
        place = at
        into = shown
        for letter in line:
            if not letter.isspace():
                into = covered if self._address(place) in self._hidden else shown
            into.append(letter)
            place += 1 if ord(letter) < 0x10000 else 2
        for letters, hidden in ((shown, False), (covered, True)):
            if part := "".join(letters).strip():
                yield part, hidden

    def _address(self, place: int) -> int:
        painted = pdfium.FPDFText_GetTextObject(self._text, place_of(self._text, place))
        return ctypes.addressof(painted.contents) if painted else 0

    def _beside(self, box: Any) -> bool:
        left, bottom, right, top = self._crop
        return bool(box.right <= left or box.left >= right or box.top <= bottom or box.bottom >= top)

    def _look(self, of: Any, count: Any, get: Any, seen: _Seen, depth: int) -> None:
        for at in range(count(of)):
            painted = get(of, at)
            kind = pdfium.FPDFPageObj_GetType(painted)
            if kind == pdfium.FPDF_PAGEOBJ_TEXT:
                self._text_painted(painted, seen, depth)
            elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
                self.pictures += 1
                left, bottom, right, top = _bounds(painted)
                seen.largest_picture = max(seen.largest_picture, (right - left) * (top - bottom))
                seen.coloured.append((left, bottom, right, top))
            elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _DEPTH:
                self._look(painted, pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject, seen, depth + 1)
            elif kind == pdfium.FPDF_PAGEOBJ_SHADING or (kind == pdfium.FPDF_PAGEOBJ_PATH and not _is_white(painted)):
                seen.coloured.append(_bounds(painted))

    def _text_painted(self, painted: Any, seen: _Seen, depth: int) -> None:
        seen.texts += 1
        if pdfium.FPDFTextObj_GetTextRenderMode(painted) in _NO_INK:
            seen.without_ink += 1
            self._hidden.add(ctypes.addressof(painted.contents))
        elif _is_white(painted) and not _backed(painted, seen.coloured, anywhere=depth > 0):
            self._hidden.add(ctypes.addressof(painted.contents))


def place_of(text: Any, at: int) -> int:
    """The letter at a place of the page's text: letters without a meaning are painted, and not in the text."""
    return int(pdfium.FPDFText_GetCharIndexFromTextIndex(text, at))


def _is_white(painted: Any) -> bool:
    """Whether it leaves nothing on white paper: white, or fully transparent."""
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not pdfium.FPDFPageObj_GetFillColor(painted, red, green, blue, alpha):
        return False
    return alpha.value == 0 or min(red.value, green.value, blue.value) >= _WHITE


def _bounds(painted: Any) -> tuple[float, float, float, float]:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    pdfium.FPDFPageObj_GetBounds(painted, left, bottom, right, top)
    return left.value, bottom.value, right.value, top.value


def _backed(painted: Any, coloured: list[tuple[float, float, float, float]], *, anywhere: bool) -> bool:
    """Whether something coloured lies under it. Inside a form places are another's: then anything counts."""
    if anywhere:
        return bool(coloured)
    left, bottom, right, top = _bounds(painted)
    x, y = (left + right) / 2, (bottom + top) / 2
    return any(one[0] <= x <= one[2] and one[1] <= y <= one[3] for one in coloured)
