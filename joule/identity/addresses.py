"""Finds by an e-mail address which person signs in with it.

An address is looked up by its HMAC under a key of the deployment's own, which the vault keeps sealed: a plain hash of
an address falls to a list of addresses in no time. The key never changes while the deployment lives.
"""

import re
import unicodedata

from sqlalchemy import select, text
from sqlmodel import col

from joule.database.engine import Database
from joule.identity.deployment import DEPLOYMENT
from joule.identity.errors import DetailUnfit
from joule.identity.tables import PersonAddressRow
from joule.kernel.ids import OrgId
from joule.vault.errors import NoKey
from joule.vault.vault import Vault

_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,189}")
_MAX_NAME = 120
_SCOPE = text("SELECT set_config('joule.address_key', :key, true)")


class Addresses:
    """Turns addresses into keys, and keys into organisations. Shared by the handler and the sign-in page."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def key_of(self, email: str) -> bytes:
        """The 32 bytes an address is found by; the same for every way of writing it in upper or lower case."""
        return await self._keyed(same_address(email))

    async def organisation_of(self, email: str) -> OrgId:
        """Where a sign-in by password with this address has to be tried: the oldest account that has a password.

        For an address nobody has, it is the deployment's own scope: the sign-in then takes its ordinary course, and
        fails like any other, in the same time.
        """
        key = await self.key_of(email)
        async with self._database.read(DEPLOYMENT) as session:
            await session.execute(_SCOPE, {"key": key.hex()})
            found = await session.scalar(
                select(col(PersonAddressRow.org_id))
                .where(col(PersonAddressRow.address_key) == key, col(PersonAddressRow.with_password))
                .order_by(col(PersonAddressRow.person_id))
                .limit(1)
            )
        return DEPLOYMENT if found is None else OrgId(found)

    async def _keyed(self, address: str) -> bytes:
        try:
            async with self._database.read(DEPLOYMENT) as session:
                keyring = await self._vault.keyring(session, DEPLOYMENT)
                return keyring.commitment("identity.address", address.encode())
        except NoKey:
            async with self._database.write(DEPLOYMENT) as making:
                keyring = await self._vault.keyring(making, DEPLOYMENT, create=True)
                return keyring.commitment("identity.address", address.encode())


def same_address(email: str) -> str:
    """One spelling for all spellings of an address."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


def checked_address(email: str) -> str:
    """The address as it will be kept. Raises `DetailUnfit` for what cannot be one."""
    address = email.strip()
    if len(address) > 254 or _ADDRESS.fullmatch(address) is None:
        raise DetailUnfit("this is not an e-mail address", advice="Write the address like name@example.com.")
    return address


def checked_name(name: str) -> str:
    """A person's or an organisation's name as it will be kept. Raises `DetailUnfit` for what cannot be one."""
    tidy = " ".join(name.split())
    if not 1 <= len(tidy) <= _MAX_NAME or any(unicodedata.category(letter).startswith("C") for letter in tidy):
        raise DetailUnfit("this name cannot be used", advice=f"Give a name of 1 to {_MAX_NAME} printable letters.")
    return tidy
