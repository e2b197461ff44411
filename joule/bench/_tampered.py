"""A task's record taken apart and put together again, for whoever tampers with it to see that it is found."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joule.kernel.ids import OrgId, TaskId, new_id
from traces import verify
from traces.journal import TaskJournal
from traces.opening import Journals
from traces.proof import notes
from traces.proof.bundle import Form
from traces.proof.proofs import Proofs
from traces.proof.signing import Signer
from traces.records import Kind, canonical, leaf

Files = dict[str, bytes]
Tamper = Callable[["Subject"], Files]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is tampered with: one task's bundles, another task's of the same organisation, and the real signer."""

    org: OrgId
    redacted: Files
    sealed: Files
    content: Files
    earlier: Files  # the same task, bundled before its last rows and heads were there
    other: Files  # another task
    signer: Signer


@dataclass(frozen=True, kw_only=True)
class Tampering:
    """One way, and `where` a check has to find it. `kept`: it is found by a head or key that somebody kept elsewhere, and by nothing else."""

    name: str
    where: str
    tamper: Tamper
    resigned: bool = True  # the manifest is signed anew: the tamperer is inside
    form: str = "redacted"
    kept: bool = False


def files_of(content: bytes) -> Files:
    """The files of a bundle."""
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def packed(files: Mapping[str, bytes], signer: Signer | None) -> bytes:
    """A bundle of these files, its sums made anew; signed anew when there is a signer."""
    parts = {name: content for name, content in files.items() if name not in {verify.SUMS, verify.SIGNED}}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in parts.items()).encode()
    signed = files[verify.SIGNED]
    if signer is not None:
        words = signed.decode().split("\n\n")[0].splitlines()[:4]
        name = notes.name_of(signer.installation)
        signed = signer.sign("\n".join([f"{name}/bundle", *words[1:], hashlib.sha256(sums).hexdigest(), ""])).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in {**parts, verify.SUMS: sums, verify.SIGNED: signed}.items():
            bundle.writestr(name, content)
    return out.getvalue()


def bundle_of(each: Tampering, subject: Subject) -> bytes:
    """The tampered bundle."""
    return packed(each.tamper(subject), subject.signer if each.resigned else None)


def lines_of(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if line]


def told_in(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(content)]


def jsonl(lines: Sequence[Mapping[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(line, ensure_ascii=False).encode() for line in lines)


def rechained(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows numbered and chained anew, as somebody does who knows how."""
    previous, lines = bytes(32), []
    for number, row in enumerate(rows):
        line = canonical({**row, "seq": number, "prev": previous.hex()})
        previous = leaf(line)
        lines.append(line)
    return b"\n".join(lines)


async def subject(journals: Journals, proofs: Proofs, org: OrgId, *, rows: int = 5) -> Subject:
    """Two tasks of `org`, recorded and sealed several times, and their bundles."""
    one, two = [await journals.open(org, TaskId(new_id()), attempt=1, retention="90d") for _ in range(2)]
    for journal in (one, two):
        await _record(journal, rows)
        await proofs.sealing.seal(org)
    earlier = files_of((await proofs.bundles.build(org, one.task, Form.REDACTED)).content)
    await journals.open(org, one.task, attempt=2, retention="90d")
    await _record(await journals.open(org, one.task, attempt=3, retention="90d"), 2)
    await proofs.sealing.seal(org)
    forms = [files_of((await proofs.bundles.build(org, one.task, form)).content) for form in Form]
    other = files_of((await proofs.bundles.build(org, two.task, Form.REDACTED)).content)
    return Subject(
        org=org,
        redacted=forms[0],
        sealed=forms[1],
        content=forms[2],
        earlier=earlier,
        other=other,
        signer=await proofs.signing.signer(),
    )


async def _record(journal: TaskJournal, rows: int) -> None:
    for n in range(rows):
        journal.note(
            Kind.RESULT,
            call=f"act/{n}/0",
            attrs={"action": "bench.ring", "effect": "send", "decision": "deny", "bundle": "ab" * 32},
            content={"result": {"text": f"word {n}"}},
        )
    await journal.flush()
