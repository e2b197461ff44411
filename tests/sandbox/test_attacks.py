"""Every attack is stopped by the walls, and gets through where exactly its own are missing."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from joule.bench.attacks import THEMES, Attack, Siege
from joule.bench.attacks._ablation import without
from joule.bench.attacks._ground import ground
from joule.bench.attacks._ordinary import as_an_ordinary_user
from joule.bench.attacks._trial import Trial
from joule.bench.attacks.attack import Given

IS_ROOT = os.geteuid() == 0
ATTACKS = [each for theme in THEMES.values() for each in theme if IS_ROOT or not each.only_root]


@pytest.fixture(scope="module")
def given() -> Iterator[Given]:
    with ground() as found:
        yield found


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda each: each.name)
async def test_it_is_stopped_and_works_without_its_walls(given: Given, attack: Attack | Siege):
    trial = Trial(given=given, is_root=IS_ROOT)
    try:
        if trial.fits(attack):
            found = await trial.judged(attack)
            assert found.is_stopped, found.to_json()["why"]
            assert found.has_control, found.to_json()["why"]
    finally:
        await trial.close()


@pytest.mark.parametrize("theme", THEMES)
async def test_an_ordinary_user_is_as_safe(theme: str):
    if not IS_ROOT:
        print("only root can become somebody else; the tests above ran as an ordinary user already")
        return

    found = await as_an_ordinary_user(theme)

    assert [each["why"] for each in found if not (each["stopped"] and each["control"])] == []
    assert len(found) >= sum(not each.only_root for each in THEMES[theme]) - 1  # one needs a machine of its kind


def test_there_are_as_many_as_promised_and_no_two_are_one():
    names = [each.name for theme in THEMES.values() for each in theme]
    assert len(set(names)) == len(names) >= 85


def test_a_wall_that_is_not_there_cannot_be_taken_out():
    assert without(["--unshare-net", "--dev", "/dev"], "--dev", "/dev") == ["--unshare-net"]
    with pytest.raises(ValueError, match="--unshare-net"):
        without(["--dev", "/dev"], "--unshare-net")


async def test_nothing_is_left_on_the_host():
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    mounts, users = Path("/proc/self/mountinfo").read_text(), Path("/etc/passwd").read_text()
    with ground() as given:
        trial = Trial(given=given, is_root=IS_ROOT)
        for attack in (*THEMES["files"][-6:], *THEMES["guest"][:2], *THEMES["exhaustion"][:4]):
            if trial.fits(attack):
                await trial.judged(attack)
        await trial.close()

    started = [each for each in psutil.Process().children(recursive=True) if each.pid not in before]
    assert psutil.wait_procs(started, timeout=15)[1] == []
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert Path("/etc/passwd").read_text() == users
    assert [given[name] for name in ("folder", "shared", "service", "pack") if os.path.lexists(given[name])] == []
    assert str(given["segment"]) not in Path("/proc/sysvipc/shm").read_text().split()
    await _no_orphans()


async def _no_orphans() -> None:
    """Guests whose sandbox nobody owns; other tests may be ending theirs just now."""
    async with asyncio.timeout(30):
        while any(
            each.info["name"] == "bwrap" and each.info["ppid"] == 1 and each.info["status"] != psutil.STATUS_ZOMBIE
            for each in psutil.process_iter(["name", "ppid", "status"])
        ):
            await asyncio.sleep(0.05)
