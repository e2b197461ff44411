"""AWS KMS as the wrapper, against a simulated KMS; and its faults, which that simulation does not have.

The simulation decrypts even with a disabled key and one that is being deleted, so those answers are given by a client
in front of it that fails as KMS does.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from moto import mock_aws

from joule.database.engine import Database
from joule.kernel.errors import Corrupt, JouleError, Misconfigured, Unavailable
from joule.kernel.ids import OrgId, new_id
from joule.vault.aws_kms import AwsKms, kms_client
from joule.vault.errors import WrapperAway, WrapperRefuses
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.rotation import KekRotation
from joule.vault.vault import Vault
from joule.vault.wrapper import Succession, WrapContext, WrappedKey
from tests.support.clock import StoppedClock
from tests.vault.support import opened_by, sealed_by

KEY = bytes(range(32))
MINE = WrapContext(org=new_id(), key=new_id(), subject="task:1", environment="test")


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


@pytest.fixture
def arn(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


class FaultyKms:
    """A KMS that answers, until it is told to fail."""

    def __init__(self, behind: Any) -> None:
        self._behind = behind
        self.fault: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            if self.fault is not None:
                raise self.fault
            return getattr(self._behind, name)(**arguments)

        return call


def said(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "…"}}, "Decrypt")


async def test_a_wrapped_key_opens_under_its_own_context_alone(kms: Any, arn: str) -> None:
    wrapper = AwsKms(key=arn, client=kms)
    wrapped = await wrapper.wrap(KEY, MINE)
    assert await wrapper.unwrap(wrapped, MINE) == KEY
    assert KEY not in wrapped.blob

    for other in (
        replace(MINE, org=new_id()),
        replace(MINE, key=new_id()),
        replace(MINE, subject="task:2"),
        replace(MINE, subject=""),
        replace(MINE, environment="production"),
    ):
        with pytest.raises(Corrupt):
            await wrapper.unwrap(wrapped, other)
    with pytest.raises(Corrupt):
        await wrapper.unwrap(WrappedKey(kek=wrapped.kek, blob=wrapped.blob[:-1] + bytes([wrapped.blob[-1] ^ 1])), MINE)


async def test_an_alias_is_stored_as_the_key_it_stood_for(kms: Any, arn: str) -> None:
    kms.create_alias(AliasName="alias/joule", TargetKeyId=arn)
    wrapper = AwsKms(key="alias/joule", client=kms)

    wrapped = await wrapper.wrap(KEY, MINE)

    assert wrapped.kek.kek_id == arn
    assert await wrapper.unwrap(wrapped, MINE) == KEY
    await wrapper.health()


async def test_no_key_but_the_configured_ones_is_asked_to_decrypt(kms: Any, arn: str) -> None:
    planted = AwsKms(key=str(kms.create_key()["KeyMetadata"]["Arn"]), client=kms)
    wrapped = await planted.wrap(KEY, MINE)

    assert await AwsKms(key=arn, client=kms, former=[wrapped.kek.kek_id]).unwrap(wrapped, MINE) == KEY
    with pytest.raises(WrapperRefuses):
        await AwsKms(key=arn, client=kms).unwrap(wrapped, MINE)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (said("DisabledException"), WrapperRefuses),
        (said("KMSInvalidStateException"), WrapperRefuses),  # pending deletion
        (said("NotFoundException"), WrapperRefuses),
        (said("AccessDeniedException"), WrapperRefuses),
        (said("ExpiredTokenException"), WrapperRefuses),
        (NoCredentialsError(), WrapperRefuses),
        (said("ThrottlingException"), WrapperAway),
        (said("KMSInternalException"), WrapperAway),
        (said("DependencyTimeoutException"), WrapperAway),
        (said("SomethingNewException"), WrapperAway),
        (ConnectTimeoutError(endpoint_url="https://kms"), WrapperAway),
        (ReadTimeoutError(endpoint_url="https://kms"), WrapperAway),
        (EndpointConnectionError(endpoint_url="https://kms"), WrapperAway),
        (ConnectionResetError(), WrapperAway),
        (said("InvalidCiphertextException"), Corrupt),
        (said("IncorrectKeyException"), Corrupt),
    ],
    ids=lambda value: value.response["Error"]["Code"] if isinstance(value, ClientError) else None,
)
async def test_each_fault_says_whether_to_wait_or_to_act(
    kms: Any, arn: str, fault: Exception, expected: type[JouleError]
) -> None:
    client = FaultyKms(kms)
    wrapper = AwsKms(key=arn, client=client)
    wrapped = await wrapper.wrap(KEY, MINE)
    assert await wrapper.unwrap(wrapped, MINE) == KEY

    client.fault = fault

    for ask in (wrapper.unwrap(wrapped, MINE), wrapper.wrap(KEY, MINE), wrapper.health()):
        with pytest.raises(expected) as refusal:
            await ask
        # botocore's own error would carry the data key in its frames
        assert refusal.value.__context__ is None
        assert refusal.value.advice()
    assert issubclass(WrapperRefuses, Misconfigured)
    assert issubclass(WrapperAway, Unavailable)


async def test_a_disabled_key_closes_the_vault_when_what_it_remembers_runs_out(
    kms: Any, arn: str, database: Database, org: OrgId, clock: StoppedClock
) -> None:
    client = FaultyKms(kms)
    warm, cold = (
        Vault(wrapper=AwsKms(key=arn, client=client), clock=clock, environment="test", cache_seconds=60)
        for _ in range(2)
    )
    sealed = await sealed_by(warm, database, org)

    client.fault = said("DisabledException")

    assert await opened_by(warm, database, org, sealed) == "words"
    with pytest.raises(WrapperRefuses):
        await opened_by(cold, database, org, sealed)


async def test_a_key_file_is_moved_to_kms_by_the_call_that_rotates_it(
    kms: Any,
    arn: str,
    vault: Vault,
    key_file: LocalKeyFile,
    database: Database,
    owner_url: str,
    org: OrgId,
    clock: StoppedClock,
) -> None:
    sealed = await sealed_by(vault, database, org)
    both = Succession(current=AwsKms(key=arn, client=kms), before=[key_file])
    owner = Database(owner_url, pool_size=2)

    done = await KekRotation(owner=owner, wrapper=both, environment="test").rewrap()

    await owner.close()
    assert (done.moved, done.left, done.current.scheme) == (1, 0, "aws-kms")
    alone = Vault(wrapper=AwsKms(key=arn, client=kms), clock=clock, environment="test", cache_seconds=60)
    assert await opened_by(alone, database, org, sealed) == "words"


async def test_a_kms_that_is_not_there_is_away_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    nobody = kms_client(region="eu-central-1", endpoint="http://127.0.0.1:9")

    with pytest.raises(WrapperAway):
        await AwsKms(key="alias/joule", client=nobody).health()


def test_a_missing_region_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    with pytest.raises(WrapperRefuses) as refusal:
        kms_client()

    assert "region" in refusal.value.advice()
