"""The page about settings is the settings."""

from pathlib import Path

from joule.kernel.settings import Settings
from tools.settings_doc import PAGE, page


def test_the_page_about_settings_is_up_to_date() -> None:
    assert Path(PAGE).read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_setting_is_described() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `JOULE_")]

    assert len(rows) > len(Settings.model_fields)
    assert [row for row in rows if row.rstrip("| ").endswith("|")] == []


def test_no_secret_has_a_default() -> None:
    secrets = [
        line for line in page().splitlines() if any(word in line for word in ("_API_KEY`", "_URL`", "_KMS_KEY`"))
    ]

    assert len(secrets) >= 4
    assert all("| empty |" in line for line in secrets)
