"""The house as text: where its source files are, for the tests that read them."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("joule", "integrations", "memory", "sandbox", "traces")


def modules(*folders: str) -> Iterator[Path]:
    """Every Python file under these folders of the repository, or of the five packages."""
    for folder in folders or PACKAGES:
        yield from sorted((ROOT / folder).rglob("*.py"))


def shown(path: Path) -> str:
    """A file's path as people know it."""
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def committed(*folders: str) -> list[Path]:
    """The files under version control, in these folders or everywhere."""
    # Whoever runs the tests need not be who checked the files out.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
