"""Looks an office document over before any of it is unpacked: how much it would become, and what it refers to.

Pure. Only the directory and the small lists of relations are read here.
"""

import io
import re
import zipfile

from memory.knowledge.reading.errors import Bomb, Broken, Encrypted
from memory.knowledge.reading.model import Limits, ReadingWarning

_MEMBERS = 20_000
_RELATIONS_BYTES = 4 * 1024 * 1024
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_ELSEWHERE = re.compile(rb"""TargetMode\s*=\s*["']External["']""")
_TYPES = "[Content_Types].xml"
_KINDS = re.compile(
    rb"application/vnd\.(?:ms-word|ms-powerpoint|openxmlformats-officedocument\.(?:wordprocessingml|presentationml))"
    rb"\.(document|template|presentation|slideshow)(?:\.macroEnabled(?:Template)?)?\.main\+xml"
)
_PLAIN_WORD = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_PLAIN_SLIDES = b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
_ENCRYPTED_FLAG = 0x1


def looked_over(content: bytes, limits: Limits) -> set[ReadingWarning]:
    """What to warn of. Raises `Bomb`, `Encrypted` or `Broken`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            # Unpacking ends at the size the directory states, so stating too little hides nothing.
            if len(members) > _MEMBERS or sum(member.file_size for member in members) > limits.unpacked_bytes:
                raise Bomb
            if any(member.flag_bits & _ENCRYPTED_FLAG for member in members):
                raise Encrypted
            relations = [archive.read(one) for one in members if _is_relations(one)]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as problem:
        raise Broken from problem
    warnings = {_of_relation(one) for listed in relations for one in _RELATION.findall(listed)}
    names = [member.filename for member in members]
    if any(name.endswith("vbaProject.bin") for name in names):
        warnings.add(ReadingWarning.MACROS_IGNORED)
    if any("/embeddings/" in name and not name.endswith(".xlsx") for name in names):  # charts carry a workbook each
        warnings.add(ReadingWarning.EMBEDDED_FILES_IGNORED)
    return {warning for warning in warnings if warning is not None}


def plain(content: bytes) -> bytes:
    """The document as one without macros, and as no template or slide show: the libraries read nothing else."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        types = archive.read(_TYPES)
        changed = _KINDS.sub(_as_plain, types)
        if changed == types:
            return content
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as rewritten:
            for member in archive.infolist():
                rewritten.writestr(member.filename, changed if member.filename == _TYPES else archive.read(member))
    return out.getvalue()


def _as_plain(kind: re.Match[bytes]) -> bytes:
    return _PLAIN_WORD if b"word" in kind.group() else _PLAIN_SLIDES


def _is_relations(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith(".rels") and member.file_size <= _RELATIONS_BYTES


def _of_relation(relation: bytes) -> ReadingWarning | None:
    if not _ELSEWHERE.search(relation) or b"/hyperlink" in relation:
        return None
    if b"/attachedTemplate" in relation:
        return ReadingWarning.EXTERNAL_TEMPLATE_IGNORED
    return ReadingWarning.EXTERNAL_CONTENT_IGNORED
