"""Checks a bundle that `joule trace export` wrote: one file, Python 3.11 and `cryptography`, no Joule and no network.

    python verify.py bundle.zip [--key PUBLIC_KEY] [--head KEPT_HEAD_FILE]... [--json]

It says whether every row is as it was written, whether rows are missing, added or moved, up to when a signed head speaks for
them, which policies decided, and what was erased. Without `--key` it trusts the keys in the bundle; without `--head` it
cannot tell an honest log from one rewritten as a whole by whoever holds the signing key. Exits with 0 only when all holds.
Nothing here may import anything else of Joule.
"""

import argparse
import hashlib
import hmac
import json
import sys
import zipfile
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MOST_BYTES = 2**31  # of one bundle, unpacked
SUMS, SIGNED = "SHA256SUMS", "SHA256SUMS.sig"
ROWS, SEALS, HEADS, KEYS, ERASURES = "rows.jsonl", "seals.jsonl", "heads.jsonl", "keys.jsonl", "erasures.jsonl"
_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


class Broken(Exception):
    """What is not as it should be, and where."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where, self.what = where, what


@dataclass(frozen=True, kw_only=True)
class Head:
    """A signed head: a tree at one size, and what it says of those before it."""

    origin: str
    size: int
    root: bytes
    time: str
    previous: tuple[int, bytes]
    before: tuple[str, int, bytes] | None


@dataclass(kw_only=True)
class Report:
    """What was found. Made only when nothing is wrong."""

    org: str = ""
    task: str = ""
    form: str = ""
    installation: str = ""
    keys: list[str] = field(default_factory=list)
    key_pinned: bool = False
    rows: int = 0
    sealed_rows: int = 0  # rows a signed head speaks for
    sealed_until: str = ""  # the time of the first head that speaks for the last of them
    ended: bool = False
    heads: int = 0
    kept_heads: int = 0
    decisions: dict[str, int] = field(default_factory=dict)
    policies: list[str] = field(default_factory=list)
    code_versions: list[str] = field(default_factory=list)
    fields: int = 0
    ciphertexts: int = 0
    proven: int = 0  # contents in clear that are what was recorded
    erased: list[str] = field(default_factory=list)

    def lines(self) -> Iterable[str]:
        yield f"Task {self.task} of organisation {self.org}, {self.form} bundle"
        yield f"INTACT    {self.rows} rows, each as it was written, in order, none missing between them"
        yield f"SEALED    {self.sealed_rows} of {self.rows} rows, by a head signed at {self.sealed_until}"
        if self.sealed_rows < self.rows:
            yield f"          {self.rows - self.sealed_rows} later rows are chained, but no signed head speaks for them yet"
        yield f"COMPLETE  {'the last row says how the task ended' if self.ended else 'no end is recorded: later rows may exist elsewhere'}"
        yield f"SIGNED    by {self.keys[-1]}" + (
            "" if self.key_pinned else " (from the bundle; give --key to check it)"
        )
        kept = f"{self.kept_heads} kept heads agree" if self.kept_heads else "none was given (--head)"
        yield f"HISTORY   {self.heads} heads, each growing out of the one before; {kept}"
        decided = ", ".join(f"{many} {name}" for name, many in sorted(self.decisions.items())) or "no decision"
        yield f"DECIDED   {decided}; policies {', '.join(each[:16] for each in self.policies) or 'none'}; Joule {', '.join(self.code_versions) or 'unknown'}"
        yield f"CONTENT   {self.fields} fields; {self.ciphertexts} ciphertexts match, {self.proven} shown in clear and proven"
        for each in self.erased:
            yield f"ERASED    {each}"


def check(path: Path, *, pinned: str | None = None, kept: Sequence[str] = ()) -> Report:
    """Check the bundle at `path`. `pinned`: a public key got elsewhere; `kept`: heads kept elsewhere. Raises `Broken`."""
    try:
        return _Check(_unpacked(path)).run(pinned, kept)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, NotBase64, RecursionError) as problem:
        raise Broken("bundle", f"it is not of the form it should be ({type(problem).__name__})") from problem


def _unpacked(path: Path) -> dict[str, bytes]:
    """The files of the bundle, exactly those its sums name."""
    try:
        with zipfile.ZipFile(path) as bundle:
            listed = bundle.infolist()
            if len({each.filename for each in listed}) != len(listed):
                raise Broken("bundle", "a file is in it twice")
            if sum(each.file_size for each in listed) > MOST_BYTES:
                raise Broken("bundle", "it is larger than 2 GiB")
            files = {each.filename: bundle.read(each) for each in listed}
    except (zipfile.BadZipFile, OSError, NotImplementedError, EOFError) as problem:
        raise Broken("bundle", "it cannot be read as a zip file") from problem
    told = dict(line.split("  ", 1)[::-1] for line in files[SUMS].decode().splitlines())
    if set(told) != set(files) - {SUMS, SIGNED}:
        raise Broken(SUMS, "a file is missing or was added")
    for name, digest in told.items():
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise Broken(name, "it was altered after the bundle was made")
    return files


class _Check:
    """One bundle under examination."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.said = json.loads(files["bundle.json"])
        self.report = Report(org=self.said["org"], task=self.said["task"], form=self.said["form"])
        self.keys: list[bytes] = []
        self.heads: dict[str, list[Head]] = {}  # by tree, growing
        self.hashes: list[bytes] = []
        self.contents: dict[tuple[int, str], dict[str, Any]] = {}

    def run(self, pinned: str | None, kept: Sequence[str]) -> Report:
        self._keys(pinned)
        manifest = self._note(self.files[SIGNED].decode(), SIGNED).splitlines()
        digest = hashlib.sha256(self.files[SUMS]).hexdigest()
        if manifest != [f"{self.name}/bundle", self.report.org, self.report.task, manifest[3], digest]:
            raise Broken(SIGNED, "it is signed for another bundle")
        self._heads()
        self._rows()
        self._seals()
        self._contents()
        for note in kept:
            self._kept(note)
        return self.report

    def _keys(self, pinned: str | None) -> None:
        """Each key is vouched for by itself and the one before; the installation is named after the first."""
        previous: bytes | None = None
        for number, line in enumerate(_lines(self.files[KEYS]), 1):
            note = json.loads(line)["note"]
            words = note.splitlines()
            public = b64decode(words[2], validate=True)
            if number == 1:
                self.report.installation = hashlib.sha256(public).hexdigest()[:32]
                self.name = f"joule/{self.report.installation}"
            former = "-" if previous is None else words[3].removeprefix("previous ")
            if words[0] != f"{self.name}/key" or words[1] != str(number) or words[3] != f"previous {former}":
                raise Broken(KEYS, "the chain of keys has a gap")
            if previous is not None and b64decode(former, validate=True) != previous:
                raise Broken(KEYS, "a key names another one as the key before it")
            for key in filter(None, (public, previous)):
                verified(note, self.name, [key], where=KEYS)
            self.keys.append(public)
            self.report.keys.append(f"{self.name}+{key_id(self.name, public).hex()}+{public_words(public)}")
            previous = public
        if pinned is not None:
            if pinned.strip() not in self.report.keys:
                raise Broken(KEYS, "the key you gave is none of this installation's")
            self.report.key_pinned = True

    def _note(self, note: str, where: str) -> str:
        return verified(note, self.name, self.keys, where=where)

    def _heads(self) -> None:
        """Every head is signed and grows out of the one before it in its tree; each tree begins where the one before ended."""
        proofs: dict[str, list[list[str]]] = {}
        for line in _lines(self.files[HEADS]):
            said = json.loads(line)
            head = head_of(self._note(said["note"], HEADS))
            if not head.origin.startswith(f"{self.name}/{self.report.org}/"):
                raise Broken(HEADS, "a head is of another organisation")
            self.heads.setdefault(head.origin, []).append(head)
            proofs.setdefault(head.origin, []).append(said["consistency"])
            self.report.heads += 1
        for origin, heads in self.heads.items():
            last = heads[-1]
            for head, proof in zip(heads, proofs[origin], strict=True):
                consistent(
                    head.size, head.root, last.size, last.root, [bytes.fromhex(each) for each in proof], where=origin
                )
            for earlier, later in pairwise(heads):
                if earlier.size >= later.size or earlier.time > later.time:
                    raise Broken(origin, "its heads are out of order")
                if later.previous != (earlier.size, earlier.root) or later.before != earlier.before:
                    raise Broken(origin, "a head does not follow the one before it")
            behind = last.before
            if behind is not None and behind[0] in self.heads:
                end = self.heads[behind[0]][-1]
                if (end.size, end.root) != behind[1:] or end.time > heads[0].time:
                    raise Broken(origin, "it does not begin where the tree before it ended")

    def _rows(self) -> None:
        previous, time = bytes(32), ""
        decisions: Counter[str] = Counter()
        policies, versions = dict[str, None](), dict[str, None]()
        kind, is_command = "", False
        for number, line in enumerate(_lines(self.files[ROWS])):
            said = json.loads(line)
            if _ENCODE(said).encode() != line:
                raise Broken(f"row {number}", "it is not written as rows are")
            if said["v"] != 1 or said["org"] != self.report.org or said["task"] != self.report.task:
                raise Broken(f"row {number}", "it is of another task or organisation")
            if said["seq"] != number or said["prev"] != previous.hex():
                raise Broken(f"row {number}", "a row is missing, added, altered or out of order")
            if said["ts"] < time:
                raise Broken(f"row {number}", "it is earlier than the row before it")
            previous, time, kind, attrs = (
                hashlib.sha256(b"\x00" + line).digest(),
                said["ts"],
                said["kind"],
                said["attrs"],
            )
            self.hashes.append(previous)
            is_command = is_command or attrs.get("task_kind") == "command"
            for name, entry in said["content"].items():
                self.contents[number, name] = entry
            if "decision" in attrs:
                decisions[attrs["decision"]] += 1
            if "bundle" in attrs:
                policies[attrs["bundle"]] = None
            if "code_version" in attrs:
                versions[attrs["code_version"]] = None
        if not self.hashes:
            raise Broken(ROWS, "there is no row")
        self.report.rows, self.report.fields = len(self.hashes), len(self.contents)
        self.report.ended = kind == "task.ended" or (is_command and kind.startswith("action."))
        self.report.decisions = dict(decisions)
        self.report.policies, self.report.code_versions = list(policies), list(versions)

    def _seals(self) -> None:
        """Every seal is a leaf of a signed tree and says what the rows say."""
        for line in _lines(self.files[SEALS]):
            said = json.loads(line)
            words = said["seal"].encode()
            seal = json.loads(words)
            where = f"seal of {seal['n']} rows"
            if _ENCODE(seal).encode() != words or seal["org"] != self.report.org or seal["task"] != self.report.task:
                raise Broken(where, "it is of another task or organisation")
            heads = self.heads.get(said["origin"], [])
            head = next((each for each in heads if each.size == said["size"]), None)
            if head is None or said["origin"].split("/")[3] != seal["retention"]:
                raise Broken(where, "no signed head speaks for it")
            proof = [bytes.fromhex(each) for each in said["proof"]]
            if not included(hashlib.sha256(b"\x00" + words).digest(), said["position"], head.size, proof, head.root):
                raise Broken(where, "it is not in the signed tree")
            if not 0 < seal["n"] <= len(self.hashes):
                raise Broken(where, "rows that were sealed are missing at the end")
            if self.hashes[seal["n"] - 1].hex() != seal["head"]:
                raise Broken(where, "the rows are not those that were sealed")
            spoke = next(each for each in heads if each.size > said["position"])
            if seal["n"] > self.report.sealed_rows:
                self.report.sealed_rows, self.report.sealed_until = seal["n"], spoke.time
        if not self.report.sealed_rows:
            raise Broken(SEALS, "no signed head speaks for any row")

    def _contents(self) -> None:
        for line in _lines(self.files.get("sealed.jsonl", b"")):
            said = json.loads(line)
            entry = self.contents[said["seq"], said["field"]]
            if hashlib.sha256(b64decode(said["sealed"], validate=True)).hexdigest() != entry["ct"]:
                raise Broken(
                    f"row {said['seq']}", f"the ciphertext of {said['field']} is not the one that was recorded"
                )
            self.report.ciphertexts += 1
        for line in _lines(self.files.get("content.jsonl", b"")):
            said = json.loads(line)
            entry, plain = self.contents[said["seq"], said["field"]], said["plain"].encode()
            proof = hmac.digest(bytes.fromhex(said["key"]), plain, "sha256").hex()
            if len(plain) != entry["len"] or not hmac.compare_digest(proof, entry["cm"]):
                raise Broken(f"row {said['seq']}", f"the content of {said['field']} is not what was recorded")
            self.report.proven += 1
        for line in _lines(self.files[ERASURES]):
            first, body = self._note(json.loads(line)["note"], ERASURES).splitlines()
            said = json.loads(body)
            if first != f"{self.name}/{self.report.org}/statement/erasure" or said["task"] != self.report.task:
                raise Broken(ERASURES, "a statement is about something else")
            self.report.erased.append(
                f"{said['at']}: the key {said['subject'].partition(':')[0]} was destroyed ({said['cause']})"
            )

    def _kept(self, note: str) -> None:
        """A head somebody kept must be one this log had: in a tree of the bundle, or in one that names them as its past."""
        head = head_of(self._note(note, "kept head"))
        rewritten = Broken("kept head", "the log was rewritten: it is not the one you kept a head of")
        same, behind = self.heads.get(head.origin, []), head.before
        if any((each.size, each.root) == (head.size, head.root) for each in same):
            self.report.kept_heads += 1
            return
        is_whole = bool(same) and same[0].previous[0] == 0  # every head of that tree is here, not its last alone
        if any(each.size == head.size for each in same) or (is_whole and head.size < same[-1].size):
            raise rewritten
        if is_whole or behind is None or behind[0] not in self.heads:
            raise Broken("kept head", "it is newer than this bundle, or of another class: export again to compare")
        end = self.heads[behind[0]][-1]
        if behind[1:] != (end.size, end.root):
            raise rewritten
        self.report.kept_heads += 1


def _lines(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if line]


def public_words(public: bytes) -> str:
    """A key as it stands in a public key line: what kind it is, then the key."""
    return b64encode(b"\x01" + public).decode()


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes that name a key in signatures (C2SP signed-note)."""
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def verified(note: str, name: str, keys: Sequence[bytes], *, where: str) -> str:
    """The text of a signed note. Raises `Broken` unless one of `keys` has signed it as `name`."""
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        dash, signer, given = line.split(" ")
        signature = b64decode(given, validate=True)
        for key in keys if (dash, signer) == ("\u2014", name) else ():
            if signature[:4] == key_id(name, key):
                try:
                    Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], f"{text}\n".encode())
                except InvalidSignature:
                    raise Broken(where, "a signature is not genuine") from None
                return text
    raise Broken(where, "it is not signed by a key of this installation")


def head_of(text: str) -> Head:
    """A head, from the text of its note."""
    origin, size, root, time, previous, before = text.split("\n")
    at, last = previous.removeprefix("previous ").split(" ")
    behind = before.removeprefix("before ").split(" ")
    return Head(
        origin=origin,
        size=int(size),
        root=b64decode(root, validate=True),
        time=time.removeprefix("time "),
        previous=(int(at), b64decode(last, validate=True)),
        before=None if behind == ["-"] else (behind[0], int(behind[1]), b64decode(behind[2], validate=True)),
    )


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows the leaf at `index` in the tree of `size` leaves (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = _node(each, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = _node(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and hmac.compare_digest(found, root)


def consistent(size: int, root: bytes, later: int, later_root: bytes, proof: Sequence[bytes], *, where: str) -> None:
    """Raise `Broken` unless `proof` shows that the later tree begins with the earlier one (RFC 9162 §2.1.4.2)."""
    rewritten = Broken(where, "a head does not grow out of an earlier one: the log was rewritten")
    if not 0 < size <= later or (size == later and (proof or root != later_root)):
        raise rewritten
    if size == later:
        return
    path = [root, *proof] if size & (size - 1) == 0 else list(proof)
    at, last = size - 1, later - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not path:
        raise rewritten
    first = second = path[0]
    for each in path[1:]:
        if last == 0:
            raise rewritten
        if at & 1 or at == last:
            first, second = _node(each, first), _node(each, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = _node(second, each)
        at, last = at >> 1, last >> 1
    if last != 0 or first != root or second != later_root:
        raise rewritten


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a bundle from the command line; 0 when everything holds."""
    parser = argparse.ArgumentParser(description="Check a bundle of a task's record.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", help="a public key of the installation that you got elsewhere")
    parser.add_argument("--head", type=Path, action="append", default=[], help="a file with a head you kept")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args(arguments)
    try:
        report = check(given.bundle, pinned=given.key, kept=[each.read_text(encoding="utf-8") for each in given.head])
    except Broken as problem:
        words = json.dumps({"intact": False, "where": problem.where, "what": problem.what})
        print(words if given.json else f"NOT INTACT  {problem}")
        return 1
    print(json.dumps({"intact": True, **asdict(report)}) if given.json else "\n".join(report.lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
