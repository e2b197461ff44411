"""A provider to measure against: refresh tokens that work once, answers as slow as asked, every request on record.

It stands on loopback at the addresses of the catalogue's demonstration. Reuse of a refresh token ends the grant, as strict
providers do it: whoever renews twice loses.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import parse_qs
from uuid import UUID

from integrations import grants
from integrations._columns import GRANT_TENANT
from integrations.demo import PROVIDER
from integrations.oauth.secret import Secret
from integrations.oauth.wire import TokenSet
from integrations.tables import ConnectionRow, OAuthGrantRow
from joule.database.engine import Database
from joule.kernel.ids import DecisionId, OrgId, new_id
from joule.vault.vault import Vault

P = TypeVar("P", bound="Rotating")
LIFE = timedelta(hours=1)
SCOPES = ["contacts.read", "campaigns.read"]


@dataclass(kw_only=True)
class Rotating:
    """The provider's memory."""

    slow: float = 0.0
    minted: int = 0
    refreshes: int = 0
    refresh: str | None = None
    access: str | None = None
    calls: list[float] = field(default_factory=list)  # when its API was asked
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    account: str = "Blue Bike"

    def mint(self) -> dict[str, object]:
        """The next tokens; those before are over."""
        self.minted += 1
        self.access, self.refresh = f"access-{self.minted}", f"refresh-{self.minted}"
        return {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "token_type": "Bearer",
            "expires_in": int(LIFE.total_seconds()),
            "scope": " ".join(SCOPES),
            "account_name": self.account,
        }

    async def answer(self, path: str, body: bytes, authorization: str) -> tuple[int, dict[str, object]]:
        if path == "/oauth/token":
            given = parse_qs(body.decode())
            if given.get("grant_type") == ["authorization_code"]:  # whatever the code
                return 200, self.mint()
            if given.get("refresh_token") != [self.refresh] or self.refresh is None:
                self.refresh = self.access = None
                return 400, {"error": "invalid_grant"}
            self.refreshes += 1
            told = self.mint()
            await asyncio.sleep(self.slow)
            return 200, told
        if path == "/oauth/revoke":
            self.refresh = self.access = None
            return 200, {}
        self.calls.append(time.time())
        if authorization != f"Bearer {self.access}":
            return 401, {"error": "invalid_token"}
        return 200, {"campaigns": [], "contacts": []}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                path = line.split()[1].decode().split("?")[0]
                headers = {}
                while (each := await reader.readline()).strip():
                    name, _, value = each.decode().partition(":")
                    headers[name.strip().lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                status, told = await self.answer(path, body, headers.get("authorization", ""))
                text = json.dumps(told).encode()
                head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
                writer.write(head.encode() + text)
                await writer.drain()
                if path == "/oauth/token":
                    self.answered.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked was killed: that is what is measured
        finally:
            writer.close()


@asynccontextmanager
async def rotating() -> AsyncIterator[Rotating]:
    """The provider on a free port of loopback."""
    async with serving(Rotating()) as provider:
        yield provider


@asynccontextmanager
async def serving(provider: P) -> AsyncIterator[P]:
    """This provider on a free port of loopback."""
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()


async def connect(database: Database, vault: Vault, provider: Rotating, *, org: OrgId, now: datetime) -> UUID:
    """A connection whose tokens this provider knows, as a consent would have left it."""
    grant, connection, decision = new_id(), new_id(), DecisionId(new_id())
    told = provider.mint()
    tokens = TokenSet(
        access_token=Secret(str(told["access_token"])),
        refresh_token=Secret(str(told["refresh_token"])),
        received_at=now,
        expires_at=now + LIFE,
        scopes=tuple(SCOPES),
    )
    async with database.write(org) as session:
        ring = await vault.keyring(session, org, create=True)
        row = OAuthGrantRow(
            org_id=org,
            id=grant,
            provider=PROVIDER,
            family=PROVIDER,
            granted_by=new_id(),
            tenant=ring.seal_text(f"127.0.0.1:{provider.port}", row=grant, field=GRANT_TENANT),
            requested=SCOPES,
            granted=SCOPES,
            scope_source="response",
            catalogue_version="bench",
            status="active",
            generation=0,
            can_refresh=True,
            refreshed_at=now,
            created_at=now,
            decision_id=decision,
        )
        session.add(row)
        await grants.seal_tokens(session, vault, org, row, tokens, now=now)
        await session.flush()
        session.add(
            ConnectionRow(
                org_id=org,
                id=connection,
                grant_id=grant,
                provider=PROVIDER,
                status="active",
                epoch=1,
                read_only=True,
                connected_by=row.granted_by,
                connected_at=now,
                decision_id=decision,
            )
        )
    return connection
