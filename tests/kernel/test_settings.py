"""Settings come from JOULE_ variables alone, are frozen, and bring no secret along."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from joule.kernel.settings import Settings, load

SECTIONS = ("database", "vault", "llm", "task", "web")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("JOULE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("JOULE_HOME", str(tmp_path))


def leaves(settings: BaseSettings) -> Iterator[tuple[str, FieldInfo, Any]]:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseSettings):
            yield from leaves(value)
        else:
            yield name, field, value


def test_every_setting_says_what_it_is_for():
    found = list(leaves(load()))

    assert len(found) > 25
    assert [name for name, field, _ in found if not (field.description or "").strip().endswith((".", ";"))] == []


def test_no_secret_has_a_default():
    secret = [
        (name, value)
        for name, field, value in leaves(load())
        if SecretStr in (field.annotation, *get_args(field.annotation))
    ]

    assert {name for name, _ in secret} >= {"url", "owner_url", "api_key"}
    assert [value for _, value in secret if value is not None] == []


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JOULE_MODEL_API_KEY", "canary-key")
    monkeypatch.setenv("JOULE_DATABASE_URL", "postgresql://joule:canary-password@db/joule")

    settings = load()

    assert settings.llm.api_key is not None
    assert settings.llm.api_key.get_secret_value() == "canary-key"
    assert "canary" not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("section", [None, *SECTIONS])
def test_settings_do_not_change(section: str | None):
    settings = load()
    part = settings if section is None else getattr(settings, section)

    with pytest.raises(ValidationError, match="frozen"):
        setattr(part, next(iter(type(part).model_fields)), "other")


def test_only_variables_of_joule_are_read(monkeypatch: pytest.MonkeyPatch):
    before = load()
    for name in ("PORT", "HOST", "URL", "DATABASE_URL", "API_KEY", "MODEL", "ENVIRONMENT", "LOG_LEVEL", "WEB_PORT"):
        monkeypatch.setenv(name, "9999")

    assert load() == before

    monkeypatch.setenv("JOULE_WEB_PORT", "9999")
    monkeypatch.setenv("JOULE_MODEL", "openai:some")
    assert (load().web.port, load().llm.name) == (9999, "openai:some")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JOULE_WEB_PORT", "70000"),
        ("JOULE_ENVIRONMENT", "staging"),
        ("JOULE_TASK_MAX_STEPS", "0"),
        ("JOULE_TRACE_RETENTION", "2d"),
    ],
)
def test_a_value_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError):
        load()


def test_an_empty_variable_is_no_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JOULE_DATABASE_URL", "")
    monkeypatch.setenv("JOULE_WEB_PORT", "")

    assert load().database.url is None
    assert load().web.port == Settings.model_fields["web"].default_factory().port  # type: ignore[misc, call-arg, union-attr]


def test_the_key_file_is_under_the_home_folder_unless_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert load().key_file == tmp_path / "keys" / "kek.json"

    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", "/elsewhere/kek.json")
    assert load().key_file == Path("/elsewhere/kek.json")
