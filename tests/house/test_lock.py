"""What is installed is pinned by hash, and nothing committed says from where it is fetched."""

import re
import tomllib

import pytest

from tests.house.source import ROOT, committed, shown

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Spelled in pieces, so that this file does not find itself.
HOSTS = ["pypi" + ".org", "python" + "hosted", "--index" + "-url", "--extra-index" + "-url", "--find" + "-links"]


def unpinned(lock: str) -> list[str]:
    """Requirements without an exact version and at least one hash."""
    entries = re.split(r"\n(?=[^\s#])", lock.strip())
    return [
        entry.splitlines()[0]
        for entry in entries
        if not re.match(r"[A-Za-z0-9._-]+(\[[^\]]+\])?==\S+", entry) or "--hash=sha256:" not in entry
    ]


def named(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return match.group().lower().replace("_", "-").replace(".", "-")


def test_every_requirement_is_pinned_by_version_and_hash() -> None:
    assert unpinned(LOCK) == []


def test_a_requirement_without_a_hash_is_caught() -> None:
    assert unpinned("click==8.2.0\n    # via joule-agent\nfastapi>=0.1 \\\n    --hash=sha256:00\n") == [
        "click==8.2.0",
        "fastapi>=0.1 \\",
    ]


@pytest.mark.parametrize("group", ["dependencies", "dev", "aws", "bench", "openai"])
def test_everything_the_project_asks_for_is_in_the_lock(group: str) -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    asked = {"dependencies": PROJECT["project"]["dependencies"], "dev": PROJECT["dependency-groups"]["dev"], **extras}
    locked = {named(line) for line in LOCK.splitlines() if re.match(r"[A-Za-z0-9]", line)}

    assert {named(requirement) for requirement in asked[group]} - locked == set()


def test_no_committed_file_says_where_packages_come_from() -> None:
    found = [
        f"{shown(path)}: {host}"
        for path in committed()
        if (text := path.read_bytes().decode(errors="ignore"))
        for host in HOSTS
        if host in text
    ]

    assert found == []
    assert not (ROOT / "uv.lock").exists()


def test_the_lock_holds_no_address() -> None:
    assert "://" not in LOCK
