"""How fast a record is checked, by whoever holds the bundle and where it lies, and whether tampering is found.

The bundle is checked by the very file that is handed to auditors, whole: unpacking, sums, signatures, every row and its
content. Each tampering has its control: the same bundle, put together again and untouched, must hold.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from joule.assembly import House
from joule.bench._ground import BenchHandler, ground, house_on
from joule.bench._tampered import Subject, bundle_of, packed, subject
from joule.bench._tampering import TAMPERINGS
from joule.bench.report import Report
from joule.kernel.ids import OrgId, TaskId, new_id
from traces import verify
from traces.proof import queries
from traces.proof.bundle import Form
from traces.records import Kind

FORMS = ("redacted", "sealed", "content", "earlier", "other")
TARGETS = {"verify_per_s": {"min": 20_000}, "tamperings": {"min": 18}, "tamperings_missed": {"max": 0}}


async def run(*, quick: bool, **_: object) -> Report:
    """One long record, many short ones, and every way to tamper with them that we know."""
    rows, chains = (4_000, 60) if quick else (40_000, 1_000)
    async with ground() as here, house_on(here, handler=BenchHandler()) as house:
        org = OrgId(new_id())
        task = await _long(house, org, rows)
        await house.proofs.sealing.seal(org)
        began = time.perf_counter()
        redacted = await house.proofs.bundles.build(org, task, Form.REDACTED)
        exported = time.perf_counter() - began
        content = await house.proofs.bundles.build(org, task, Form.CONTENT)
        fast, slow = [await asyncio.to_thread(_rate, each.content, rows) for each in (redacted, content)]
        sealed = await _sealed(house, org, chains)
        where_it_lies = await _checked(house, org)
        missed, controls = await _tampered(house)
    return Report(
        name="proof",
        figures={
            "verify_per_s": round(fast),
            "verify_with_content_per_s": round(slow),
            "check_in_place_per_s": round(where_it_lies),
            "export_s": round(exported, 2),
            "bundle_bytes_per_row": round(len(redacted.content) / rows),
            "seals_per_s": round(sealed),
            "tamperings": len(TAMPERINGS),
            "tamperings_missed": len(missed),
            "controls_that_failed": controls,
        },
        targets={**TARGETS, "controls_that_failed": {"max": 0}},
        notes=" ".join(
            [
                f"records of {rows} rows, best of three, by the processor time of one core; with_content: every field in clear checked against its"
                " commitment; in_place: the organisation's whole journal in the database, ciphertexts hashed there;"
                f" {chains} short records sealed in one round;",
                "missed: " + "; ".join(missed) if missed else "every tampering was found where it should be",
            ]
        ),
    )


async def _long(house: House, org: OrgId, rows: int) -> TaskId:
    journal = await house.journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
    facts: dict[str, str | bool] = {"role": "member", "via": "agent", "effect": "send", "approved": False}
    about = {"action": "bench.ring", "effect": "send", "decision": "allow", "facts": facts, "policies": ["bench.p1"]}
    for n in range(rows):
        content = {"args": {"text": "y" * 400}}
        journal.note(Kind.INTENT, call=f"act/{n}/0", attrs={**about, "bundle": "ab" * 32}, content=content)
        if n % 500 == 499:
            await journal.flush()
    await journal.flush()
    return journal.task


def _rate(bundle: bytes, rows: int) -> float:
    """Rows a second of processor time, the best of three: a busy machine does not change it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        path.write_bytes(bundle)
        took = []
        for _ in range(3):
            began = time.thread_time()
            report = verify.check(path)
            took.append(time.thread_time() - began)
    if report.sealed_rows != rows:
        raise RuntimeError("the bundle does not hold what was recorded")
    return rows / min(took)


async def _sealed(house: House, org: OrgId, chains: int) -> float:
    for _ in range(chains):
        journal = await house.journals.open(org, TaskId(new_id()), attempt=1, retention="90d")
        journal.note(Kind.TEXT, call="model/0", content={"text": "word"})
        await journal.flush()
    began = time.perf_counter()
    await house.proofs.sealing.seal(org)
    return chains / (time.perf_counter() - began)


async def _checked(house: House, org: OrgId) -> float:
    began = time.perf_counter()
    async for found in house.proofs.verify(org):
        last = found
    if last.problems:
        raise RuntimeError("the journal was just written")
    return last.rows / (time.perf_counter() - began)


async def _tampered(house: House) -> tuple[list[str], int]:
    """The tamperings that were not found where they should be, and how many untouched bundles did not hold."""
    org = OrgId(new_id())
    made = await subject(house.journals, house.proofs, org)
    async with house.database.read(org) as session:
        head = (await queries.newest_heads(session, org))[0].note
    key = (await house.proofs.signing.keys())[-1].line
    return await asyncio.to_thread(_found, made, head, key)


def _found(made: Subject, head: str, key: str) -> tuple[list[str], int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"

        def found(bundle: bytes, *kept: str) -> str | None:
            path.write_bytes(bundle)
            try:
                verify.check(path, pinned=key, kept=kept)
            except verify.Broken as problem:
                return problem.where
            return None

        failed = sum(found(packed(getattr(made, form), made.signer)) is not None for form in FORMS)
        missed = []
        for each in TAMPERINGS:
            where = found(bundle_of(each, made), *([head] if each.kept else []))
            if where is None or not where.startswith(each.where):
                missed.append(each.name)
    return missed, failed
