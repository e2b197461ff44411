"""The sandboxes this installation is configured for: which kinds, with which limits."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from joule.kernel.clock import Clock
from joule.kernel.errors import Misconfigured
from joule.kernel.settings import Settings
from sandbox.choosing import Kind
from sandbox.contract import Boundary, Limits, Probe, SandboxBackend, SandboxSpec
from sandbox.errors import SandboxUnavailable
from sandbox.local import groups
from sandbox.local.backend import LocalBackend
from sandbox.pack import Packs

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def kinds_of(settings: Settings, *, clock: Clock, warm: bool = True) -> Mapping[str, Kind]:
    """The kinds of sandbox that are offered, the operator's first; nothing is started yet. Unless `warm`, none is kept ready.

    Raises `Misconfigured` for a kind that does not exist, and when the usual one is not among those offered.
    """
    all_kinds = {
        each.name: each
        for each in (_local(settings, clock, warm), _gvisor(settings, clock, warm), _e2b(settings, clock))
    }
    usual = settings.sandbox.backend
    offered = [name.strip() for name in settings.sandbox.offered.split(",") if name.strip()]
    if unknown := [name for name in offered if name not in all_kinds]:
        raise Misconfigured(
            f"there is no kind of sandbox called {unknown[0]}", advice=f"Use names of: {', '.join(all_kinds)}."
        )
    if usual not in offered:
        raise Misconfigured(
            "the usual kind of sandbox is not among those offered",
            advice="Name JOULE_SANDBOX_BACKEND in JOULE_SANDBOX_OFFERED too.",
        )
    return {
        name: all_kinds[name] for name in (usual, *(each for each in all_kinds if each in offered and each != usual))
    }


def backend_of(settings: Settings, *, clock: Clock, kind: str | None = None) -> SandboxBackend:
    """One backend for an operator's own use, with none kept ready: of that kind, else the usual one."""
    kinds = kinds_of(settings, clock=clock, warm=False)
    found = kinds.get(kind or settings.sandbox.backend)
    if found is None:
        raise Misconfigured(f"the kind {kind} is not offered here", advice=f"Choose one of: {', '.join(kinds)}.")
    return found.make()


async def probed(settings: Settings, *, clock: Clock, kind: str | None = None) -> Probe:
    """Whether a sandbox of that kind, else of the usual one, really starts here. Raises `Misconfigured`."""
    try:
        backend = backend_of(settings, clock=clock, kind=kind)
    except SandboxUnavailable as problem:
        name = kind or settings.sandbox.backend
        boundary = kinds_of(settings, clock=clock)[name].boundary
        return Probe(ok=False, backend=name, boundary=boundary, reason=problem.reason, fix=problem.advice())
    try:
        return await backend.probe()
    finally:
        await backend.close()


def spec_of(settings: Settings) -> SandboxSpec:
    """A sandbox with the configured limits, and with the data pack if it is installed."""
    chosen = settings.sandbox
    limits = Limits(
        cpu_seconds=chosen.cpu_seconds,
        wall_seconds=chosen.wall_seconds,
        memory_bytes=chosen.memory_mb * 2**20,
        processes=chosen.processes,
        disk_bytes=chosen.disk_mb * 2**20,
        inodes=chosen.inodes,
        file_bytes=chosen.file_mb * 2**20,
        output_bytes=chosen.output_kb * 2**10,
    )
    return SandboxSpec(limits=limits, with_pack=None, ttl_seconds=chosen.ttl_seconds)


def _local(settings: Settings, clock: Clock, warm: bool) -> Kind:
    def make() -> SandboxBackend:
        return LocalBackend(
            clock=clock,
            packs=Packs(settings.packs),
            warm=settings.sandbox.warm if warm else 0,
            groups=groups.delegated(),
        )

    return Kind(name="local", boundary=Boundary.NAMESPACE, is_remote=False, make=make)


def _gvisor(settings: Settings, clock: Clock, warm: bool) -> Kind:
    def make() -> SandboxBackend:
        from sandbox.gvisor.jail import Gvisor

        return LocalBackend(
            clock=clock,
            jail=Gvisor(),
            packs=Packs(settings.packs),
            warm=settings.sandbox.warm if warm else 0,
            groups=groups.delegated(),
        )

    return Kind(name="gvisor", boundary=Boundary.GVISOR, is_remote=False, make=make)


def _e2b(settings: Settings, clock: Clock) -> Kind:
    chosen = settings.e2b

    def make() -> SandboxBackend:
        key = chosen.api_key or SecretStr(os.environ.get("E2B_API_KEY", ""))
        if not key.get_secret_value():
            raise SandboxUnavailable(
                "there is no key for E2B", fix="Set JOULE_E2B_API_KEY to a key of your E2B account."
            )
        for address in (chosen.api_url, chosen.sandbox_url):
            parts = urlsplit(address or "https://")
            if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
                raise SandboxUnavailable(
                    "the server of the sandboxes would be spoken with in clear",
                    fix="Set JOULE_E2B_API_URL and JOULE_E2B_SANDBOX_URL to https addresses.",
                )
        try:
            from sandbox.e2b_cloud.backend import Account, E2bBackend
        except ImportError:
            raise SandboxUnavailable("the E2B library is not installed", fix="Install `joule-agent[e2b]`.") from None
        account = Account(
            key=key,
            installation=chosen.installation,
            template=chosen.template,
            domain=chosen.domain,
            control=chosen.api_url,
            inside=chosen.sandbox_url,
        )
        return E2bBackend(clock=clock, account=account)

    return Kind(name="e2b", boundary=Boundary.MICROVM, is_remote=True, make=make)
