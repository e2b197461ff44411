"""Words sealed and opened in one line; stand-ins around real wrappers: one that counts, one that stops answering; and arithmetic for forging GCM."""

import asyncio

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from joule.database.engine import Database
from joule.kernel.ids import OrgId, new_id
from joule.vault.errors import WrapperAway
from joule.vault.vault import Vault
from joule.vault.wrapper import KekName, KeyWrapper, WrapContext, WrappedKey

ROW = new_id()


async def sealed_by(vault: Vault, database: Database, org: OrgId, subject: str = "", *, words: str = "words") -> bytes:
    """`words` sealed for (ROW, "body") in a transaction of its own; makes the first key."""
    async with database.write(org) as session:
        ring = await vault.keyring(session, org, subject, create=True)
        return ring.seal_text(words, row=ROW, field="body")


async def opened_by(vault: Vault, database: Database, org: OrgId, sealed: bytes, subject: str = "") -> str:
    """What `sealed_by` sealed, opened in a transaction of its own."""
    async with database.read(org) as session:
        return (await vault.keyring(session, org, subject)).open_text(sealed, row=ROW, field="body")


class Watched:
    """A wrapper in front of a real one: counts what it is asked, and can be made to stay away."""

    def __init__(self, behind: KeyWrapper) -> None:
        self._behind = behind
        self.scheme = behind.scheme
        self.wraps = self.unwraps = 0
        self.is_away = False

    async def current(self) -> KekName:
        self._answer()
        return await self._behind.current()

    async def wrap(self, key: bytes, context: WrapContext) -> WrappedKey:
        self._answer()
        self.wraps += 1
        await asyncio.sleep(0)
        return await self._behind.wrap(key, context)

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        self._answer()
        self.unwraps += 1
        return await self._behind.unwrap(wrapped, context)

    async def health(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.is_away:
            raise WrapperAway()


def ciphertext_for_two_keys(first: bytes, second: bytes, associated: bytes) -> bytes:
    """One AES-GCM ciphertext and tag (zero nonce, one block) that decrypts under both keys: plain GCM does not commit."""
    h1, e1 = _block(first, bytes(16)), _block(first, bytes(15) + b"\x01")
    h2, e2 = _block(second, bytes(16)), _block(second, bytes(15) + b"\x01")
    padded = associated + bytes(-len(associated) % 16)
    blocks = [padded[at : at + 16] for at in range(0, len(padded), 16)]
    lengths = (len(associated) * 8).to_bytes(8, "big") + (128).to_bytes(8, "big")

    def hashed(h: int, body: int) -> int:
        state = 0
        for block in [*blocks, body.to_bytes(16, "big"), lengths]:
            state = _times(state ^ int.from_bytes(block, "big"), h)
        return state

    # tag = e ^ hash; the body enters as body·h², so choose it where both tags meet.
    apart = e1 ^ e2 ^ hashed(h1, 0) ^ hashed(h2, 0)
    body = _times(apart, _inverse(_times(h1, h1) ^ _times(h2, h2)))
    return body.to_bytes(16, "big") + (e1 ^ hashed(h1, body)).to_bytes(16, "big")


def _block(key: bytes, block: bytes) -> int:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # one raw block of the cipher
    return int.from_bytes(encryptor.update(block), "big")


def _times(a: int, b: int) -> int:
    """The product in GCM's field, whose bits run backwards (NIST SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (0xE1 << 120 if b & 1 else 0)
    return product


def _inverse(a: int) -> int:
    """a to the power of 2**128 - 2."""
    result = 1 << 127  # one
    for _ in range(127):
        a = _times(a, a)
        result = _times(result, a)
    return result
