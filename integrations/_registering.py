"""Writes down who Joule is at a provider."""

from datetime import datetime
from uuid import UUID

from integrations import clients
from integrations._columns import CLIENT_ID, NEXT_SECRET
from integrations.actions import SetProviderClient
from integrations.catalogue.load import catalogue
from integrations.mcp import store
from integrations.mcp.sign_in import server_of
from integrations.oauth.authentication import ALGORITHMS, is_key
from integrations.oauth.secret import Secret
from integrations.oauth.wire import ClientIdentity
from integrations.results import ClientSet
from integrations.tables import ProviderClientRow
from joule.database.engine import WriteSession
from joule.kernel.errors import Invalid
from joule.kernel.ids import DecisionId, PersonId, new_id
from joule.vault.keys import Keyring

LONGEST = 8_000


async def set_client(
    session: WriteSession, ring: Keyring, action: SetProviderClient, *, decision: DecisionId, now: datetime
) -> ClientSet:
    """Keep the client, the former secret beside it if asked. Raises `ProviderUnknown`, `NotFound` or `Invalid`."""
    server = server_of(action.provider)
    if server is not None:
        return await _set_client_of_server(session, ring, server, action, decision=decision, now=now)
    provider = catalogue().provider(action.provider)
    row = await clients.row_of(session, ring.org, provider.id, lock=True)
    if not action.client_id:
        if row is not None:
            await session.delete(row)
        return ClientSet(provider=provider.id, client=None)
    secret = None if action.client_secret is None else action.client_secret.get_secret_value()
    extra = {each.name: each.value.get_secret_value() for each in action.extra}
    _check(action.client_id, secret or "", *extra.values())
    if set(extra) - {each.name for each in provider.extra_secrets}:
        raise Invalid("the provider has no such further secret", advice="Give those its page asks for.")
    if row is None:
        row = ProviderClientRow(
            org_id=ring.org,
            id=new_id(),
            provider=provider.id,
            client_id=b"",
            generation=0,
            created_at=now,
            updated_at=now,
            decision_id=decision,
        )
        former = None
        session.add(row)
    else:
        former = clients.opened(ring, row).client_secret if action.keep_former else None
    row.generation += 1
    generation = row.generation
    row.client_id = ring.seal_text(action.client_id, row=row.id, field=CLIENT_ID, generation=generation)
    key = _key(action)
    row.client_secret = clients.sealed_secret(ring, row.id, generation, secret=secret, extra=extra, key=key)
    row.next_secret = None
    if former is not None:
        row.next_secret = ring.seal_text(former.reveal(), row=row.id, field=NEXT_SECRET, generation=generation)
    row.set_by, row.updated_at, row.decision_id = action.principal.person, now, decision
    return ClientSet(provider=provider.id, client=row.id)


async def _set_client_of_server(
    session: WriteSession,
    ring: Keyring,
    server: UUID,
    action: SetProviderClient,
    *,
    decision: DecisionId,
    now: datetime,
) -> ClientSet:
    await store.server(session, ring, server)
    row = await clients.row_of(session, ring.org, action.provider, lock=True)
    if not action.client_id:
        if row is not None:
            await session.delete(row)
        return ClientSet(provider=action.provider, client=None)
    secret = None if action.client_secret is None else action.client_secret.get_secret_value()
    _check(action.client_id, secret or "")
    if action.extra:
        raise Invalid("the provider has no such further secret", advice="Give those its page asks for.")
    made = ClientIdentity(client_id=action.client_id, client_secret=None if secret is None else Secret(secret))
    return await keep_client(
        session, ring, action.provider, made, by=action.principal.person, decision=decision, now=now
    )


async def keep_client(
    session: WriteSession,
    ring: Keyring,
    provider: str,
    client: ClientIdentity,
    *,
    by: PersonId | None,
    decision: DecisionId,
    now: datetime,
) -> ClientSet:
    """Keep who Joule is at the issuer of an MCP server, in place of whoever it was."""
    row = await clients.row_of(session, ring.org, provider, lock=True)
    if row is None:
        row = ProviderClientRow(
            org_id=ring.org,
            id=new_id(),
            provider=provider,
            client_id=b"",
            generation=0,
            created_at=now,
            updated_at=now,
            decision_id=decision,
        )
        session.add(row)
    row.generation += 1
    generation, secret = row.generation, client.client_secret
    row.client_id = ring.seal_text(client.client_id, row=row.id, field=CLIENT_ID, generation=generation)
    row.client_secret = None
    if secret is not None:
        row.client_secret = clients.sealed_secret(ring, row.id, generation, secret=secret.reveal(), extra={})
    row.next_secret, row.set_by, row.updated_at, row.decision_id = None, by, now, decision
    return ClientSet(provider=provider, client=row.id)


def _key(action: SetProviderClient) -> dict[str, str] | None:
    if action.private_key is None:
        return None
    pem = Secret(action.private_key.get_secret_value())
    if len(pem.reveal()) > LONGEST or not is_key(pem, action.key_algorithm):
        raise Invalid(
            f"this is no private key that signs with {action.key_algorithm[:20]}",
            advice=f"Give the whole PEM text of the private key, and one of {', '.join(ALGORITHMS)}.",
        )
    _check(action.key_id)
    return {"pem": pem.reveal(), "id": action.key_id, "algorithm": action.key_algorithm}


def _check(*values: str) -> None:
    if any(len(each) > LONGEST or not each.isprintable() for each in values):
        raise Invalid(
            "a client id or secret has characters in it that cannot be part of one",
            advice="Copy it again from the provider's page, without line breaks.",
        )
