"""What the README says of the command line is what the command line says of itself."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from joule.cli.main import COMMANDS
from tests.house.source import ROOT

JOULE = str(Path(sys.executable).with_name("joule"))


def said(*arguments: str) -> str:
    run = subprocess.run([JOULE, *arguments, "--help"], capture_output=True, text=True, timeout=60, check=True)
    return run.stdout.strip()


def test_the_readme_shows_the_help_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```console\n\$ joule --help\n(.*?)\n```", readme, flags=re.DOTALL)

    assert shown is not None
    assert shown.group(1) == said()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_list_is_the_first_line_of_the_commands_own_help(name: str) -> None:
    module, line = COMMANDS[name]

    assert str(import_module(module).command.help).splitlines()[0] == line


def test_help_imports_no_room() -> None:
    script = (
        "import sys, joule.cli.main as m; m.main(['--help'], standalone_mode=False); print(*sys.modules, sep='\\n')"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    assert {"pydantic", "sqlalchemy", "langgraph", "joule.assembly"} & set(run.stdout.split()) == set()
