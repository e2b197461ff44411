"""Keeps whose account a consent is for, and tells whether two consents are for the same one.

The name is sealed and shown to people. The id is kept as a keyed hash alone: it is only ever compared. What could not be
learnt while connecting is asked for again later, until the provider has answered; a connection never fails for a name.
"""

import asyncio
import hmac
from collections.abc import Collection
from datetime import datetime, timedelta

from integrations._columns import ACCOUNT
from integrations.catalogue.account import LONGEST, NamedAccount
from integrations.catalogue.model import Provider
from integrations.grants import provider_of
from integrations.oauth.endpoint import TokenEndpoint
from integrations.oauth.naming import kept_in
from integrations.oauth.wire import TokenSet
from integrations.tables import OAuthGrantRow
from joule.kernel.errors import JouleError
from joule.vault.keys import Keyring

PATIENCE = timedelta(seconds=5)  # of the person who waits at the browser
SOONEST, LATEST = timedelta(minutes=1), timedelta(days=1)
_OLDER = ("team", "workspace")  # ids that token sets kept before accounts had a place of their own


async def told_by(
    endpoint: TokenEndpoint, tokens: TokenSet, *, granted: Collection[str], tenant: str | None
) -> NamedAccount | None:
    """Whose account it is; None when the provider could not be asked just now."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            return await endpoint.account(tokens, granted=granted, tenant=tenant)
    except (JouleError, TimeoutError):
        known = kept_in(tokens)
        return known if known.is_whole else None


def keep(ring: Keyring, row: OAuthGrantRow, told: NamedAccount, *, tenant: str | None) -> None:
    """Write down what is known. What was known before stays where nothing newer is said."""
    words = told.name or tenant or told.id  # a shop or an instance is known by its address
    if words is not None and not (told.name is None and row.account is not None):
        row.account = ring.seal_text(words[:LONGEST], row=row.id, field=ACCOUNT)
    if told.id is not None:
        row.account_key = key_of(ring, row.family, told.id)


def is_same(ring: Keyring, row: OAuthGrantRow, connected: TokenSet | None, told: NamedAccount) -> bool:
    """Whether a consent is for the account of `row`: by the provider's id, by the name only where there are no ids."""
    if told.id is not None:
        known = row.account_key
        older = None if connected is None else next(filter(None, map(connected.extra.get, _OLDER)), None)
        if known is None and older is not None:
            known = key_of(ring, row.family, older)
        return known is not None and hmac.compare_digest(known, key_of(ring, row.family, told.id))
    if row.account_key is not None or row.account is None or told.name is None:
        return False
    name = ring.open_text(row.account, row=row.id, field=ACCOUNT)
    return hmac.compare_digest(name.encode(), told.name[:LONGEST].encode())


def key_of(ring: Keyring, family: str, account: str) -> bytes:
    """The keyed hash by which accounts of one company are told apart."""
    return ring.commitment("integrations.account", family.encode(), account.encode())


def again_at(row: OAuthGrantRow, told: NamedAccount | None, *, now: datetime, first: bool) -> datetime | None:
    """When to ask once more; None: there is nothing to ask, or the provider has answered for good."""
    if not can_be_asked(provider_of(row.provider)) or (told is not None and (told.is_whole or not first)):
        return None
    if first:
        return now + SOONEST
    return now + min(max(now - row.created_at, SOONEST), LATEST)


def can_be_asked(provider: Provider | None) -> bool:
    """Whether there is more to ask than what came with the tokens."""
    return provider is not None and any(clue.source in {"call", "introspection"} for clue in provider.account)
