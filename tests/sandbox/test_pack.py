"""The data pack: fetched by hash, published whole, and used only while it is what was installed."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import pack
from sandbox.contract import SandboxSpec
from sandbox.errors import PackDamaged, PackNotMade
from sandbox.local.backend import LocalBackend
from sandbox.pack import SITE, Packs
from sandbox.pack_building import install, requirements
from sandbox.testing import a_sandbox, run
from tests.support.clock import StoppedClock
from tests.support.wheels import wheel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for the only index there is."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where packs go."""
    made = Path(tempfile.mkdtemp(prefix="joule-packs-"))
    made.chmod(0o755)
    yield made
    for each in made.rglob("*"):
        if each.is_dir():
            each.chmod(0o755)
    shutil.rmtree(made)


def quiet(_: str) -> None:
    return


async def test_what_a_lock_names_can_be_imported_in_a_sandbox(index: Path, folder: Path, clock: StoppedClock):
    packs = Packs(folder, locked=wheel(index, "chart", "def drawn(): return 'a chart'\n"))

    assert await install(packs, clock=clock, say=quiet)

    backend = LocalBackend(clock=clock, packs=packs)
    sandbox = await backend.create(SandboxSpec(with_pack=True), key="k")
    out, error, _ = await run(sandbox, "import chart; print(chart.drawn(), chart.__file__)\nopen(chart.__file__, 'a')")
    await backend.close()
    assert out == "a chart /opt/site/chart.py\n"
    assert "PermissionError" in error
    assert not await install(packs, clock=clock, say=quiet)  # it is there
    assert [each.name for each in folder.iterdir() if not each.name.startswith(".i")] == [packs.folder.name]


async def test_an_interrupted_installation_goes_on_where_it_was(index: Path, folder: Path, clock: StoppedClock):
    first, second = wheel(index, "first", "x = 1\n"), wheel(index, "second", "x = 2\n")
    away = (index / "second-1.0-py3-none-any.whl").rename(index.parent / "away")
    packs, said = Packs(folder, locked=first + second), list[str]()

    with pytest.raises(PackNotMade, match=r"second==1\.0"):
        await install(packs, clock=clock, say=said.append)

    assert said == ["Fetching 1 of 2: first==1.0", "Fetching 2 of 2: second==1.0"]
    assert packs.site() is None
    away.rename(index / "second-1.0-py3-none-any.whl")
    (index / "first-1.0-py3-none-any.whl").unlink()  # not needed again
    said.clear()
    assert await install(packs, clock=clock, say=said.append)
    assert said[0] == "Fetching 2 of 2: second==1.0"
    assert packs.site() == packs.folder / SITE


async def test_a_package_that_is_not_the_locked_one_is_not_taken(index: Path, folder: Path, clock: StoppedClock):
    locked = wheel(index, "chart", "x = 1\n")
    wheel(index, "chart", "x = 'something else'\n")
    packs = Packs(folder, locked=locked)

    with pytest.raises(PackNotMade) as raised:
        await install(packs, clock=clock, say=quiet)

    assert "do not use that index" in raised.value.advice()
    assert packs.site() is None


@pytest.mark.parametrize("harm", ["changed", "added", "removed", "linked"])
async def test_a_damaged_pack_is_not_used_and_can_be_mended(index: Path, folder: Path, clock: StoppedClock, harm: str):
    packs = Packs(folder, locked=wheel(index, "chart", "x = 1\n"))
    await install(packs, clock=clock, say=quiet)
    site = packs.folder / SITE
    site.chmod(0o755)
    module = site / "chart.py"
    if harm == "changed":
        module.chmod(0o644)
        module.write_text("x = 2\n")
    elif harm == "added":
        (site / "sitecustomize.py").write_text("")
    elif harm == "linked":
        (site / "link").symlink_to("/etc/passwd")
    else:
        module.unlink()
    later = Packs(folder, locked=packs.lock)  # of a process that has not looked yet

    with pytest.raises(PackDamaged) as raised:
        await LocalBackend(clock=clock, packs=later).create(SandboxSpec(with_pack=None), key="k")

    assert "joule sandbox install-pack" in raised.value.advice()
    assert await install(later, clock=clock, say=quiet)
    assert later.site() == site


async def test_two_installations_do_not_get_in_each_others_way(index: Path, folder: Path, clock: StoppedClock):
    packs = Packs(folder, locked=wheel(index, "chart", "x = 1\n"))
    with (folder / ".installing").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(PackNotMade, match="already"):
            await install(packs, clock=clock, say=quiet)

    assert await install(packs, clock=clock, say=quiet)


async def test_without_a_pack_the_standard_library_works_and_the_error_names_the_command(
    folder: Path, clock: StoppedClock
):
    async with a_sandbox(LocalBackend(clock=clock, packs=Packs(folder))) as sandbox:
        out, error, _ = await run(sandbox, "import csv, sqlite3; print('here')\nimport pandas as pd")

    assert out == "here\n"
    assert "pandas is missing in sandboxes: run `joule sandbox install-pack`" in error


def test_our_lock_holds_the_five_packages_by_hash_and_names_no_host():
    wanted = list(requirements(pack.lock()))
    names = {each.partition("==")[0] for each in wanted}

    assert {"matplotlib", "numpy", "openpyxl", "pandas", "pillow"} <= names
    assert all("--hash=sha256:" in each for each in wanted)
    assert "://" not in pack.lock()


def test_a_change_of_the_lock_asks_for_another_pack(folder: Path):
    assert Packs(folder, locked="a==1").folder != Packs(folder, locked="a==2").folder
