"""Erases what was made from sources that are being erased, in the transaction that erases them.

Handed by the assembly to every room that erases a source: a room need not know who kept something from it. Sources are
named as labels name them: `message:<task>`, `thread:<id>`, `document:<id>`, `connection:<id>`, `file:<id>`.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from joule.database.engine import WriteSession
from joule.kernel.ids import OrgId
from joule.kernel.permit import Permit
from memory import _labels, gone, sourced
from memory.entries._store import erase_from
from memory.items import _ends, _switches
from memory.items.kinds import SourceKind
from memory.items.results import SourceSpan


async def follow(session: WriteSession, permit: Permit, org: OrgId, sources: Sequence[str]) -> Mapping[str, int]:
    """Erase remembered items, entries and versions of files; how many, by word. Nothing made from the sources is kept later.

    An item or file that also stands on something else stays, on that alone.
    """
    await gone.bury(session, org, sources, at=permit.issued_at, decision=permit.decision)
    named = [(kind, UUID(identifier)) for kind, _, identifier in (each.partition(":") for each in sources)]
    spans = [SourceSpan(kind=SourceKind(kind), source=each) for kind, each in named if kind in list(SourceKind)]
    items = await _ends.follow(session, org, spans, decision=permit.decision)
    entries = await erase_from(session, org, sources)
    # A file that came of a message, or of another file, is a work of its own: it stays until it is deleted itself.
    outside = _labels.erasable(sources)
    versions = sum([await sourced.erase_versions(session, org, each, decision=permit.decision) for each in outside])
    await _switches.forget(session, org, [each for kind, each in named if kind == "thread"])
    return {"items": items, "entries": entries, "versions": versions}
