"""What was allowed to whom, and the codes and tokens that prove it. Forgotten when the process ends.

Codes work once, refresh tokens work once; whoever uses one a second time ends the whole consent, since one of the two
who held it stole it. Tokens are kept as hashes alone.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

SCOPES = {
    "contacts.read": "Read the pretend contacts and their e-mail addresses",
    "campaigns.read": "Read the pretend campaigns, their figures and their briefs",
    "notes.write": "Write notes on pretend contacts",
    "newsletter.send": "Send the pretend newsletter",
    "ads.spend": "Spend pretend money on boosting a campaign",
}
ACCESS_LIFE = timedelta(minutes=15)
CODE_LIFE = timedelta(minutes=1)
ASKED_LIFE = timedelta(minutes=10)
MOST = 500  # of each kind; past that the oldest go


class Refused(Exception):
    """An OAuth error. `error` is a registered code."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A consent somebody is looking at."""

    redirect_uri: str
    state: str
    challenge: str
    scopes: tuple[str, ...]
    until: datetime


@dataclass(kw_only=True)
class Consent:
    """One consent: good until it is revoked."""

    id: str
    scopes: tuple[str, ...]
    alive: bool = True
    refresh: str = ""  # hash of the one that works


@dataclass(kw_only=True)
class _Code:
    consent: Consent
    asked: Asked
    until: datetime
    used: bool = False


@dataclass(frozen=True, kw_only=True)
class Issued:
    """Tokens as they go out."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: int
    scopes: tuple[str, ...]


class Consents:
    """All of them, in memory."""

    def __init__(self, *, now: Callable[[], datetime], access_life: timedelta = ACCESS_LIFE) -> None:
        self._now, self._access_life = now, access_life
        self._asked: dict[str, Asked] = {}
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, tuple[Consent, datetime]] = {}
        self._refresh: dict[str, Consent] = {}

    def ask(self, *, redirect_uri: str, state: str, challenge: str, scopes: tuple[str, ...]) -> str:
        """Remember what somebody is asked; the ticket lets them answer once."""
        ticket = secrets.token_urlsafe(32)
        until = self._now() + ASKED_LIFE
        asked = Asked(redirect_uri=redirect_uri, state=state, challenge=challenge, scopes=scopes, until=until)
        _keep(self._asked, ticket, asked)
        return ticket

    def answered(self, ticket: str) -> Asked:
        """What was asked under this ticket, which is used up. Raises `Refused`."""
        asked = self._asked.pop(ticket, None)
        if asked is None or asked.until < self._now():
            raise Refused("invalid_request")
        return asked

    def allow(self, asked: Asked, scopes: tuple[str, ...]) -> str:
        """A code for what was ticked, never more than was asked."""
        code = secrets.token_urlsafe(32)
        chosen = tuple(each for each in asked.scopes if each in scopes)
        consent = Consent(id=secrets.token_hex(8), scopes=chosen)
        _keep(self._codes, _hash(code), _Code(consent=consent, asked=asked, until=self._now() + CODE_LIFE))
        return code

    def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> Issued:
        """Raises `Refused`; a code used twice ends what it gave."""
        found = self._codes.get(_hash(code))
        if found is None:
            raise Refused("invalid_grant")
        if found.used:
            self._end(found.consent)
            raise Refused("invalid_grant")
        found.used = True
        right = hmac.compare_digest(_challenge(verifier), found.asked.challenge)
        if not right or found.until < self._now() or redirect_uri != found.asked.redirect_uri:
            raise Refused("invalid_grant")
        return self._issue(found.consent)

    def renew(self, refresh: str, scopes: tuple[str, ...] | None) -> Issued:
        """Raises `Refused`; a refresh token used twice ends the consent."""
        consent = self._refresh.get(_hash(refresh))
        if consent is None or not consent.alive:
            raise Refused("invalid_grant")
        if consent.refresh != _hash(refresh):
            self._end(consent)
            raise Refused("invalid_grant")
        if scopes is not None and not set(scopes) <= set(consent.scopes):
            raise Refused("invalid_scope")
        return self._issue(consent)

    def of(self, access: str) -> Consent | None:
        """The consent behind a living access token."""
        consent, until = self._access.get(_hash(access), (None, self._now()))
        return consent if consent is not None and consent.alive and until > self._now() else None

    @property
    def given(self) -> tuple[Consent, ...]:
        """Every consent there was, in the order of their refresh tokens."""
        return tuple({each.id: each for each in self._refresh.values()}.values())

    def introspected(self, token: str) -> dict[str, object]:
        """RFC 7662: what is known of a token, `active` False for all that do not work."""
        consent, until = self._access.get(_hash(token), (None, None))
        if until is None:
            consent = self._refresh.get(_hash(token))
            if consent is not None and consent.refresh != _hash(token):
                consent = None
        if consent is None or not consent.alive or (until is not None and until <= self._now()):
            return {"active": False}
        told: dict[str, object] = {"active": True, "scope": " ".join(consent.scopes), "sub": consent.id}
        return told | ({} if until is None else {"exp": int(until.timestamp())})

    def revoke(self, token: str) -> None:
        """End the consent behind either token; an unknown one is fine (RFC 7009)."""
        consent = self._refresh.get(_hash(token)) or self._access.get(_hash(token), (None, None))[0]
        if consent is not None:
            self._end(consent)

    def _issue(self, consent: Consent) -> Issued:
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        consent.refresh = _hash(refresh)
        _keep(self._access, _hash(access), (consent, self._now() + self._access_life))
        _keep(self._refresh, _hash(refresh), consent)
        seconds = int(self._access_life.total_seconds())
        return Issued(access=access, refresh=refresh, seconds=seconds, scopes=consent.scopes)

    def _end(self, consent: Consent) -> None:
        consent.alive = False


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _keep(shelf: dict[str, T], key: str, value: T) -> None:
    shelf[key] = value
    while len(shelf) > MOST:
        del shelf[next(iter(shelf))]
