"""The ring of one subject's data keys, in plaintext, for the length of one transaction.

Do not keep a ring: shredding takes effect where a ring is loaded, and a ring already in hand goes on opening.
A ring cannot be printed, pickled, copied or turned into JSON.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import NoReturn
from uuid import UUID

from joule.kernel.errors import Corrupt
from joule.kernel.ids import OrgId
from joule.vault import record
from joule.vault.errors import UnknownKey
from joule.vault.record import length_prefixed, place

_COMMITMENTS = b"joule/commitment/v1"
_UNDER_NAME, _UNDER_KEY = "joule/under/v1/name", "joule/under/v1/key"


class Keyring:
    """Seals, opens and commits for one (organisation, subject). Made by `Vault.keyring` alone."""

    __slots__ = ("_active", "_active_key", "_commitment_key", "_first", "_keys", "org", "subject")

    def __init__(self, *, org: OrgId, subject: str, keys: Mapping[UUID, bytes], active: UUID, first: UUID) -> None:
        self.org, self.subject = org, subject
        self._keys = {name.bytes: key for name, key in keys.items()}
        self._active, self._active_key, self._first = active, keys[active], first
        # The first key a subject ever had, so that rotating its data keys leaves every stored commitment checkable;
        # it is destroyed with the others, so that after shredding no guess can be checked against a commitment.
        self._commitment_key = hmac.digest(keys[first], length_prefixed(_COMMITMENTS, first.bytes), "sha256")

    def seal(self, plaintext: bytes, *, row: UUID, field: str, generation: int = 0) -> bytes:
        """`plaintext` sealed under the active key: 101 bytes longer, and opens only for this row, field, generation."""
        return record.seal(self._active_key, self._active, plaintext, place(self.org, row, field, generation))

    def open(self, sealed: bytes, *, row: UUID, field: str, generation: int = 0) -> bytes:
        """The plaintext. Raises `Corrupt` when the bytes were changed, cut or moved from another place.

        Raises `UnknownKey` (a `Corrupt`) when they name a key that is not on this ring: another subject's, or one
        made after this ring was loaded.
        """
        key = self._keys.get(record.key_name_of(sealed))
        if key is None:
            raise UnknownKey("a sealed record names a key that is not here")
        return record.open_sealed(key, sealed, place(self.org, row, field, generation))

    def seal_text(self, plaintext: str, *, row: UUID, field: str, generation: int = 0) -> bytes:
        return self.seal(plaintext.encode(), row=row, field=field, generation=generation)

    def open_text(self, sealed: bytes, *, row: UUID, field: str, generation: int = 0) -> str:
        try:
            return self.open(sealed, row=row, field=field, generation=generation).decode()
        except UnicodeDecodeError:  # without `from`: the cause carries the bytes
            raise Corrupt("a sealed text is not text") from None

    def commitment(self, purpose: str, *parts: bytes) -> bytes:
        """HMAC-SHA-256 (32 bytes) of `parts` for `purpose`: the same for the same words as long as the subject lives.

        Survives rotation. Different subjects and organisations give unrelated values; nobody without the key can
        check a guess.
        """
        return hmac.digest(self._commitment_key, length_prefixed(purpose.encode(), *parts), "sha256")

    def under(self, other: "Keyring") -> "Keyring":
        """This ring's keys, each bound to `other`: what they seal opens only while both subjects have their keys.

        Neither ring can open what the bound one sealed. `other` may be rotated meanwhile; the binding stays.
        """
        bound = {name: UUID(bytes=other.commitment(_UNDER_NAME, name)[:16]) for name in self._keys}
        keys = {bound[name]: other.commitment(_UNDER_KEY, name, key) for name, key in self._keys.items()}
        active, first = bound[self._active.bytes], bound[self._first.bytes]
        return Keyring(org=self.org, subject=self.subject, keys=keys, active=active, first=first)

    def in_order(self) -> Sequence[tuple[UUID, bytes]]:
        """The keys as they were made, for the vault alone, which wraps them."""
        return [(UUID(bytes=name), key) for name, key in self._keys.items()]

    @property
    def active(self) -> UUID:
        """The id of the key that seals from now on."""
        return self._active

    def is_current(self, sealed: bytes) -> bool:
        """Whether a record is already under the active key."""
        return record.key_id_of(sealed) == self._active

    def reseal(self, sealed: bytes, *, row: UUID, field: str, generation: int) -> bytes:
        """The same plaintext under the active key, one generation on.

        Store it with `UPDATE … SET generation = :generation + 1 WHERE generation = :generation`: when someone else
        wrote meanwhile, nothing is stored, and theirs is under the active key already.
        """
        plaintext = self.open(sealed, row=row, field=field, generation=generation)
        return self.seal(plaintext, row=row, field=field, generation=generation + 1)

    def __repr__(self) -> str:
        return f"<Keyring of {self.subject or 'the organisation'}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("keys do not leave the process")
