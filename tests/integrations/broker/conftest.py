"""What the broker's tests share: a provider on loopback, a resolver that says what it is told, certificates."""

import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integrations.broker.broker import Broker
from integrations.broker.calls import Account, Reply
from integrations.broker.guard import Limits, Network
from integrations.catalogue.model import Operation, Provider, Rate, Refresh, Revocation, Risk, Scope
from integrations.grants import Usable
from integrations.oauth.secret import Secret
from integrations.oauth.tokens import TokenSet
from joule.kernel.errors import JouleError
from joule.kernel.ids import DecisionId, OrgId, new_id
from tests.support.clock import StoppedClock
from tests.support.provider_server import Answers, Json, ProviderServer, Silent


class Names:
    """Answers for each name in turn; the last answer is repeated."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): [list(each) for each in told] for name, told in answers.items()}
        self.asked: list[str] = []

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        told = self._answers.get(host)
        if told is None:
            raise OSError("no such name")
        return told.pop(0) if len(told) > 1 else told[0]


@pytest.fixture
async def provider() -> AsyncIterator[ProviderServer]:
    """A provider on loopback that answers `{"ok": true}` until told otherwise."""
    async with ProviderServer(Json(value={"ok": True})).running() as server:
        yield server


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's side for `name`, and the file a client has to trust for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, secret = folder / f"{name}.pem", folder / f"{name}.key"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(trusted, secret)
    return server, trusted


TOKEN = "tok-CANARY-7f3a9b2e/4d+c==~zz"  # with characters that are written differently in addresses
FRESH = "tok-CANARY-fresh-9e8d7c6b5a4f"


class Keeper:
    """Keeps one token; gives another when its generation was refused, or raises what it was told to raise."""

    def __init__(self, *, tenant: str, after_refresh: str = FRESH) -> None:
        self.current, self.after_refresh = TOKEN, after_refresh
        self.generation, self.refreshes, self.asked = 1, 0, 0
        self.refuses: list[JouleError | None] = []
        self.granted: tuple[str, ...] = ("things.read", "things.send")
        self.tenant: str | None = tenant
        self.read_only = False

    def rotate(self) -> None:
        """As if somebody had renewed the tokens."""
        self.current, self.generation = self.after_refresh, self.generation + 1

    async def usable(
        self,
        org: OrgId,
        connection: UUID,
        *,
        decision: DecisionId,
        epoch: int | None = None,
        stale: int | None = None,
        held: Usable | None = None,
    ) -> Usable:
        self.asked += 1
        problem = self.refuses.pop(0) if self.refuses else None
        if problem is not None:
            raise problem
        if stale == self.generation:
            self.refreshes += 1
            self.rotate()
        return Usable(
            connection=connection,
            grant=connection,
            provider="acme",
            tokens=TokenSet(access_token=Secret(self.current), received_at=datetime.now(UTC)),
            generation=self.generation,
            epoch=1,
            granted=self.granted,
            read_only=self.read_only,
            tenant=self.tenant,
        )


def operation(**changes: Any) -> Operation:
    """Reads one thing, unless changed."""
    given: dict[str, Any] = {
        "id": "read_thing",
        "title": "Read a thing",
        "words": "Reads one thing.",
        "method": "GET",
        "host": "{tenant}",
        "path": "/things/{id}",
        "arguments": {
            "type": "object",
            "properties": {"id": {"type": "string", "maxLength": 50}},
            "required": ["id"],
            "additionalProperties": False,
        },
        "any_of": (("things.read",),),
        "risk": Risk.R1,
        "effect": "read",
        "projection": ("ok", "said", "headers.*", "items[].name"),
        "idempotency": "safe",
        "rate": Rate(calls=100, seconds=1),
    }
    return Operation(**(given | changes))


def sending(**changes: Any) -> Operation:
    """Sends one thing to people, which must not happen twice."""
    given = {"id": "send_thing", "title": "Send a thing", "method": "POST", "effect": "send", "risk": Risk.R3}
    return operation(**({**given, "idempotency": "none", "body": {"text": "{id}"}, "path": "/sent"} | changes))


def provider_of(server: ProviderServer, **changes: Any) -> Provider:
    """What the catalogue would say about the provider on loopback."""
    given: dict[str, Any] = {
        "id": "acme",
        "title": "Acme",
        "group": "Tests",
        "family": "acme",
        "what_it_is": "A provider on loopback.",
        "authorization_url": None,
        "token_url": None,
        "revocation": Revocation(kind="none"),
        "refresh": Refresh(kind="rotating"),
        "pkce": "required",
        "scopes": {name: Scope(name=name, words=name, risk=Risk.R1) for name in ("things.read", "things.send")},
        "hosts": (),
        "per_tenant_host": rf"127\.0\.0\.1:{server.port}",
        "splits_read_from_write": True,
        "token_life_words": "",
        "settings_url": "",
        "settings_words": "",
        "registers_at": "",
        "registers_words": "",
        "could": {},
        "demo": True,
    }
    return Provider(**(given | changes))


class Bench:
    """A broker, the account it calls for, and the time it spent waiting, which passes at once."""

    def __init__(self, server: ProviderServer, clock: StoppedClock) -> None:
        self.server, self.clock = server, clock
        self.keeper = Keeper(tenant=f"127.0.0.1:{server.port}")
        self.waits: list[float] = []
        self.within(5.0)
        self.decision = DecisionId(new_id())
        self.account = Account(
            org=OrgId(new_id()),
            connection=new_id(),
        )

    def within(self, seconds: float) -> None:
        """From now on an answer has to be there in so many seconds."""
        self.network = Network(loopback=[self.server.endpoint], limits=Limits(seconds=seconds))
        self.broker = Broker(
            network=self.network, keeper=self.keeper, clock=self.clock, pause=self._pass, chance=lambda: 1.0
        )

    def answers(self, *answers: Answers) -> None:
        """What the provider says from now on. For one that is silent nobody waits long."""
        self.server.answers = list(answers)
        if any(isinstance(each, Silent) for each in answers):
            self.within(0.4)

    async def _pass(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    async def call(self, asked: Operation | None = None, **changes: Any) -> Reply:
        asked = asked or operation()
        provider = provider_of(self.server, **({"operations": {asked.id: asked}} | changes))
        return await self.broker.call(self.account, provider, asked, {"id": "7"}, decision=self.decision)


@pytest.fixture
async def bench(provider: ProviderServer, clock: StoppedClock) -> AsyncIterator[Bench]:
    bench = Bench(provider, clock)
    yield bench
    await bench.broker.close()
