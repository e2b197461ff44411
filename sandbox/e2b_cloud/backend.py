"""The backend `e2b`: makes sandboxes at E2B without a way out, finds those it made, and ends those nobody remembers.

They outlive this process: each carries the name of this installation, and ends by E2B's own clock when nobody uses it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

import e2b
from e2b.sandbox.sandbox_api import SandboxInfo
from pydantic import SecretStr

from joule.kernel.clock import Clock
from sandbox.contract import Boundary, Exited, KnownSandbox, Probe, SandboxId, SandboxSpec
from sandbox.e2b_cloud.calls import SOON, asked_again
from sandbox.e2b_cloud.errors import E2bAway
from sandbox.e2b_cloud.session import E2bSandbox
from sandbox.errors import SandboxGone, SandboxUnavailable

_MARK, _KEY = "joule", "joule-key"
_MOST = 1000  # sandboxes that are looked at


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where sandboxes are asked for, as whom, and which kind."""

    key: SecretStr
    installation: str  # sandboxes of other names are left alone
    template: str
    domain: str
    control: str | None = None  # address of a server that speaks as E2B does
    inside: str | None = None  # address of its sandboxes


class E2bBackend:
    """Implements `SandboxBackend`."""

    name = "e2b"
    boundary = Boundary.MICROVM
    leads_out = False  # a filter by name would still let names be asked for, and they carry anything

    def __init__(self, *, clock: Clock, account: Account) -> None:
        self._clock, self._account = clock, account
        self._sandboxes: dict[SandboxId, E2bSandbox] = {}
        self._keys: dict[str, SandboxId] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def probe(self) -> Probe:
        heard: list[Any] = []
        try:
            sandbox = await self._made(SandboxSpec(ttl_seconds=60), key=None)
            try:
                heard = [event async for event in sandbox.run_python("print(6 * 7)")]
            finally:
                await sandbox.kill()
        except SandboxUnavailable as problem:
            return self._not(problem.reason, problem.advice())
        except SandboxGone as problem:
            return self._not(str(problem), "Run it again; if it ends again, look at the sandboxes of the E2B account.")
        said = b"".join(getattr(each, "data", b"") for each in heard if not isinstance(each, Exited))
        if said.strip() == b"42":
            return Probe(ok=True, backend=self.name, boundary=self.boundary)
        return self._not("its template runs no Python", "Set JOULE_E2B_TEMPLATE to a template with python3 in it.")

    async def create(self, spec: SandboxSpec, *, key: str) -> E2bSandbox:
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            known = self._sandboxes.get(self._keys.get(key, SandboxId("")))
            if known is not None and not known.is_gone:
                return known
            made = await self._made(spec, key=key)
            self._sandboxes[made.id], self._keys[key] = made, made.id
            self._forget()
            return made

    async def attach(self, sandbox: SandboxId) -> E2bSandbox:
        known = self._sandboxes.get(sandbox)
        if known is not None and known.is_gone:
            raise SandboxGone()
        spec = SandboxSpec() if known is None else known.spec
        remote: Any = await asked_again(
            lambda: e2b.AsyncSandbox.connect(sandbox, timeout=spec.ttl_seconds, **self._options())
        )
        if known is None:
            known = E2bSandbox(remote=remote, spec=spec, clock=self._clock)
            self._sandboxes[sandbox] = known
        return known

    async def listed(self, labels: Mapping[str, str] | None = None) -> tuple[KnownSandbox, ...]:
        """Those of this installation, whichever worker made them."""
        return tuple(_known(each) for each in await self._found({**(labels or {}), _MARK: self._account.installation}))

    async def close(self) -> None:
        """Ends those this process made: what was in them is in its memory alone."""
        mine = [each for each in self._sandboxes.values() if not each.is_gone]
        await asyncio.gather(*(each.kill() for each in mine), return_exceptions=True)
        self._sandboxes.clear()
        self._keys.clear()

    async def _made(self, spec: SandboxSpec, *, key: str | None) -> E2bSandbox:
        if spec.way_out is not None:
            raise SandboxUnavailable("E2B has no way out", fix="Use the backend `local` for code that needs a host.")
        remote = await self._remote(spec, key)
        sandbox = E2bSandbox(remote=remote, spec=replace(spec, with_pack=bool(spec.with_pack)), clock=self._clock)
        try:
            told: SandboxInfo = await asked_again(lambda: remote.get_info())
            if told.allow_internet_access is not False:
                raise SandboxUnavailable(
                    "it would have had a way out to the network",
                    fix="Use a server that keeps `allow_internet_access`, as E2B does.",
                )
            await sandbox.made_ready()
            if spec.with_pack and not await _has_pandas(sandbox):
                raise SandboxUnavailable(
                    "pandas and its companions are not in the template",
                    fix="Set JOULE_E2B_TEMPLATE to one that has them, such as code-interpreter-v1.",
                )
        except BaseException:
            await asyncio.shield(sandbox.kill())
            raise
        return sandbox

    async def _remote(self, spec: SandboxSpec, key: str | None) -> e2b.AsyncSandbox:
        """A new one. Asked for again under the same key it is the same one, so an answer that was lost costs nothing."""
        marks = {**spec.labels, _MARK: self._account.installation, **({_KEY: key} if key else {})}

        async def create() -> e2b.AsyncSandbox:
            return await e2b.AsyncSandbox.create(
                template=self._account.template,
                timeout=spec.ttl_seconds,
                metadata=marks,
                allow_internet_access=False,
                lifecycle={"on_timeout": "kill"},
                idempotency_key=f"{self._account.installation}-{key}" if key else None,
                **self._options(),
            )

        if key is None:
            return await asked_again(create)
        try:
            return await asked_again(create)
        except E2bAway:
            for each in await self._found(
                {_KEY: key, _MARK: self._account.installation}
            ):  # one that a lost answer was about
                found: Any = await asked_again(
                    lambda each=each: e2b.AsyncSandbox.connect(  # type: ignore[misc]
                        each.sandbox_id, timeout=spec.ttl_seconds, **self._options()
                    )
                )
                return found  # type: ignore[no-any-return]
            raise

    async def _found(self, marks: Mapping[str, str]) -> list[SandboxInfo]:
        pages = e2b.AsyncSandbox.list(query=e2b.SandboxQuery(metadata=dict(marks)), limit=100, **self._options())
        found: list[SandboxInfo] = []
        while pages.has_next and len(found) < _MOST:
            found += await asked_again(lambda: pages.next_items())
        return found

    def _forget(self) -> None:
        self._sandboxes = {name: each for name, each in self._sandboxes.items() if not each.is_gone}
        self._keys = {key: name for key, name in self._keys.items() if name in self._sandboxes}

    def _options(self) -> Any:
        account = self._account
        return {
            "api_key": account.key.get_secret_value(),
            "domain": account.domain,
            "api_url": account.control or f"https://api.{account.domain}",
            **({"sandbox_url": account.inside} if account.inside else {}),
            "request_timeout": SOON,
            "retries": 0,  # we know what may be asked again
            "debug": False,  # else a variable of the environment would have it make nothing at all
        }

    def _not(self, reason: str, fix: str) -> Probe:
        return Probe(ok=False, backend=self.name, boundary=self.boundary, reason=reason, fix=fix)


async def _has_pandas(sandbox: E2bSandbox) -> bool:
    with suppress(SandboxGone):
        events = [each async for each in sandbox.run_python("import pandas, openpyxl, matplotlib")]
        return isinstance(events[-1], Exited) and events[-1].code == 0
    return False


def _known(told: SandboxInfo) -> KnownSandbox:
    labels = {name: value for name, value in told.metadata.items() if name not in {_MARK, _KEY}}
    return KnownSandbox(
        id=SandboxId(told.sandbox_id), labels=labels, created_at=told.started_at, expires_at=told.end_at
    )
