"""Rooms import one way, and each contract that says so catches a planted violation."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT

CONTRACTS = [
    contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]

# contract → a module that breaks it, and the line that does
PLANTS = {
    "Rooms stack one way": ("joule/kernel/planted.py", "import joule.database.engine"),
    "Only the assembly knows the handlers": ("joule/web/planted.py", "import memory.handler"),
    "Cedar only in the policy": ("joule/agent/planted.py", "import cedarpy"),
    "The graph library only in the agent": ("traces/planted.py", "import langgraph"),
    "Outbound HTTP only in the providers": ("memory/planted.py", "import httpx"),
    "The OAuth library only on the wire": ("integrations/broker/planted.py", "import authlib"),
    "The MCP library only in its connector": ("integrations/broker/planted_too.py", "import mcp"),
    "Documents are parsed only where nothing else can be done": ("memory/planted_too.py", "import lxml"),
    "OpenTelemetry only on its wire": ("traces/planted_too.py", "import opentelemetry"),
    "The embedding runtime only beside its model": ("memory/planted_three.py", "import onnxruntime"),
    "The E2B library only in its backend": ("sandbox/local/planted.py", "import e2b"),
}


def verdicts(folder: Path) -> dict[str, str]:
    """What import-linter says of each contract, in a checkout."""
    run = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    found = dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b", run.stdout, flags=re.MULTILINE))
    assert found, run.stdout + run.stderr
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The five packages and their contracts, where a test may break them."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept() -> None:
    found = verdicts(ROOT)

    assert found == dict.fromkeys(CONTRACTS, "KEPT")


def test_every_contract_has_a_planted_violation() -> None:
    assert sorted(PLANTS) == sorted(CONTRACTS)


def test_a_planted_violation_of_each_contract_is_caught(copy: Path) -> None:
    for module, line in PLANTS.values():
        (copy / module).write_text(f'"""A module that should not be."""\n\n{line}\n')

    found = verdicts(copy)

    assert found == dict.fromkeys(CONTRACTS, "BROKEN")


@pytest.mark.parametrize("line", ["from langgraph.prebuilt import ToolNode", "import langgraph.checkpoint.memory"])
def test_a_banned_submodule_is_caught_by_the_linter(copy: Path, line: str) -> None:
    planted = copy / "joule" / "agent" / "planted.py"
    planted.write_text(f'"""A module that should not be."""\n\n{line}\n')

    ruff = str(Path(sys.executable).with_name("ruff"))
    run = subprocess.run(
        [ruff, "check", "--no-cache", "--select", "TID251", str(planted)],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert "TID251" in run.stdout
