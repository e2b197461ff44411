"""Hands out what is kept about one person: a package of JSON files, with the sum of each.

Read where `ExportPerson` has been performed and is on record, and nowhere else.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from joule.database.engine import ReadSession
from joule.kernel.ids import OrgId, PersonId
from joule.privacy.parts import PersonTeller

FORMAT = "joule/person-export/v1"

Told = Mapping[str, Sequence[Mapping[str, Any]]]


async def told(session: ReadSession, tellers: Sequence[PersonTeller], org: OrgId, person: PersonId) -> Told:
    """What every room keeps of a person, by kind."""
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    for tell in tellers:
        found.update(await tell(session, org, person))
    return found


def package(kept: Told, *, person: PersonId, at: datetime) -> bytes:
    """A ZIP with one JSON file for each kind, and a manifest that says what they hold and their SHA-256."""
    files = {
        f"{kind}.json": json.dumps(rows, indent=1, ensure_ascii=False, sort_keys=True).encode()
        for kind, rows in kept.items()
    }
    manifest = {
        "format": FORMAT,
        "person": str(person),
        "made_at": at.isoformat(),
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "entries": len(kept[name.removesuffix(".json")])}
            for name, content in files.items()
        },
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest, indent=1, sort_keys=True))
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()
