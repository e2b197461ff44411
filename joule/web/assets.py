"""Names the static files with their hashes, so that a page loads exactly the bytes this release was tested with.

Vendored files take their hash from the lock (`vendor.lock.json`), so that a file changed on disk no longer runs;
our own files are hashed once, when the pages are built.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WEB = Path(__file__).resolve().parent
STATIC = WEB / "static"
LOCK = WEB / "vendor.lock.json"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One file as a page refers to it."""

    url: str  # carries `?v=`, so that it may be cached for ever
    integrity: str


def _integrity(content: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def _asset(path: str, integrity: str) -> Asset:
    version = hashlib.sha256(integrity.encode()).hexdigest()[:12]
    return Asset(url=f"/static/{path}?v={version}", integrity=integrity)


def locked() -> Mapping[str, str]:
    """The integrity of every vendored file, by its path under `static/vendor`."""
    lock = json.loads(LOCK.read_text())
    return {file["path"]: file["integrity"] for package in lock["packages"] for file in package["files"]}


def assets() -> Mapping[str, Asset]:
    """Every static file by its path under `static`."""
    vendored = {f"vendor/{path}": integrity for path, integrity in locked().items()}
    own = {
        str(each.relative_to(STATIC)): _integrity(each.read_bytes())
        for each in sorted(STATIC.rglob("*"))
        if each.is_file() and not each.is_relative_to(STATIC / "vendor")
    }
    return {path: _asset(path, integrity) for path, integrity in (own | vendored).items()}
