"""What lies in a home nobody else can enter can be shown to a sandbox without opening that home."""

import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sandbox.contract import SandboxSpec
from sandbox.local import bwrap
from sandbox.local.backend import LocalBackend
from sandbox.local.bwrap import Interpreter
from sandbox.local.seccomp import program
from sandbox.testing import run
from tests.support.clock import StoppedClock


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder only its owner can enter."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def said(options: list[str], *command: str) -> str:
    """What a command within these walls says."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = bwrap.spawn(options, {}, program(platform.machine()), command, connection=theirs.fileno())
        return process.communicate(timeout=30)[1].decode()


async def test_a_pack_below_a_private_home_can_be_imported_and_nothing_beside_it_seen(
    private: Path, clock: StoppedClock
):
    pack = private / "pack"
    pack.mkdir(mode=0o755)
    (pack / "chart.py").write_text("x = 'drawn'\n")
    (private / "secret").write_text("of the home")
    mounts = Path("/proc/self/mountinfo").read_text()

    backend = LocalBackend(clock=clock, pack=pack)
    sandbox = await backend.create(SandboxSpec(with_pack=True), key="k")
    out, _, _ = await run(
        sandbox,
        "import chart, os; print(chart.x, os.listdir('/opt/site'))\n"
        f"print([os.path.exists(each) for each in ({str(private)!r}, '/run/joule', '/opt/site/../secret')])\n"
        "print(os.getuid(), [line for line in open('/proc/self/status') if line.startswith(('CapEff', 'NoNewPrivs'))])",
    )
    mounts_now = Path("/proc/self/mountinfo").read_text()
    await backend.close()

    assert out.splitlines()[:2] == ["drawn ['chart.py']", "[False, False, False]"]
    assert out.splitlines()[2].startswith("1000 ")
    assert "CapEff:\\t0000000000000000" in out
    assert mounts_now == mounts  # the host sees none of it


def test_it_runs_as_nobody_of_the_host_however_it_was_reached(private: Path):
    (private / "tool").mkdir(mode=0o755)
    options = bwrap.walls(SandboxSpec(), bwrap.interpreter(), private / "tool")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = bwrap.spawn(
            options, {}, program(platform.machine()), ["/bin/sleep", "60"], connection=theirs.fileno()
        )
        try:
            uids = _uids_once_it_sleeps(process)
        finally:
            process.kill()
            process.communicate(timeout=30)

    if os.geteuid() == 0:
        assert all(61_184 <= uid < 65_184 for uid in uids)
    else:
        assert uids == {os.geteuid()}


def _uids_once_it_sleeps(process: "subprocess.Popen[bytes]") -> set[int]:
    outside = psutil.Process(process.pid)
    for _ in range(3000):
        inside = outside.children(recursive=True)
        if any(each.name() == "sleep" for each in inside):
            return {uid for each in (outside, *inside) for uid in each.uids()}
        process.poll()
        assert process.returncode is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    raise AssertionError("it never slept")


def test_our_own_python_serves_where_the_system_has_none(private: Path):
    prefix = Path(sys.base_prefix).resolve()
    ours = prefix / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    python = Interpreter(program=str(ours), prefix=None if prefix.is_relative_to("/usr") else str(prefix))

    heard = said(
        bwrap.walls(SandboxSpec(), python, None),
        *[str(ours), "-I", "-c", "import sys, json; print(sys.version_info[:2], file=sys.stderr)"],
    )

    assert heard.strip() == str(tuple(sys.version_info[:2]))
