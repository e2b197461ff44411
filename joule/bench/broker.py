"""What a governed call of a connected account costs over the same request sent with a bare client, on loopback.

Side by side and in turn, against the demonstration provider in a process of its own: policy, journal written and flushed,
token taken from the vault, address judged, answer projected; against httpx2 with the token in hand and a connection kept open.
"""

import asyncio
import base64
import hashlib
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import httpx2

from integrations.actions import BeginConnection, FinishConnection, ReadFromProvider
from integrations.demo import CALLBACK, CLIENT_ID, CLIENT_SECRET, PROVIDER
from integrations.results import Secret
from joule.assembly import House, open_house
from joule.bench._ground import ground
from joule.bench.report import Report
from joule.identity.actions import FoundOrganisation
from joule.kernel.errors import Misconfigured
from joule.kernel.ids import OrgId, TaskId, new_id
from joule.kernel.label import Label
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import IntegrationSettings
from traces.journal import TaskJournal

OPERATIONS = {"read_campaigns": "/api/campaigns", "read_contacts": "/api/contacts?limit=25"}
SCOPES = ("contacts.read", "campaigns.read")
PER_SECOND = 30  # below what the demonstration allows one connection for two operations
REDIRECT = f"http://127.0.0.1:8100{CALLBACK}"
TARGETS = {"added_p50_ms": {"max": 5.0}, "added_p99_ms": {"max": 15.0}}


@dataclass(frozen=True, kw_only=True)
class _Timed:
    """How long one call took in milliseconds; `flushing` is the part of it in which its journal was made durable."""

    whole: float
    flushing: float


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One connected account, ready to be asked both ways."""

    house: House
    owner: Principal
    connection: UUID
    bare: httpx2.AsyncClient
    journal: TaskJournal

    async def ask_bare(self, operation: str) -> float:
        began = time.perf_counter()
        answer = await self.bare.get(OPERATIONS[operation])
        answer.raise_for_status().json()
        return (time.perf_counter() - began) * 1e3

    async def ask_governed(self, operation: str, n: int) -> _Timed:
        action = ReadFromProvider(
            principal=self.owner.as_agent(),
            label=Label(),
            connection=self.connection,
            provider=PROVIDER,
            operation=operation,
            inputs="{}",
        )
        began = time.perf_counter()
        await self.house.gate.over(self.journal).perform(action, call=f"act/{n}/0")
        answered = time.perf_counter()
        await self.journal.flush()
        ended = time.perf_counter()
        return _Timed(whole=(ended - began) * 1e3, flushing=(ended - answered) * 1e3)


async def run(*, quick: bool, **_: object) -> Report:
    """Calls start on the clock; each is made both ways, the one after the other, in changing order."""
    calls = 120 if quick else 900
    bare: list[float] = []
    governed: list[float] = []
    flushing: list[float] = []
    async with _demonstration() as port, _connected(port) as line:
        start = time.perf_counter()
        for n in range(-20, calls):  # twenty to warm up
            await asyncio.sleep(max(0.0, start + (n + 20) / PER_SECOND - time.perf_counter()))
            operation = list(OPERATIONS)[n % 2]
            if n % 4 < 2:
                plain, through = await line.ask_bare(operation), await line.ask_governed(operation, n)
            else:
                through, plain = await line.ask_governed(operation, n), await line.ask_bare(operation)
            if n >= 0:
                bare.append(plain)
                governed.append(through.whole)
                flushing.append(through.flushing)
    added = sorted(through - plain for plain, through in zip(bare, governed, strict=True))
    return Report(
        name="broker",
        figures={
            "ratio_p50": round(median(governed) / median(bare), 3),
            "added_p50_ms": round(median(added), 3),
            "added_p99_ms": round(quantiles(added, n=100)[98], 3),
            "flush_p50_ms": round(median(flushing), 3),
            "governed_p50_ms": round(median(governed), 3),
            "governed_p99_ms": round(quantiles(governed, n=100)[98], 3),
            "bare_p50_ms": round(median(bare), 3),
            "bare_p99_ms": round(quantiles(bare, n=100)[98], 3),
            "calls": calls,
        },
        targets=TARGETS,
        notes=f"httpx2 {httpx2.__version__} with a kept connection, against gate, journal (flushed) and broker; loopback",
    )


@asynccontextmanager
async def _demonstration() -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        handed = listening.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "integrations.demo", "--socket", str(handed)),
            pass_fds=(handed,),
            env=dict(os.environ),
        )
        try:
            yield int(listening.getsockname()[1])
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[_Line]:
    async with ground(integrations=IntegrationSettings(demo_port=port)) as here, open_house(here.settings) as house:
        owner = await _owner(house)
        bare = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        async with bare:
            connection = await _connect(house, owner, bare)
            bare.headers["authorization"] = f"Bearer {await _token(bare)}"
            journal = await house.journals.open(owner.org, TaskId(new_id()), attempt=1, retention="90d")
            yield _Line(house=house, owner=owner, connection=connection, bare=bare, journal=journal)
            await journal.settle()
            await journal.flush()


async def _owner(house: House) -> Principal:
    org = OrgId(new_id())
    made = await house.commands.perform(
        FoundOrganisation(
            principal=Principal(org=org, person=None, role=Role.SYSTEM, via=Via.SYSTEM),
            organisation_name="Bench",
            owner_name="Owner",
            owner_email="owner@joule.invalid",
        )
    )
    return Principal(org=made.org, person=made.person, role=Role.OWNER, via=Via.PERSON)


async def _connect(house: House, owner: Principal, browser: httpx2.AsyncClient) -> UUID:
    """Connect as an admin does, with the demonstration's own page."""
    session = new_id()
    page = await house.commands.perform(
        BeginConnection(principal=owner, provider=PROVIDER, scopes=SCOPES, session=session, redirect_uri=REDIRECT)
    )
    brought = await _allowed(browser, page.url.get_secret_value())
    done = await house.commands.perform(
        FinishConnection(
            principal=owner,
            provider=PROVIDER,
            session=session,
            state=Secret(brought["state"][0]),
            code=Secret(brought["code"][0]),
        )
    )
    return done.connection


async def _token(browser: httpx2.AsyncClient) -> str:
    """A token for the bare side, got by hand."""
    verifier = "v" * 64
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "state": "s" * 32,
        "scope": " ".join(SCOPES),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    brought = await _allowed(browser, f"/oauth/authorize?{urlencode(asked)}")
    form = {"grant_type": "authorization_code", "code": brought["code"][0], "code_verifier": verifier}
    answer = await browser.post(
        "/oauth/token", data={**form, "redirect_uri": REDIRECT}, auth=httpx2.BasicAuth(CLIENT_ID, CLIENT_SECRET)
    )
    return str(answer.raise_for_status().json()["access_token"])


async def _allowed(browser: httpx2.AsyncClient, url: str) -> dict[str, list[str]]:
    page = await browser.get(url)
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
    if ticket is None:
        raise Misconfigured("the demonstration showed no consent page", advice="Run its own tests to see why.")
    answer = await browser.post(
        "/oauth/authorize", data={"ticket": ticket[1], "scope": list(SCOPES), "answer": "allow"}
    )
    return parse_qs(urlsplit(answer.headers["location"]).query)
