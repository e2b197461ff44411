"""Reads PowerPoint presentations: slides as pages, their titles as headings, tables, charts, and speaker notes.

Slides and shapes that are not shown, and what lies beside the slide, are kept apart and marked.
"""

import io
from collections.abc import Iterator
from typing import Any

import pptx
from lxml import etree  # type: ignore[import-untyped]
from pptx.exc import PythonPptxError
from pptx.oxml.ns import qn

from memory.kinds import MediaType
from memory.knowledge.reading import _archive
from memory.knowledge.reading.errors import Broken, TooManyPages
from memory.knowledge.reading.model import Block, Limits, Mark, Parsed, assembled

_HIDDEN, _TABLE, _NOTES = (frozenset({mark}) for mark in (Mark.HIDDEN, Mark.TABLE, Mark.SPEAKER_NOTES))
_TINY = 200  # hundredths of a point


def warm(limits: Limits) -> None:
    """Read a presentation of one slide."""
    file = io.BytesIO()
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[0])
    slide.shapes.title.text = "One"
    slide.notes_slide.notes_text_frame.text = "Two"
    made.save(file)
    read(file.getvalue(), limits, MediaType.PPTX)


def read(content: bytes, limits: Limits, kind: MediaType) -> Parsed:
    """The text of all slides and their notes."""
    warnings = _archive.looked_over(content, limits)
    try:
        presentation = pptx.Presentation(io.BytesIO(_archive.plain(content)))
        slides = list(presentation.slides)
        size = (presentation.slide_width or 0, presentation.slide_height or 0)
        if len(slides) > limits.pages:
            raise TooManyPages
        blocks = [block for number, slide in enumerate(slides, 1) for block in _slide(slide, number, size, limits)]
        title = (presentation.core_properties.title or "").strip()
    except (PythonPptxError, KeyError, ValueError, AttributeError, etree.XMLSyntaxError) as problem:
        raise Broken from problem
    if title in {"", "PowerPoint Presentation"}:
        title = next((block.text for block in blocks if block.heading), "")
    return assembled(blocks, pages=len(slides), title=title or None, warnings=sorted(warnings))


def _slide(slide: Any, number: int, size: tuple[int, int], limits: Limits) -> Iterator[Block]:
    out_of_show = slide.element.get("show") in {"0", "false"}
    titled = slide.shapes.title
    title = " ".join(titled.text_frame.text.split()) if titled is not None else ""
    heading = (title,) if title else ()
    base = _HIDDEN if out_of_show else frozenset()
    yield Block(text=title, page=number, heading=heading, marks=base)
    shapes = sorted(slide.shapes, key=lambda shape: (shape.top or 0, shape.left or 0))
    for shape in shapes:
        if titled is not None and shape.shape_id == titled.shape_id:
            continue
        for text, marks in _shape(shape, size, limits, 0):
            yield Block(text=text, page=number, heading=heading, marks=marks | base)
    for text in _diagrams(slide):
        yield Block(text=text, page=number, heading=heading, marks=base)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        yield Block(text=notes, page=number, heading=heading, marks=_NOTES | base)


def _shape(shape: Any, size: tuple[int, int], limits: Limits, depth: int) -> Iterator[tuple[str, frozenset[Mark]]]:
    if depth > limits.depth:
        raise Broken
    if hasattr(shape, "shapes"):  # a group; places within it are the group's own
        for one in shape.shapes:
            yield from _shape(one, (0, 0), limits, depth + 1)
        return
    marks = _HIDDEN if _is_out_of_sight(shape, size) else frozenset()
    if getattr(shape, "has_text_frame", False):
        shown, tiny = _paragraphs(shape.text_frame)
        yield shown, marks
        yield tiny, marks | _HIDDEN
    elif getattr(shape, "has_table", False):
        rows = (" | ".join(" ".join(cell.text.split()) for cell in row.cells) for row in shape.table.rows)
        yield "\n".join(row for row in rows if row.strip(" |")), marks | _TABLE
    elif getattr(shape, "has_chart", False):
        yield _chart(shape.chart), marks | _TABLE


def _paragraphs(frame: Any) -> tuple[str, str]:
    """The text that can be seen, and that in letters too small to."""
    shown: list[str] = []
    tiny: list[str] = []
    for paragraph in frame.paragraphs:
        small = [run.text for run in paragraph.runs if _is_tiny(run)]
        shown.append("".join(run.text for run in paragraph.runs if not _is_tiny(run)) if small else paragraph.text)
        tiny += small
    return "\n".join(line.strip() for line in shown if line.strip()), "\n".join(tiny)


def _is_tiny(run: Any) -> bool:
    properties = run._r.find(qn("a:rPr"))
    size = "" if properties is None else properties.get("sz", "")
    return bool(size.isdigit()) and int(size) <= _TINY


def _is_out_of_sight(shape: Any, size: tuple[int, int]) -> bool:
    named = shape._element.find(f".//{qn('p:cNvPr')}")
    if named is not None and named.get("hidden") in {"1", "true"}:
        return True
    width, height = size
    if not width or shape.left is None or shape.width is None:
        return False
    across = shape.left >= width or shape.left + shape.width <= 0
    return bool(across or shape.top >= height or shape.top + shape.height <= 0)


def _chart(chart: Any) -> str:
    """A chart's title and figures, as far as the slide itself carries them."""
    lines = [chart.chart_title.text_frame.text] if chart.has_title and chart.chart_title.has_text_frame else []
    for plot in chart.plots:
        names = [str(name) for name in plot.categories]
        for series in plot.series:
            points = (
                f"{name} {value:g}" for name, value in zip(names, series.values, strict=False) if value is not None
            )
            lines.append(f"{series.name}: {'; '.join(points)}")
    return "\n".join(lines)


def _diagrams(slide: Any) -> Iterator[str]:
    """The words of drawn diagrams, which are kept in a part of their own."""
    for relation in slide.part.rels.values():
        if relation.reltype.endswith("/diagramData") and not relation.is_external:
            root = etree.fromstring(relation.target_part.blob, etree.XMLParser(resolve_entities=False))
            yield "\n".join(text.strip() for text in root.itertext(qn("a:t")) if text.strip())
