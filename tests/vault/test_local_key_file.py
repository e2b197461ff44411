"""The local key file: who may hold it, and that it is never replaced by nothing."""

import os
import pickle
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from joule.kernel.errors import Corrupt, Misconfigured
from joule.kernel.ids import new_id
from joule.vault.errors import KeyFileRefused
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.wrapper import WrapContext, WrappedKey

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "kek.json"


def context(subject: str = "") -> WrapContext:
    return WrapContext(org=new_id(), key=new_id(), subject=subject, environment="test")


def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    LocalKeyFile.create(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["kek.json"]


def test_a_missing_file_is_refused_and_not_made(path: Path) -> None:
    with pytest.raises(KeyFileRefused) as refusal:
        LocalKeyFile(path)

    assert not path.exists()
    assert "backup" in refusal.value.advice()
    assert isinstance(refusal.value, Misconfigured)


def test_making_a_file_never_replaces_one(path: Path) -> None:
    LocalKeyFile.create(path)
    before = path.read_bytes()

    with pytest.raises(KeyFileRefused):
        LocalKeyFile.create(path)

    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["kek.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606, 0o644, 0o610, 0o601, 0o666])
def test_a_file_others_may_use_is_refused_by_every_user_root_included(path: Path, mode: int) -> None:
    LocalKeyFile.create(path)
    LocalKeyFile(path)

    path.chmod(mode)

    with pytest.raises(KeyFileRefused):
        LocalKeyFile(path)


async def test_a_file_opened_to_others_later_is_refused_at_its_next_use(path: Path) -> None:
    wrapper = LocalKeyFile.create(path)
    await wrapper.health()

    os.chmod(path, 0o644)

    with pytest.raises(KeyFileRefused):
        await wrapper.health()


async def test_a_file_taken_away_later_is_refused_at_its_next_use(path: Path) -> None:
    wrapper = LocalKeyFile.create(path)
    os.unlink(path)

    with pytest.raises(KeyFileRefused):
        await wrapper.wrap(KEY, context())


def test_a_link_a_folder_a_pipe_and_a_writable_folder_are_refused(path: Path, tmp_path: Path) -> None:
    LocalKeyFile.create(path)
    link = tmp_path / "link.json"
    link.symlink_to(path)

    with pytest.raises(KeyFileRefused):
        LocalKeyFile(link)
    with pytest.raises(KeyFileRefused):
        LocalKeyFile(path.parent)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyFileRefused):
        LocalKeyFile(tmp_path / "pipe")
    path.parent.chmod(0o777)
    with pytest.raises(KeyFileRefused):
        LocalKeyFile(path)
    path.parent.chmod(0o700)
    LocalKeyFile(path)


_OPEN = """
import os, sys
from pathlib import Path
from joule.vault.errors import KeyFileRefused
from joule.vault.local_key_file import LocalKeyFile

if len(sys.argv) > 2:
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    LocalKeyFile(Path(sys.argv[1]))
    print("opened")
except KeyFileRefused as refusal:
    print(refusal)
"""


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder any user can reach, unlike a test's own."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def opened_as(path: Path, *user: str) -> str:
    done = subprocess.run([sys.executable, "-c", _OPEN, str(path), *user], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_file_of_another_user_is_refused(shared_folder: Path) -> None:
    if os.geteuid() == 0:
        # Root may read everything, so only the check of the owner can refuse.
        path = shared_folder / "kek.json"
        LocalKeyFile.create(path)
        assert opened_as(path) == "opened"
        os.chown(path, 65534, 65534)
        assert "belongs to another user" in opened_as(path)
    else:
        theirs = Path("/etc/passwd")  # root's, and readable
        assert "belongs to another user" in opened_as(theirs)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"not json",
        b"\xff\xfe",
        b'{"format": 1, "current": "x", "keys": {}}',
        b'{"format": 1, "current": "01890000-0000-7000-8000-000000000001", "keys": {}}',
        b'{"format": 1, "current": "01890000-0000-7000-8000-000000000001",'
        b' "keys": {"01890000-0000-7000-8000-000000000001": "c2hvcnQ="}}',
        b'{"format": 2, "current": "01890000-0000-7000-8000-000000000001",'
        b' "keys": {"01890000-0000-7000-8000-000000000001": "' + b"A" * 43 + b'="}}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_refused_without_showing_it(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(KeyFileRefused) as refusal:
        LocalKeyFile(path)

    assert "damaged" in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


async def test_a_wrapped_key_opens_under_its_own_context_alone(path: Path) -> None:
    wrapper = LocalKeyFile.create(path)
    mine = context(subject="task:1")
    wrapped = await wrapper.wrap(KEY, mine)
    assert await wrapper.unwrap(wrapped, mine) == KEY
    assert KEY not in wrapped.blob

    for other in (
        replace(mine, org=new_id()),
        replace(mine, key=new_id()),
        replace(mine, subject="task:2"),
        replace(mine, subject=""),
        replace(mine, environment="production"),
    ):
        with pytest.raises(Corrupt):
            await wrapper.unwrap(wrapped, other)
    with pytest.raises(Corrupt):
        await wrapper.unwrap(WrappedKey(kek=wrapped.kek, blob=wrapped.blob[:-1]), mine)


async def test_after_a_rotation_old_wraps_open_and_new_ones_use_the_new_key_in_every_process(path: Path) -> None:
    # Given two processes over one file
    ours, theirs = LocalKeyFile.create(path), LocalKeyFile(path)
    mine = context()
    before = await theirs.wrap(KEY, mine)

    # When one of them rotates
    fresh = await ours.add()

    # Then both wrap with the new key, and open either
    after = await theirs.wrap(KEY, mine)
    assert after.kek == fresh != before.kek
    assert await theirs.current() == await ours.current() == fresh
    for wrapper in (ours, theirs, LocalKeyFile(path)):
        assert await wrapper.unwrap(before, mine) == await wrapper.unwrap(after, mine) == KEY
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(path.parent) == ["kek.json"]


async def test_a_retired_key_opens_nothing_and_the_current_one_cannot_be_retired(path: Path) -> None:
    wrapper, mine = LocalKeyFile.create(path), context()
    before = await wrapper.wrap(KEY, mine)
    with pytest.raises(KeyFileRefused):
        await wrapper.retire(before.kek.kek_id)
    await wrapper.add()
    assert await wrapper.unwrap(before, mine) == KEY

    await wrapper.retire(before.kek.kek_id)

    with pytest.raises(KeyFileRefused):
        await wrapper.unwrap(before, mine)
    assert wrapper._keys.by_id.keys() == LocalKeyFile(path)._keys.by_id.keys() == {wrapper._keys.current}


def test_a_key_file_cannot_be_shown_or_pickled(path: Path) -> None:
    wrapper = LocalKeyFile.create(path)

    assert repr(wrapper) == f"<LocalKeyFile {path}>"
    assert "by_id" not in repr(vars(wrapper))
    with pytest.raises(TypeError):
        pickle.dumps(wrapper)
    with pytest.raises(TypeError):
        pickle.dumps(wrapper._keys)
