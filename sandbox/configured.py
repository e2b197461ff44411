"""The sandboxes this installation is configured for: which kind, with which limits."""

from joule.kernel.clock import Clock
from joule.kernel.settings import Settings
from sandbox.contract import Limits, SandboxSpec
from sandbox.local.backend import LocalBackend
from sandbox.pack import Packs


def backend_of(settings: Settings, *, clock: Clock, warm: bool = True) -> LocalBackend:
    """The chosen backend; nothing is started yet. Unless `warm`, none is kept ready."""
    return LocalBackend(clock=clock, packs=Packs(settings.packs), warm=settings.sandbox.warm if warm else 0)


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
