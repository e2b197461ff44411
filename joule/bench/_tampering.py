"""Ways to tamper with a record, by what the tamperer can do. Each must be found; the untouched bundle is the control.

Most are of somebody inside, who can change what is stored and have the result bundled and signed as if nothing were, but
cannot sign heads; some of somebody with the file alone; and two of whoever holds the signing key itself and writes history
anew: only a head that others kept stands against those.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from joule.bench._tampered import Files, Subject, Tamper, Tampering, jsonl, lines_of, rechained, told_in
from traces import verify
from traces.proof import notes
from traces.proof.merkle import Tree, leaf_hash
from traces.proof.notes import Position
from traces.proof.signing import Signer
from traces.records import canonical, leaf


def _rows(change: Callable[[list[Any]], object], *, chained: bool) -> Tamper:
    """Change the list of rows, with the chain made good or left as it is."""

    def tamper(subject: Subject) -> Files:
        rows: list[Any] = told_in(subject.redacted[verify.ROWS])
        change(rows)
        return {
            **subject.redacted,
            verify.ROWS: rechained(rows) if chained else b"\n".join(canonical(row) for row in rows),
        }

    return tamper


def _edit(rows: list[Any]) -> None:
    rows[1]["attrs"] = {**rows[1]["attrs"], "decision": "allow", "person": "0197a3f2-5c1b-7d0e-9a44-2f6b8c1d3e5f"}


def _backdate(rows: list[Any]) -> None:
    for row in rows:
        row["ts"] = "2020-01-01" + row["ts"][10:]


def _insert(rows: list[Any]) -> None:
    rows.insert(2, rows[1])


def _delete(rows: list[Any]) -> None:
    del rows[1]


def _swap(rows: list[Any]) -> None:
    rows[1], rows[2] = rows[2], rows[1]


def _truncate(rows: list[Any]) -> None:
    del rows[-1]


def _transplanted_row(subject: Subject) -> Files:
    rows, foreign = told_in(subject.redacted[verify.ROWS]), told_in(subject.other[verify.ROWS])
    rows[1] = {**foreign[1], "task": rows[0]["task"], "ts": rows[1]["ts"]}
    return {**subject.redacted, verify.ROWS: rechained(rows)}


def _transplanted_rows(subject: Subject) -> Files:
    return {**subject.redacted, verify.ROWS: subject.other[verify.ROWS]}


def _not_canonical(subject: Subject) -> Files:
    lines = lines_of(subject.redacted[verify.ROWS])
    lines[1] = lines[1].replace(b'"attrs":', b'"seq":0,"attrs":', 1)  # said twice, and parsers take the last
    return {**subject.redacted, verify.ROWS: b"\n".join(lines)}


def _in(file: str, form: str, change: Callable[[list[dict[str, Any]], Subject], object]) -> Tamper:
    """Change what the lines of one file say."""

    def tamper(subject: Subject) -> Files:
        files: Files = getattr(subject, form)
        said = told_in(files[file])
        change(said, subject)
        return {**files, file: jsonl(said)}

    return tamper


def _swap_ciphertexts(said: list[dict[str, Any]], _: Subject) -> None:
    said[0]["sealed"], said[1]["sealed"] = said[1]["sealed"], said[0]["sealed"]


def _edit_content(said: list[dict[str, Any]], _: Subject) -> None:
    said[0]["plain"] = json.dumps("words nobody wrote")


def _move_content(said: list[dict[str, Any]], _: Subject) -> None:
    said[0]["plain"], said[1]["plain"] = said[1]["plain"], said[0]["plain"]
    said[0]["key"], said[1]["key"] = said[1]["key"], said[0]["key"]


def _raise_seal(said: list[dict[str, Any]], _: Subject) -> None:
    said[-1]["seal"] = said[-1]["seal"].replace('"n":', '"n":1', 1)


def _misplace_seal(said: list[dict[str, Any]], _: Subject) -> None:
    said[-1]["position"] = (said[-1]["position"] + 1) % said[-1]["size"]


def _foreign_seal(said: list[dict[str, Any]], subject: Subject) -> None:
    said[:] = told_in(subject.other[verify.SEALS])


def _forge_head(said: list[dict[str, Any]], subject: Subject) -> None:
    text = said[-1]["note"].split("\n\n")[0] + "\n"
    forged = Signer(subject.signer.installation, Ed25519PrivateKey.generate())
    said[-1]["note"] = forged.sign(text)


def _edit_head(said: list[dict[str, Any]], _: Subject) -> None:
    said[0]["note"] = said[0]["note"].replace("time 20", "time 19", 1)


def _drop_head(said: list[dict[str, Any]], _: Subject) -> None:
    del said[1]


def _fork(said: list[dict[str, Any]], subject: Subject) -> None:
    """A head that does not grow out of the earlier ones, really signed: a second history beside the first."""
    head = verify.head_of(said[-1]["note"].split("\n\n")[0])
    tree = Position(origin=head.origin, size=head.size, root=hashlib.sha256(b"another").digest())
    words = said[-1]["note"].split("\n\n")[0].split("\n")
    words[2] = b64encode(tree.root).decode()
    said[-1]["note"] = subject.signer.sign("\n".join(words) + "\n")


def _forge_keys(said: list[dict[str, Any]], subject: Subject) -> None:
    """A second key, said to follow the first, which has not signed it."""
    key, installation = Ed25519PrivateKey.generate(), subject.signer.installation
    text = said[0]["note"].split("\n\n")[0].split("\n")
    words = [text[0], "2", b64encode(key.public_key().public_bytes_raw()).decode(), f"previous {text[2]}", text[4], ""]
    said.insert(1, {"note": notes.signed("\n".join(words), (notes.name_of(installation), key))})


def _forge_erasure(said: list[dict[str, Any]], subject: Subject) -> None:
    task = json.loads(subject.redacted["bundle.json"])["task"]
    forged = Signer(subject.signer.installation, Ed25519PrivateKey.generate())
    body = {"task": task, "subject": f"task:{task}", "cause": "request", "keys": 1, "at": "2026-01-01T00:00:00.000000Z"}
    said.append({"note": forged.state(subject.org, "erasure", dict(body))})


def _foreign_erasure(said: list[dict[str, Any]], subject: Subject) -> None:
    task = json.loads(subject.other["bundle.json"])["task"]
    body = {"task": task, "subject": f"task:{task}", "cause": "request", "keys": 1, "at": "2026-01-01T00:00:00.000000Z"}
    said.append({"note": subject.signer.state(subject.org, "erasure", dict(body))})


def _added_file(subject: Subject) -> Files:
    return {**subject.redacted, "note.txt": b"read me"}


def _no_seals(subject: Subject) -> Files:
    return {**subject.redacted, verify.SEALS: b""}


def _other_manifest(subject: Subject) -> Files:
    return {**subject.other, verify.SIGNED: subject.redacted[verify.SIGNED]}


def _rolled_back(subject: Subject) -> Files:
    return subject.earlier


def _rewritten(subject: Subject) -> Files:
    """All of it written anew by whoever holds the key: rows, seals, trees and heads, everything in order again."""
    rows = told_in(subject.redacted[verify.ROWS])
    _edit(rows)
    lines = rechained(rows)
    seals = told_in(subject.redacted[verify.SEALS])
    hashes = [leaf(line) for line in lines_of(lines)]
    heads: list[dict[str, Any]] = []
    for said in seals:
        seal = json.loads(said["seal"])
        said["seal"] = canonical({**seal, "head": hashes[seal["n"] - 1].hex()}).decode()
    for origin in dict.fromkeys(said["origin"] for said in seals):
        mine = [said for said in seals if said["origin"] == origin]
        filled = [leaf_hash(b"as many as there were")] * 9
        tree = Tree([*(leaf_hash(said["seal"].encode()) for said in mine), *filled])
        for position, said in enumerate(mine):
            proof = [step.hex() for step in tree.inclusion(position, len(tree))]
            said.update(position=position, size=len(tree), proof=proof)
        like = [each for each in told_in(subject.redacted[verify.HEADS]) if each["note"].startswith(f"{origin}\n")]
        words = like[-1]["note"].split("\n\n")[0].split("\n")
        words[1], words[2] = str(len(tree)), b64encode(tree.root()).decode()
        words[4], words[5] = "previous " + Position(origin=origin).words(), "before -"
        heads.append({"note": subject.signer.sign("\n".join(words) + "\n"), "consistency": []})
    return {
        **subject.redacted,
        verify.ROWS: lines,
        verify.SEALS: jsonl(seals),
        verify.HEADS: jsonl(heads),
    }


TAMPERINGS: Sequence[Tampering] = (
    Tampering(name="a row is edited", where="row 2", tamper=_rows(_edit, chained=False)),
    Tampering(name="a row is edited and the chain made good", where="seal", tamper=_rows(_edit, chained=True)),
    Tampering(name="a row is inserted", where="row 2", tamper=_rows(_insert, chained=False)),
    Tampering(name="a row is inserted and the chain made good", where="seal", tamper=_rows(_insert, chained=True)),
    Tampering(name="a row is deleted", where="row 1", tamper=_rows(_delete, chained=False)),
    Tampering(name="a row is deleted and the chain made good", where="seal", tamper=_rows(_delete, chained=True)),
    Tampering(name="rows are swapped", where="row 1", tamper=_rows(_swap, chained=False)),
    Tampering(name="rows are swapped and the chain made good", where="row 2", tamper=_rows(_swap, chained=True)),
    Tampering(name="the end is cut off", where="seal", tamper=_rows(_truncate, chained=True)),
    Tampering(
        name="all times are moved back and the chain made good", where="seal", tamper=_rows(_backdate, chained=True)
    ),
    Tampering(name="a row says a thing twice", where="row 1", tamper=_not_canonical),
    Tampering(name="a row of another task is put in", where="seal", tamper=_transplanted_row),
    Tampering(name="the rows of another task are put in", where="row 0", tamper=_transplanted_rows),
    Tampering(
        name="ciphertexts are swapped",
        where="row 0",
        tamper=_in("sealed.jsonl", "sealed", _swap_ciphertexts),
        form="sealed",
    ),
    Tampering(
        name="content is edited", where="row 0", tamper=_in("content.jsonl", "content", _edit_content), form="content"
    ),
    Tampering(
        name="content is moved to another field",
        where="row 0",
        tamper=_in("content.jsonl", "content", _move_content),
        form="content",
    ),
    Tampering(name="a seal says more rows", where="seal", tamper=_in(verify.SEALS, "redacted", _raise_seal)),
    Tampering(
        name="a seal is put in another place", where="seal", tamper=_in(verify.SEALS, "redacted", _misplace_seal)
    ),
    Tampering(
        name="the seals of another task are put in", where="seal", tamper=_in(verify.SEALS, "redacted", _foreign_seal)
    ),
    Tampering(name="the seals are left out", where="seals.jsonl", tamper=_no_seals),
    Tampering(
        name="a head is forged with another key", where="heads.jsonl", tamper=_in(verify.HEADS, "redacted", _forge_head)
    ),
    Tampering(
        name="the time of a head is changed", where="heads.jsonl", tamper=_in(verify.HEADS, "redacted", _edit_head)
    ),
    Tampering(name="a head is left out", where="joule/", tamper=_in(verify.HEADS, "redacted", _drop_head)),
    Tampering(name="a head of a second history is put in", where="joule/", tamper=_in(verify.HEADS, "redacted", _fork)),
    Tampering(
        name="a key nobody vouches for is put in", where="keys.jsonl", tamper=_in(verify.KEYS, "redacted", _forge_keys)
    ),
    Tampering(
        name="an erasure is forged", where="erasures.jsonl", tamper=_in(verify.ERASURES, "redacted", _forge_erasure)
    ),
    Tampering(
        name="an erasure of another task is put in",
        where="erasures.jsonl",
        tamper=_in(verify.ERASURES, "redacted", _foreign_erasure),
    ),
    Tampering(name="a file is added", where="SHA256SUMS.sig", tamper=_added_file, resigned=False),
    Tampering(
        name="another task's bundle goes under this one's name",
        where="SHA256SUMS.sig",
        tamper=_other_manifest,
        resigned=False,
    ),
    Tampering(name="the log is rolled back", where="kept head", tamper=_rolled_back, kept=True),
    Tampering(name="all of history is written anew with the real key", where="kept head", tamper=_rewritten, kept=True),
)
