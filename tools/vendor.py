"""Fetches the browser libraries named in the lock, for developers only; users never need node or a network.

    python tools/vendor.py            fetch, check against the lock, write the files
    python tools/vendor.py --check    offline: do the committed files still equal the lock?
    python tools/vendor.py --relock   fetch the versions in the lock and write their hashes anew

A file that is not in the lock is not served, and a hash that differs stops the run before anything is written.
"""

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

WEB = Path(__file__).resolve().parent.parent / "joule" / "web"
LOCK = WEB / "vendor.lock.json"
VENDOR = WEB / "static" / "vendor"


def integrity(content: bytes, algorithm: str) -> str:
    """A subresource-integrity string: algorithm, dash, base64 of the digest."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


def check(lock: dict[str, Any]) -> list[str]:
    """What differs between the lock and the committed files; empty when nothing does."""
    locked = {file["path"]: file["integrity"] for package in lock["packages"] for file in package["files"]}
    present = {str(each.relative_to(VENDOR)) for each in VENDOR.rglob("*") if each.is_file()}
    problems = [f"{path}: not in the lock" for path in sorted(present - locked.keys())]
    for path, expected in locked.items():
        if path not in present:
            problems.append(f"{path}: missing")
        elif integrity((VENDOR / path).read_bytes(), "sha384") != expected:
            problems.append(f"{path}: differs from the lock")
    return problems


def fetch(package: dict[str, Any], folder: Path) -> tarfile.TarFile:
    """The package's tarball, checked against the lock's sha512 (which is the registry's own `dist.integrity`)."""
    wanted = f"{package['name']}@{package['version']}"
    packed = subprocess.run(  # noqa: S603 - the names come from the lock
        ["npm", "pack", wanted, "--json", "--pack-destination", str(folder)],  # noqa: S607 - the developer's own npm
        check=True,
        capture_output=True,
        text=True,
    )
    listed = json.loads(packed.stdout)
    (entry,) = listed if isinstance(listed, list) else listed.values()
    tarball = folder / entry["filename"]
    found = integrity(tarball.read_bytes(), "sha512")
    if package.get("integrity") and found != package["integrity"]:
        raise SystemExit(f"{wanted}: the tarball's hash is not the one in the lock")
    if found != entry["integrity"]:
        raise SystemExit(f"{wanted}: the tarball's hash is not the registry's")
    package["integrity"] = found
    return tarfile.open(tarball)


def update(lock: dict[str, Any], *, relock: bool) -> None:
    """Fetches every package, checks every file, then writes them all."""
    contents: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for package in lock["packages"]:
            if relock:
                package["integrity"] = ""
            with fetch(package, Path(folder)) as tarball:
                for file in package["files"]:
                    member = tarball.extractfile(f"package/{file['from']}")
                    if member is None:
                        raise SystemExit(f"{package['name']} has no file {file['from']}")
                    contents[file["path"]] = member.read()
                    found = integrity(contents[file["path"]], "sha384")
                    if not relock and found != file["integrity"]:
                        raise SystemExit(f"{file['path']}: differs from the lock")
                    file["integrity"] = found
    for path, content in contents.items():
        target = VENDOR / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    LOCK.write_text(json.dumps(lock, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--relock", action="store_true")
    options = parser.parse_args()
    lock = json.loads(LOCK.read_text())
    if not options.check:
        update(lock, relock=options.relock)
    problems = check(lock)
    sys.stdout.write("\n".join(problems or ["the vendored files equal the lock"]) + "\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
