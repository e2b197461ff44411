"""The artifact store gives back what was put, whole and unchanged, or says that it cannot."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from joule.database.engine import Database
from joule.kernel.errors import Corrupt, NotFound
from joule.kernel.ids import OrgId, new_id
from joule.vault.keys import Keyring
from joule.vault.vault import Vault
from sandbox.artifacts.errors import StoreAway
from sandbox.artifacts.store import CHUNK, BucketStore, FolderStore, Store, opened, sealed


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "artifacts")
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="artifacts")
        yield BucketStore(client, bucket="artifacts")


@pytest.fixture
async def keyring(database: Database, vault: Vault, org: OrgId) -> AsyncIterator[Keyring]:
    async with database.write(org) as session:
        yield await vault.keyring(session, org, create=True)


def test_what_was_put_is_given_back_until_it_is_deleted(store: Store, org: OrgId):
    blob = new_id()
    store.put(org, blob, [b"one", b"two"])

    assert store.get(org, blob) == b"onetwo"
    store.delete(org, blob)
    store.delete(org, blob)
    with pytest.raises(NotFound):
        store.get(org, blob)


def test_it_knows_how_much_lies_in_it(store: Store, org: OrgId):
    before, blob = store.used(), new_id()
    store.put(org, blob, [b"one", b"two"])
    store.put(OrgId(new_id()), new_id(), [b"x" * 100])

    assert (before, store.used()) == (0, 106)
    store.delete(org, blob)
    assert store.used() == 100


def test_another_organisation_finds_nothing_under_the_same_id(store: Store, org: OrgId):
    blob = new_id()
    store.put(org, blob, [b"ours"])

    with pytest.raises(NotFound):
        store.get(OrgId(new_id()), blob)


def test_what_breaks_off_leaves_nothing_behind(tmp_path: Path, org: OrgId):
    store, blob = FolderStore(tmp_path), new_id()

    def parts() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "no room")

    with pytest.raises(StoreAway):
        store.put(org, blob, parts())

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_sealed_content_opens_to_what_it_was(keyring: Keyring, size: int):
    blob, content = new_id(), bytes(size)

    assert opened(keyring, blob, b"".join(sealed(keyring, blob, content))) == content


async def test_sealed_content_that_was_cut_swapped_or_moved_does_not_open(keyring: Keyring):
    blob, content = new_id(), bytes(2 * CHUNK + 5)
    first, second, last = sealed(keyring, blob, content)
    assert opened(keyring, blob, first + second + last) == content

    for changed in (
        first + second,
        second + first + last,
        first + second + last + last,
        first + second + last[:-1],
        b"",
    ):
        with pytest.raises(Corrupt):
            opened(keyring, blob, changed)
    with pytest.raises(Corrupt):
        opened(keyring, new_id(), first + second + last)
