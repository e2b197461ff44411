"""A sandbox is limited as a whole by the kernel where a part of the control groups was given to Joule, and nowhere else."""

import os
from pathlib import Path

import pytest

from sandbox.contract import Killer, Limits
from sandbox.errors import SandboxUnavailable
from sandbox.local import groups
from sandbox.local.backend import LocalBackend
from sandbox.local.groups import Group, Groups, delegated
from sandbox.testing import a_sandbox, run
from tests.support.clock import StoppedClock


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree as systemd gives it: the group above ours is ours to divide. Plain files, which take what is written."""
    above = tmp_path / "tree" / "system.slice" / "joule.service"
    (above / "worker").mkdir(parents=True)
    (above / "cgroup.controllers").write_text("cpu memory pids\n")
    (above / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup").write_text("1:cpu:/elsewhere\n0::/system.slice/joule.service/worker\n")
    marked = {str(above): b"1"}
    monkeypatch.setattr(groups.os, "getxattr", lambda path, name: marked.get(str(path), b"0"))
    return tmp_path


def of(given: Path) -> Groups | None:
    return delegated(of=given, tree=given / "tree")


def test_the_group_above_ours_is_divided_where_it_was_given_to_us(given: Path):
    above = given / "tree/system.slice/joule.service"

    assert of(given) is not None
    assert (above / "cgroup.subtree_control").read_text() == "+memory +pids"


@pytest.mark.parametrize("missing", ["mark", "memory", "version"])
def test_nothing_is_taken_that_was_not_given(given: Path, monkeypatch: pytest.MonkeyPatch, missing: str):
    above = given / "tree/system.slice/joule.service"
    if missing == "mark":
        monkeypatch.setattr(groups.os, "getxattr", lambda path, name: b"0")
    elif missing == "memory":
        (above / "cgroup.controllers").write_text("cpu pids\n")
    else:
        (given / "cgroup").write_text("1:cpu:/elsewhere\n")

    assert of(given) is None
    assert (above / "cgroup.subtree_control").read_text() == ""


def test_a_group_has_the_limits_of_its_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cgroup.procs", "memory.events")
    plain = Path.mkdir

    def mkdir(self: Path, *more: object) -> None:
        plain(self)
        for name in files:
            (self / name).touch()

    monkeypatch.setattr(Path, "mkdir", mkdir)  # the kernel makes these files
    group = Groups(tmp_path).made(Limits(memory_bytes=2**28, processes=64))
    (folder,) = tmp_path.iterdir()

    read = {name: (folder / name).read_text() for name in files[:4]}
    assert read == {
        "memory.max": str(2**28),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "80",
    }
    assert not group.ran_out_of_memory
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert group.ran_out_of_memory
    for name in files:
        (folder / name).unlink()
    group.remove()
    group.remove()
    assert not folder.exists()


def test_a_group_that_was_given_and_cannot_be_limited_is_a_fault(tmp_path: Path):
    with pytest.raises(SandboxUnavailable, match="cannot be used"):
        Groups(tmp_path).made(Limits())
    assert list(tmp_path.iterdir()) == []


async def test_all_of_a_sandbox_is_in_its_group_and_ends_with_it(clock: StoppedClock):
    """On the machine's own tree, without limits: memory and processes are another version's business on some."""
    tree = groups._mounted(Path("/proc/self"))
    if tree is None or not os.access(tree, os.W_OK):
        print("not tried: no control groups of version 2 can be written here")
        return
    backend = LocalBackend(clock=clock, groups=Groups(tree, controllers=()))
    async with a_sandbox(backend) as sandbox:
        await run(sandbox, "print(1)")
        made = sandbox._group._folder  # type: ignore[attr-defined]
        inside = (made / "cgroup.procs").read_text().split()

        assert made.parent == tree
        assert str(sandbox._process.pid) in inside  # type: ignore[attr-defined]
        assert len(inside) >= 3  # bubblewrap outside and inside, and the guest

    assert not made.exists()


async def test_what_the_kernel_ended_for_want_of_memory_is_told_as_that(
    clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
):
    tree = groups._mounted(Path("/proc/self"))
    if tree is None or not os.access(tree, os.W_OK):
        print("not tried: no control groups of version 2 can be written here")
        return
    monkeypatch.setattr(Group, "ran_out_of_memory", property(lambda self: True))  # as the kernel would say
    backend = LocalBackend(clock=clock, groups=Groups(tree, controllers=()))
    async with a_sandbox(backend) as sandbox:
        _, _, ended = await run(sandbox, "import os; os.kill(os.getppid(), 9)")

    assert ended.killed_by is Killer.MEMORY
