"""With a key service in place of the key file, tokens of connected accounts are wrapped by it and by nothing else."""

from collections.abc import Iterator
from datetime import timedelta

import boto3
import pytest
from moto import mock_aws
from sqlalchemy import text

from integrations.actions import ReadFromProvider, RevokeConnection
from integrations.care.actions import RotateKeys
from integrations.demo import PROVIDER
from integrations.errors import ConnectionRevoked
from joule.kernel.settings import Settings, VaultSettings
from tests.support.accounts import office
from tests.support.clock import StoppedClock


@pytest.fixture
def with_kms(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings that name a key of AWS KMS, and a KMS that is not Amazon's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        arn = boto3.client("kms", region_name="eu-central-1").create_key()["KeyMetadata"]["Arn"]
        yield settings.model_copy(update={"vault": VaultSettings(kms_key=arn)})


async def test_an_account_is_connected_used_rekeyed_and_ended_under_a_key_service(
    with_kms: Settings, clock: StoppedClock
):
    async with office(with_kms, clock) as here:
        made = await here.connect("contacts.read")
        asked = ReadFromProvider(
            principal=here.owner, connection=made.connection, provider=PROVIDER, operation="read_contacts", inputs="{}"
        )
        assert (await here.do(asked)).status == 200
        clock.advance(timedelta(seconds=1))
        assert (await here.do(RotateKeys(principal=here.owner, before=clock.now()))).grants == 1
        assert (await here.do(asked)).status == 200
        async with here.home.house.database.read(here.home.org) as session:
            query = "SELECT scheme, state FROM data_key WHERE subject = :subject ORDER BY ordinal"
            keys = [tuple(row) for row in await session.execute(text(query), {"subject": f"grant:{made.grant}"})]
        await here.do(RevokeConnection(principal=here.owner, connection=made.connection))

        assert keys == [("aws-kms", "retired"), ("aws-kms", "active")]
        assert not with_kms.key_file.exists()
        with pytest.raises(ConnectionRevoked):
            await here.do(asked)
        async with here.home.house.database.read(here.home.org) as session:
            left = await session.scalar(
                text("SELECT count(*) FROM data_key WHERE subject = :subject AND state <> 'shredded'"),
                {"subject": f"grant:{made.grant}"},
            )
        assert left == 0
