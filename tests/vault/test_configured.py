"""Which wrapper the settings lead to."""

from pathlib import Path

import pytest

from joule.kernel.settings import DatabaseSettings, Settings, VaultSettings
from joule.vault.configured import wrapper_of
from joule.vault.errors import KeyFileRefused
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.wrapper import Succession, WrapContext
from tests.vault.support import ROW

CONTEXT = WrapContext(org=ROW, key=ROW, subject="", environment="test")


def settings_with(home: Path, *, kms_key: str | None = None) -> Settings:
    return Settings(home=home, database=DatabaseSettings(), vault=VaultSettings(kms_key=kms_key))


def test_without_a_key_file_nothing_starts_and_none_is_made(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)

    with pytest.raises(KeyFileRefused):
        wrapper_of(settings)

    assert list(tmp_path.iterdir()) == []
    LocalKeyFile.create(settings.key_file)
    assert wrapper_of(settings).scheme == "local-key-file"


async def test_kms_beside_a_key_file_wraps_with_kms_and_opens_what_the_file_wrapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    settings = settings_with(tmp_path, kms_key="alias/joule")
    assert wrapper_of(settings).scheme == "aws-kms"
    assert not isinstance(wrapper_of(settings), Succession)
    wrapped = await LocalKeyFile.create(settings.key_file).wrap(bytes(32), CONTEXT)

    wrapper = wrapper_of(settings)

    assert wrapper.scheme == "aws-kms"
    assert await wrapper.unwrap(wrapped, CONTEXT) == bytes(32)


def test_an_unsafe_key_file_is_refused_beside_kms_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    settings = settings_with(tmp_path, kms_key="alias/joule")
    LocalKeyFile.create(settings.key_file)
    assert wrapper_of(settings)

    settings.key_file.chmod(0o644)

    with pytest.raises(KeyFileRefused):
        wrapper_of(settings)
