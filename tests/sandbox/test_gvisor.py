"""The backend `gvisor` keeps the contract of all backends, and stops what is aimed at the host, where gVisor can be started.

Where it cannot, each test says why, and passes: `joule sandbox probe --kind gvisor` is what a person would see.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from joule.bench.attacks import files, guest, network, privilege
from joule.bench.attacks._ground import ground
from joule.bench.attacks._trial import _code
from joule.bench.attacks.attack import Attack, Given
from sandbox.contract import Boundary, Killer, Limits, SandboxSpec
from sandbox.errors import SandboxUnavailable
from sandbox.gvisor import jail
from sandbox.gvisor.jail import Gvisor
from sandbox.local.backend import LocalBackend
from sandbox.testing import CHECKS, Check, a_sandbox, run
from tests.support.clock import StoppedClock

# Those that are aimed at the host. The rest reach for its kernel, and find gVisor's: a /sys, devices and a log of its own.
AIMED_AT_THE_HOST = [
    each
    for each in (*files.ATTACKS, *network.ATTACKS, *privilege.ATTACKS, *guest.ATTACKS)
    if isinstance(each, Attack)
    and each.name
    in {
        "read_a_secret_file",
        "see_the_password_file",
        "read_the_environment",
        "read_the_environment_of_others",
        "read_the_arguments_of_the_first_process",
        "use_a_descriptor_left_open",
        "find_the_installation_among_the_mounts",
        "read_memory_shared_on_the_host",
        "see_memory_shared_on_the_host",
        "read_shared_memory_files",
        "see_processes_of_the_host",
        "signal_a_process_of_the_host",
        "learn_the_name_of_the_host",
        "read_memory_of_another_process",
        "connect_to_a_service_of_the_host",
        "send_a_datagram_to_the_host",
        "carry_a_secret_out_in_a_name",
        "ask_the_metadata_service",
        "connect_to_a_socket_without_a_file",
        "see_who_listens_on_the_host",
        "speak_to_a_service_by_its_file",
        "write_a_program_of_the_host",
        "write_into_the_root",
        "replace_the_guest",
        "become_root_by_a_program_that_may",
        "become_somebody_else",
        "hold_capabilities",
        "write_a_setting_of_the_kernel",
        "list_the_hosts_control_groups",
    }
]


@pytest.fixture
async def backend(clock: StoppedClock) -> AsyncIterator[LocalBackend | None]:
    """None, and the reason is said, where no gVisor can be started."""
    found = LocalBackend(clock=clock, jail=Gvisor())
    try:
        jail.runsc()
    except SandboxUnavailable as problem:
        print(f"not tried: {problem.reason}. {problem.advice()}")
        yield None
    else:
        yield found
        await found.close()


@pytest.fixture(scope="module")
def given() -> Iterator[Given]:
    with ground() as found:
        yield found


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_contract(backend: LocalBackend | None, check: Check):
    if backend is not None:
        await check(backend)


async def test_what_is_aimed_at_the_host_is_stopped(backend: LocalBackend | None, given: Given):
    """Each has its control with the other backend: tests/sandbox/test_attacks.py."""
    assert len(AIMED_AT_THE_HOST) >= 8
    if backend is None:
        return
    told = {}
    async with a_sandbox(backend) as sandbox:
        for attack in AIMED_AT_THE_HOST:
            told[attack.name] = "".join((await run(sandbox, _code(attack, dict(given))))[:2])

    assert {name: said for name, said in told.items() if "STOPPED" not in said or "ESCAPED" in said} == {}


@pytest.mark.parametrize(
    ("limits", "code", "killer"),
    [
        (Limits(cpu_seconds=1), "while True: pass", Killer.CPU),
        (Limits(memory_bytes=150 * 2**20), "x = bytearray(200_000_000)\nimport time; time.sleep(60)", Killer.MEMORY),
        (
            Limits(memory_bytes=150 * 2**20, disk_bytes=2**30),
            "open('a','wb').write(bytes(60_000_000))\nopen('b','wb').write(bytes(60_000_000))\n"
            "open('c','wb').write(bytes(60_000_000))\nimport time; time.sleep(60)",
            Killer.MEMORY,
        ),
    ],
    ids=["processor", "memory", "files"],
)
async def test_a_job_that_takes_too_much_is_ended(
    backend: LocalBackend | None, limits: Limits, code: str, killer: Killer
):
    if backend is None:
        return
    async with a_sandbox(backend, limits) as sandbox:
        _, _, ended = await run(sandbox, code)
        assert ended.killed_by is killer


async def test_its_own_limits_hold_inside(backend: LocalBackend | None):
    if backend is None:
        return
    bomb = "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(60)"
    full = "open('large', 'wb').write(bytes(30_000_000))"
    async with a_sandbox(backend, Limits(processes=8, disk_bytes=2**24)) as sandbox:
        _, forked, _ = await run(sandbox, bomb)
        _, written, _ = await run(sandbox, full)

    assert "BlockingIOError" in forked
    assert "No space left" in written


async def test_the_guest_is_nobody_in_a_kernel_that_is_not_the_host_s(backend: LocalBackend | None):
    if backend is None:
        return
    assert backend.boundary is Boundary.GVISOR
    code = (
        "import os\nstatus = open('/proc/self/status').read()\n"
        "print(os.getuid(), *(line.split()[1] for line in status.splitlines() if line.startswith(('CapEff', 'CapBnd'))))\n"
        "print(os.uname().release, len([each for each in os.listdir('/proc') if each.isdigit()]))"
    )
    async with a_sandbox(backend) as sandbox:
        nobody, kernel = (await run(sandbox, code))[0].splitlines()

    import platform

    assert nobody == "1000 0000000000000000 0000000000000000"
    assert kernel.split()[0] != platform.release()
    assert int(kernel.split()[1]) <= 4  # the first process, the guest, and the one that counts


async def test_without_it_nothing_runs_and_the_fix_is_said(clock: StoppedClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jail.shutil, "which", lambda *_, **__: None)
    jail.runsc.cache_clear()
    try:
        probe = await LocalBackend(clock=clock, jail=Gvisor()).probe()
    finally:
        jail.runsc.cache_clear()

    assert (probe.ok, probe.backend) == (False, "gvisor")
    assert "apt-get install runsc" in probe.fix


async def test_it_has_no_way_out(clock: StoppedClock, tmp_path):
    with pytest.raises(SandboxUnavailable, match="no way out"):
        await LocalBackend(clock=clock, jail=Gvisor()).create(SandboxSpec(way_out=tmp_path), key="k")
