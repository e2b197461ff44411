"""Puts the text of `joule --help` into the README, where a test expects it."""

import re
from pathlib import Path

from click.testing import CliRunner

from joule.cli.main import main

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"(```console\n\$ joule --help\n)(.*?)(\n```)", flags=re.DOTALL)


def help_text() -> str:
    """What `joule --help` prints."""
    return CliRunner().invoke(main, ["--help"], prog_name="joule").output.strip()


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda found: found[1] + help_text() + found[3], text), encoding="utf-8")
