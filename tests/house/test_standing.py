"""The house stands where it stood before, however it is configured and however long nobody was in it."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto import mock_aws

from joule.assembly import open_house
from joule.kernel.errors import Misconfigured
from joule.kernel.settings import Settings, VaultSettings
from tests.support.clock import StoppedClock
from tests.support.house import home


@pytest.mark.parametrize("retention", ["1d", "7d", "30d", "90d", "1y", "7y"])
async def test_every_retention_class_can_be_written_from_the_first_start_on(settings: Settings, retention: str) -> None:
    chosen = settings.model_copy(update={"trace_retention": retention})

    async with home(chosen) as here:
        await here.upload("a.txt", b"words")
        outcome = await here.run(here.claim("list my files"))

    assert outcome.answer


async def test_a_house_that_stood_empty_for_a_year_is_opened_as_if_it_were_yesterday(settings: Settings) -> None:
    async with home(settings, clock=StoppedClock(datetime.now(UTC))):
        pass

    async with home(settings, clock=StoppedClock(datetime.now(UTC) + timedelta(days=365))) as here:
        await here.upload("a.txt", b"words")


async def test_a_house_whose_keys_aws_kms_wraps_needs_no_key_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
        chosen = settings.model_copy(update={"vault": VaultSettings(kms_key=key)})
        async with home(chosen) as here:
            await here.upload("a.txt", b"words")
            outcome = await here.run(here.claim("list my files"))

        assert "a.txt" in (outcome.answer or "")
        assert not settings.key_file.exists()
        with pytest.raises(Misconfigured):  # and with neither of the two it does not stand
            async with open_house(settings):
                pass
