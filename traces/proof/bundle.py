"""Makes the bundle of one task: its rows, what proves them, and the program that checks both on any machine.

The form is settled by who may see what: `redacted` holds no ciphertext and no content, `sealed` the ciphertexts too,
`content` the words as well, each with the key that proves that one field alone.
"""

import hashlib
import io
import json
import zipfile
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from importlib.resources import files
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from joule.database.engine import Database
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, TaskId
from joule.vault.errors import NoKey, Shredded
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from traces import reader, sealing, verify
from traces._append import proving_key
from traces.ending import erasing
from traces.proof import leaves, notes
from traces.proof.errors import NotProvable
from traces.proof.leaves import Seal, SignedTree
from traces.proof.sealing import Sealing
from traces.proof.signing import Signer, Signing
from traces.reader import ChainState
from traces.records import Record, canonical

README = "README.txt"
_WORDS = """\
The record of one task of Joule.

Check it with a verifier you trust, best one you got before this bundle:

    joule trace verify {name}
    python verify.py {name} --key PUBLIC_KEY --head KEPT_HEAD

verify.py needs Python 3.11 and the package `cryptography`, no network and nothing of Joule. The one beside this file is a
copy for convenience: whoever could forge the rest could forge it as well.

rows.jsonl       every row, in order: who decided what, when, hashes and keyed commitments of content, never content
seals.jsonl      how far the record had come, each with the proof that it is in a signed tree
heads.jsonl      the signed heads of those trees, each with the proof that the last one grew out of it
keys.jsonl       the public keys of the installation, each vouched for by the one before it
erasures.jsonl   signed statements about keys that were destroyed
sealed.jsonl     (in a sealed bundle) the ciphertexts
content.jsonl    (in a content bundle) the content in clear, each field with the key that proves it
SHA256SUMS       a hash of each file; SHA256SUMS.sig is signed by the installation

docs/proof.md of Joule says what this shows and what it cannot show.
"""


class Form(StrEnum):
    """How much of the content goes along."""

    REDACTED = "redacted"
    SEALED = "sealed"
    CONTENT = "content"


@dataclass(frozen=True, kw_only=True)
class Built:
    """A bundle, as the bytes of a zip file."""

    file_name: str
    rows: int
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class Bundles:
    """Makes bundles."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock, signing: Signing, sealing: Sealing) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._signing, self._sealing = signing, sealing

    async def build(self, org: OrgId, task: TaskId, form: Form) -> Built:
        """The bundle as the record stands now, sealed first if it has moved.

        Raises `NotFound` for a task without a record, `NotProvable` when its seals have gone with their retention. What was
        tampered with is bundled as it is found: checking it says so.
        """
        await self._sealing.seal(org, task=task)
        signer, keys = await self._signing.signer(), await self._signing.keys()
        async with self._database.read(org) as session:
            state = await reader.chain_of(session, org, task)
            if state is None:
                raise NotFound("task")
            found = await reader.records(session, org, task, state, sealed=form is not Form.REDACTED)
            records = [record for record in found if record.seq < state.next_seq]
            seals = await leaves.seals_of(session, org, task, rows=state.next_seq)
            trees = await self._trees(session, org, seals)
            proven = [seal for seal in seals if trees[seal.retention, seal.day].is_whole]
            if not proven:
                raise NotProvable()
            heads = list(await self._heads(session, org, trees.values()))
            ring, erasures = await self._ring(session, org, task, state, signer)
        name = f"joule-{task}-{form.value}.zip"
        parts = {
            README: _WORDS.format(name=name).encode(),
            "verify.py": files("traces").joinpath("verify.py").read_bytes(),
            "bundle.json": canonical(
                {"v": 1, "org": str(org), "task": str(task), "form": form.value, "rows": len(records)}
            ),
            verify.ROWS: b"\n".join(record.head for record in records),
            verify.SEALS: _jsonl(_seal(signer, org, seal, trees[seal.retention, seal.day]) for seal in proven),
            verify.HEADS: _jsonl(heads),
            verify.KEYS: _jsonl({"note": key.statement} for key in keys),
            verify.ERASURES: _jsonl({"note": note} for note in erasures),
        }
        if form is Form.SEALED:
            parts["sealed.jsonl"] = _jsonl(_ciphertexts(records))
        if form is Form.CONTENT:
            parts["content.jsonl"] = _jsonl(_contents(records, task, ring) if ring is not None else ())
        content = _zipped(parts, signer, org, task, at=self._clock.now())
        return Built(file_name=name, rows=len(records), content=content)

    async def _trees(
        self, session: AsyncSession, org: OrgId, seals: Sequence[Seal]
    ) -> dict[tuple[str, date], SignedTree]:
        places = dict.fromkeys((seal.retention, seal.day) for seal in seals)
        return {place: await leaves.tree_of(session, org, *place) for place in places}

    async def _heads(self, session: AsyncSession, org: OrgId, trees: Iterable[SignedTree]) -> Iterable[dict[str, Any]]:
        """Every head of the trees, each with its proof; and the last one of each day since, which name each other."""
        told: list[dict[str, Any]] = []
        whole = [each for each in trees if each.is_whole]
        for each in whole:
            for size, note in each.heads:
                proof = [] if size == each.size else each.tree.consistency(size, each.size)
                told.append({"note": note, "consistency": [step.hex() for step in proof]})
        if whole:
            there = {each.day for each in whole}
            for day, note in await leaves.later_ends(session, org, whole[0].retention, min(there)):
                if day not in there:
                    told.append({"note": note, "consistency": []})
        return told

    async def _ring(
        self, session: AsyncSession, org: OrgId, task: TaskId, state: ChainState, signer: Signer
    ) -> tuple[Keyring | None, list[str]]:
        """What opens the content, if anything still does; and signed statements about what was destroyed."""
        erased = await erasing.erasures_of(session, org, task, state.subject)
        told = [(each.subject, each.cause.value, each.keys, each.at) for each in erased]
        ring: Keyring | None = None
        try:
            ring = await sealing.ring_of(session, self._vault, org, task, state.subject)
        except (Shredded, NoKey):
            if not told:
                told.append((state.subject, "found", 0, self._clock.now()))
        return ring, [
            signer.state(
                org,
                "erasure",
                {"task": str(task), "subject": subject, "cause": cause, "keys": keys, "at": notes.time_of(at)},
            )
            for subject, cause, keys, at in told
        ]


def _seal(signer: Signer, org: OrgId, seal: Seal, signed: SignedTree) -> dict[str, Any]:
    proof = signed.tree.inclusion(seal.position, signed.size)
    return {
        "seal": seal.leaf.decode(),
        "origin": notes.origin_of(signer.installation, org, seal.retention, seal.day),
        "position": seal.position,
        "size": signed.size,
        "proof": [step.hex() for step in proof],
    }


def _ciphertexts(records: Sequence[Record]) -> Iterable[dict[str, Any]]:
    for record in records:
        for name, sealed in record.sealed.items():
            yield {"seq": record.seq, "field": name, "sealed": b64encode(sealed).decode()}


def _contents(records: Sequence[Record], task: TaskId, ring: Keyring) -> Iterable[dict[str, Any]]:
    for record in records:
        for name, sealed in record.sealed.items():
            plain = ring.open(sealed, row=task, field=name, generation=record.seq)
            key = proving_key(ring, record.seq, name)
            yield {"seq": record.seq, "field": name, "plain": plain.decode(), "key": key.hex()}


def _jsonl(lines: Iterable[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() for line in lines)


def _zipped(parts: dict[str, bytes], signer: Signer, org: OrgId, task: TaskId, *, at: datetime) -> bytes:
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in parts.items()).encode()
    words = (
        f"{notes.name_of(signer.installation)}/bundle\n{org}\n{task}\n"
        f"time {notes.time_of(at)}\n{hashlib.sha256(sums).hexdigest()}\n"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        for name, content in {**parts, verify.SUMS: sums, verify.SIGNED: signer.sign(words).encode()}.items():
            bundle.writestr(zipfile.ZipInfo(name, date_time=at.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
