"""Connected accounts as rows, for pages that only show them: no provider is asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from integrations._columns import ACCOUNT
from integrations.tables import ConnectionRow, OAuthGrantRow, RevocationRow
from joule.kernel.ids import new_id
from tests.support.house import Home


@dataclass(frozen=True, kw_only=True)
class Account:
    """A connection and its grant."""

    connection: UUID
    grant: UUID


async def connected(
    home: Home,
    provider: str = "demo_crm",
    *,
    account: str = "ada@harbour.test",
    requested: tuple[str, ...] = ("contacts.read", "campaigns.read"),
    granted: tuple[str, ...] = ("contacts.read", "campaigns.read"),
    status: str = "active",
    read_only: bool = True,
    grant: UUID | None = None,
    name_at: datetime | None = None,
    ended: tuple[str, ...] | None = None,
) -> Account:
    """An account that is connected, or (`ended`: outcomes by token) was. `grant`: one that is there already."""
    now = home.house.clock.now()
    connection, decision = new_id(), new_id()
    person = home.owner.person
    assert person is not None
    async with home.house.database.write(home.org) as session:
        if grant is None:
            grant = new_id()
            ring = await home.house.vault.keyring(session, home.org)
            session.add(
                OAuthGrantRow(
                    org_id=home.org,
                    id=grant,
                    provider=provider,
                    family=provider,
                    granted_by=person,
                    account=ring.seal_text(account, row=grant, field=ACCOUNT) if account else None,
                    name_at=name_at,
                    requested=list(requested),
                    granted=list(granted),
                    scope_source="response",
                    catalogue_version="0" * 16,
                    status="active" if status == "revoked" else status,
                    generation=1,
                    can_refresh=True,
                    expires_at=now + timedelta(minutes=15),
                    refreshed_at=now,
                    created_at=now,
                    decision_id=decision,
                )
            )
            await session.flush()
        session.add(
            ConnectionRow(
                org_id=home.org,
                id=connection,
                grant_id=grant,
                provider=provider,
                status="active" if ended is None else "revoked",
                epoch=1,
                read_only=read_only,
                connected_by=person,
                connected_at=now,
                revoked_at=None if ended is None else now,
                revoked_by=None if ended is None else person,
                decision_id=decision,
            )
        )
        if ended is not None:
            session.add(
                RevocationRow(
                    org_id=home.org,
                    id=new_id(),
                    grant_id=grant,
                    connection_id=connection,
                    provider=provider,
                    cause="person",
                    state="done" if ended else "pending",
                    outcomes=list(ended),
                    attempts=1,
                    next_at=now,
                    task_id=new_id(),
                    created_at=now,
                    decision_id=decision,
                )
            )
    return Account(connection=connection, grant=grant)
