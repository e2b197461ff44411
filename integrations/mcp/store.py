"""Keeps servers and their tools: addresses, titles and descriptions sealed, states and pins in clear."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from integrations._columns import SERVER_SIGN_IN, SERVER_TITLE, SERVER_URL, TOOL_ABOUT, TOOL_NAME
from integrations.mcp.actions import OFF
from integrations.mcp.listed import ListedTool, canonical
from integrations.mcp.sign_in import SignIn, provider_id
from integrations.mcp.tables import McpServerRow, McpToolRow
from integrations.tables import ProviderClientRow, RevocationRow
from joule.database.engine import WriteSession
from joule.kernel.errors import Conflict, NotFound
from joule.kernel.ids import DecisionId, OrgId, PersonId, new_id
from joule.vault.keys import Keyring


@dataclass(frozen=True, kw_only=True)
class KeptServer:
    """A server as it was added. `sign_in`: it takes nobody without a token; None: it asked for none."""

    server: UUID
    url: str
    title: str
    added_by: UUID | None
    looked_at: datetime
    sign_in: SignIn | None = None


@dataclass(frozen=True, kw_only=True)
class KeptTool:
    """A tool as it was last seen. `changed`: it became another while it was on, and nobody has read it since.

    `former` is what it said then, where that is known: not when a call found out and nobody has asked the server since.
    """

    tool: UUID
    server: UUID
    listed: ListedTool
    pin: bytes
    state: str
    changed: bool
    present: bool
    former: ListedTool | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a list brought that was not known."""

    changed: int
    gone: int


async def servers(session: AsyncSession, ring: Keyring) -> list[KeptServer]:
    """All of the organisation's, the oldest first."""
    query = select(McpServerRow).where(col(McpServerRow.removed_at).is_(None))
    rows = await session.scalars(query.order_by(col(McpServerRow.id)))
    return [_server(ring, row) for row in rows]


async def server(session: AsyncSession, ring: Keyring, wanted: UUID, *, also_removed: bool = False) -> KeptServer:
    """Raises `NotFound`, also for one that was removed unless that is wanted."""
    row = await session.get(McpServerRow, (ring.org, wanted))
    if row is None or (row.removed_at is not None and not also_removed):
        raise NotFound("MCP server")
    return _server(ring, row)


async def tools(session: AsyncSession, ring: Keyring, *, on: bool = False) -> list[KeptTool]:
    """The tools of all servers, in the order they were first seen; with `on` only those that are switched on."""
    query = select(McpToolRow).order_by(col(McpToolRow.id))
    if on:
        query = query.where(col(McpToolRow.state) != OFF)
    return [_tool(ring, row) for row in await session.scalars(query)]


async def tool(session: AsyncSession, ring: Keyring, wanted: UUID, *, lock: bool = False) -> KeptTool:
    """Raises `NotFound`."""
    row = await session.get(McpToolRow, (ring.org, wanted), with_for_update=lock)
    if row is None:
        raise NotFound("tool of an MCP server")
    return _tool(ring, row)


async def add(
    session: WriteSession,
    ring: Keyring,
    *,
    url: str,
    title: str,
    by: PersonId | None,
    now: datetime,
    decision: DecisionId,
    sign_in: SignIn | None = None,
) -> UUID:
    """A new server. Raises `Conflict` when its address was added before."""
    key = _url_key(ring, url)
    query = select(McpServerRow.id).where(col(McpServerRow.url_key) == key, col(McpServerRow.removed_at).is_(None))
    if await session.scalar(query) is not None:
        raise Conflict("list of MCP servers")
    made = new_id()
    row = McpServerRow(
        org_id=ring.org,
        id=made,
        url=ring.seal_text(url, row=made, field=SERVER_URL),
        url_key=key,
        title=ring.seal_text(title, row=made, field=SERVER_TITLE),
        sign_in=None if sign_in is None else ring.seal_text(sign_in.plaintext(), row=made, field=SERVER_SIGN_IN),
        added_by=by,
        created_at=now,
        looked_at=now,
        decision_id=decision,
    )
    session.add(row)
    await session.flush()
    return made


async def take(
    session: WriteSession,
    ring: Keyring,
    server: UUID,
    listed: tuple[ListedTool, ...],
    *,
    now: datetime,
    decision: DecisionId,
) -> Difference:
    """Keep what a server says it has now. New tools are off; what changed or went is off again."""
    holder = await session.get(McpServerRow, (ring.org, server), with_for_update=True)
    if holder is None:
        raise NotFound("MCP server")
    holder.looked_at, holder.decision_id = now, decision
    found = await session.scalars(select(McpToolRow).where(col(McpToolRow.server_id) == server).with_for_update())
    known = {row.name_key: row for row in found}
    changed = 0
    for each in listed:
        row = known.pop(_name_key(ring, each.name), None)
        if row is None:
            session.add(_new_tool(ring, server, each, decision))
        elif row.pin != each.pin:
            was_read = row.state != OFF or row.changed_at is not None
            changed += 1
            row.state, row.present, row.decision_id = OFF, True, decision
            row.changed_at = now if was_read or row.set_by is not None else None
            if row.changed_at is not None and row.former is None:
                row.former, row.former_generation = row.about, row.generation
            _describe(ring, row, each)
        elif not row.present:
            row.present, row.decision_id = True, decision
    gone = [row for row in known.values() if row.present]
    for row in gone:
        row.state, row.present, row.decision_id = OFF, False, decision
    await session.flush()
    return Difference(changed=changed, gone=len(gone))


async def switch(
    session: WriteSession, ring: Keyring, wanted: UUID, *, state: str, by: PersonId | None, decision: DecisionId
) -> None:
    """Put a tool in a state. A person has read it: it counts as changed no more."""
    row = await session.get(McpToolRow, (ring.org, wanted))
    if row is None:
        raise NotFound("tool of an MCP server")
    row.state, row.set_by, row.decision_id = state, by, decision
    if state != OFF:
        row.changed_at = row.former = row.former_generation = None


async def switch_off_changed(
    session: WriteSession, ring: Keyring, wanted: UUID, *, now: datetime, decision: DecisionId
) -> None:
    """A call found that the tool is another than it was: off, and shown as changed, until somebody looks again."""
    row = await session.get(McpToolRow, (ring.org, wanted), with_for_update=True)
    if row is not None and row.state != OFF:
        row.state, row.changed_at, row.decision_id = OFF, now, decision


async def wants(session: WriteSession, ring: Keyring, wanted: UUID, sign_in: SignIn, *, decision: DecisionId) -> None:
    """Write down that a server that asked for no token asks for one now. Raises `NotFound`."""
    row = await session.get(McpServerRow, (ring.org, wanted), with_for_update=True)
    if row is None or row.removed_at is not None:
        raise NotFound("MCP server")
    row.sign_in = ring.seal_text(sign_in.plaintext(), row=row.id, field=SERVER_SIGN_IN)
    row.decision_id = decision


async def forget(session: WriteSession, org: OrgId, wanted: UUID, *, now: datetime, decision: DecisionId) -> None:
    """The server goes, and its tools with it. Raises `NotFound`.

    While its issuer has yet to be told that tokens are over the row stays, unseen: where to tell it stands in there.
    """
    row = await session.get(McpServerRow, (org, wanted), with_for_update=True)
    if row is None or row.removed_at is not None:
        raise NotFound("MCP server")
    row.removed_at, row.decision_id = now, decision
    await session.execute(delete(McpToolRow).where(col(McpToolRow.org_id) == org, col(McpToolRow.server_id) == wanted))
    await session.flush()
    await clear(session, org, wanted)


async def clear(session: WriteSession, org: OrgId, wanted: UUID) -> None:
    """Delete what is left of a removed server, once its issuer need be told nothing more."""
    row = await session.get(McpServerRow, (org, wanted), with_for_update=True)
    if row is None or row.removed_at is None:
        return
    name = provider_id(wanted)
    telling = select(RevocationRow.id).where(
        col(RevocationRow.org_id) == org, col(RevocationRow.provider) == name, col(RevocationRow.state) == "pending"
    )
    if await session.scalar(telling.limit(1)) is not None:
        return
    await session.execute(
        delete(ProviderClientRow).where(col(ProviderClientRow.org_id) == org, col(ProviderClientRow.provider) == name)
    )
    await session.delete(row)


def _new_tool(ring: Keyring, server: UUID, listed: ListedTool, decision: DecisionId) -> McpToolRow:
    made = new_id()
    row = McpToolRow(
        org_id=ring.org,
        id=made,
        server_id=server,
        name=ring.seal_text(listed.name, row=made, field=TOOL_NAME),
        name_key=_name_key(ring, listed.name),
        about=b"",
        generation=0,
        pin=listed.pin,
        state=OFF,
        reads_only=False,
        present=True,
        decision_id=decision,
    )
    _describe(ring, row, listed)
    return row


def _describe(ring: Keyring, row: McpToolRow, listed: ListedTool) -> None:
    row.generation += 1
    about = {
        "title": listed.title,
        "description": listed.description,
        "schema": listed.schema,
        "hints": listed.hints,
    }
    row.about = ring.seal_text(canonical(about), row=row.id, field=TOOL_ABOUT, generation=row.generation)
    row.pin, row.reads_only = listed.pin, listed.reads_only


def _server(ring: Keyring, row: McpServerRow) -> KeptServer:
    return KeptServer(
        server=row.id,
        url=ring.open_text(row.url, row=row.id, field=SERVER_URL),
        title=ring.open_text(row.title, row=row.id, field=SERVER_TITLE),
        added_by=row.added_by,
        looked_at=row.looked_at,
        sign_in=None
        if row.sign_in is None
        else SignIn.from_plaintext(ring.open_text(row.sign_in, row=row.id, field=SERVER_SIGN_IN)),
    )


def _tool(ring: Keyring, row: McpToolRow) -> KeptTool:
    name = ring.open_text(row.name, row=row.id, field=TOOL_NAME)
    return KeptTool(
        tool=row.id,
        server=row.server_id,
        listed=_told(ring, row, name, row.about, row.generation),
        pin=row.pin,
        state=row.state,
        changed=row.changed_at is not None,
        present=row.present,
        former=None if row.former is None else _told(ring, row, name, row.former, row.former_generation or 0),
    )


def _told(ring: Keyring, row: McpToolRow, name: str, sealed: bytes, generation: int) -> ListedTool:
    about: dict[str, Any] = json.loads(ring.open_text(sealed, row=row.id, field=TOOL_ABOUT, generation=generation))
    return ListedTool(name=name, **about)


def _url_key(ring: Keyring, url: str) -> bytes:
    return ring.commitment("mcp_server.url", url.encode())


def _name_key(ring: Keyring, name: str) -> bytes:
    return ring.commitment("mcp_tool.name", name.encode())
