"""How fast documents are read, shut in a process of their own, and how much memory the largest takes.

Speed is per core: by the processor time the reading processes took, their start and their walls included, so that a
busy machine does not change it. Nothing is stored; what storing costs is in `retrieval` and `forget`.
"""

import resource
import time
from collections.abc import Callable
from statistics import median

from joule.bench import _papers
from joule.bench.report import Report
from memory.detecting import Detector
from memory.kinds import MediaType
from memory.knowledge.reading.chunking import pieces
from memory.knowledge.reading.model import Parsed
from memory.knowledge.reading.parse import Reader

PAGES = 500
PEOPLE = [f"Person{number} Family{number}" for number in range(2_000)]
TARGETS = {"peak_mb": {"max": 400.0}}


async def run(*, quick: bool, **_: object) -> Report:
    """A document of each format some times; the medians. Needs no database."""
    rounds, size = (3, 400) if quick else (9, 1_600)
    reader = Reader()
    pdf = _papers.pdf(PAGES)
    parsed, seconds = await _read(reader, pdf, MediaType.PDF, rounds)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of the largest of them: no other was yet
    assert parsed.pages == PAGES  # noqa: S101 - a figure of something else would be worse than none
    figures = {"pdf_pages_per_s": round(PAGES / seconds), "pdf_mb_per_s": _speed(len(pdf), seconds)}
    page, table, words = _papers.html(size), _papers.csv(size * 50), _papers.text(size).encode()
    documents = {
        "docx": (MediaType.DOCX, *_papers.docx(size)),
        "xlsx": (MediaType.XLSX, *_papers.xlsx(size * 10)),
        "html": (MediaType.HTML, page, len(page)),
        "csv": (MediaType.CSV, table, len(table)),
        "text": (MediaType.TEXT, words, len(words)),
    }
    for name, (kind, content, length) in documents.items():
        parsed, seconds = await _read(reader, content, kind, rounds)
        figures[f"{name}_mb_per_s"] = _speed(length, seconds)
    start = (await _read(reader, b"One word.", MediaType.TEXT, rounds))[1]
    figures |= {
        "start_ms": round(start * 1_000, 1),
        "cut_mb_per_s": _speed(len(parsed.text), _took(lambda: pieces(parsed), rounds)),
        "detect_mb_per_s": _speed(len(parsed.text), _took(lambda: Detector(PEOPLE).find(parsed.text), rounds)),
        "peak_mb": round(peak, 1),
    }
    return Report(
        name="ingest",
        figures=figures,
        targets=TARGETS,
        notes=(
            f"per core, by processor time, {rounds} rounds each, process start and walls included; PDF of {PAGES} pages; "
            "MB of docx and xlsx are of their text unpacked; the detector knows 2,000 people; peak_mb is the resident "
            "memory of the process that read the PDF"
        ),
    )


async def _read(reader: Reader, content: bytes, kind: MediaType, rounds: int) -> tuple[Parsed, float]:
    """The document, and the processor time one reading of it took."""
    taken = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        parsed = await reader.read(content, media_type=kind)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return parsed, median(taken)


def _took(call: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        call()
        taken.append(time.process_time() - started)
    return median(taken)


def _speed(length: int, seconds: float) -> float:
    return round(length / 1e6 / seconds, 2)
