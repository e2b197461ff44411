"""What is installed is what is in the repository: policies, pages, migrations and the sample travel along."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT, committed, shown


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all files in a freshly built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_file_of_the_five_packages_travels_along(inside: set[str]) -> None:
    assert {shown(path) for path in committed(*PACKAGES)} - inside == set()
    assert "joule/cli/sample/campaigns.csv" in inside
    assert "joule/bench/sample/answers.yaml" in inside


def test_the_tokenizer_travels_with_its_licence(inside: set[str]) -> None:
    folder = "memory/knowledge/embedding/minilm_tokenizer"
    assert {f"{folder}/{name}" for name in ("tokenizer.json", "LICENSE", "NOTICE")} <= inside


def test_tests_and_tools_stay_at_home(inside: set[str]) -> None:
    assert [name for name in inside if Path(name).parts[0] in {"tests", "tools", "docs"}] == []
