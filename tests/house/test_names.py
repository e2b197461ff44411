"""Files stay short, say their duty first and carry names from the customer's world."""

import ast
import importlib
from importlib.metadata import files
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT, modules, shown, tree_of

BANNED_MODULES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "data", "info"}
LONGEST = 300
LONGER = {"traces/verify.py": 460}  # handed to others as one file, so that it runs without any of ours beside it
BANNED_ENDINGS = ("Manager", "Helper", "Utils", "Data", "Info")


def wrongs(path: Path, *, longest: int) -> list[str]:
    """What is wrong with one file, in words."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    found = []
    if len(text.splitlines()) > longest:
        found.append(f"has {len(text.splitlines())} lines")
    if tree.body and ast.get_docstring(tree) is None:
        found.append("does not say its duty first")
    if path.stem.lstrip("_") in BANNED_MODULES:
        found.append("is named after nothing")
    found += [
        f"names a class {node.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(BANNED_ENDINGS)
    ]
    return found


def test_every_module_is_short_says_its_duty_and_is_well_named() -> None:
    found = {shown(path): wrongs(path, longest=LONGER.get(shown(path), LONGEST)) for path in modules()}

    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_every_test_file_is_short_and_says_what_it_claims() -> None:
    assert {shown(path): found for path in modules("tests", "tools") if (found := wrongs(path, longest=500))} == {}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("plain.py", "x = 1\n", "does not say its duty first"),
        ("utils.py", '"""Duty."""\n', "is named after nothing"),
        ("long.py", '"""Duty."""\n' + "x = 1\n" * 300, "has 301 lines"),
        ("box.py", '"""Duty."""\nclass TokenManager: ...\n', "names a class TokenManager"),
    ],
)
def test_a_file_that_breaks_a_rule_is_caught(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.write_text(text)

    assert wrongs(path, longest=300) == [said]


def test_a_good_file_passes(tmp_path: Path) -> None:
    path = tmp_path / "permit.py"
    path.write_text('"""The single-use capability."""\n\nclass Permit: ...\n')

    assert wrongs(path, longest=300) == []


@pytest.mark.parametrize("name", PACKAGES)
def test_a_top_level_name_is_ours_and_nobody_elses(name: str) -> None:
    module = importlib.import_module(name)

    assert Path(str(module.__file__)).resolve().is_relative_to(ROOT)
    assert any("joule_agent" in str(file) for file in files("joule-agent") or ())


def test_importing_joule_imports_nothing() -> None:
    assert tree_of(ROOT / "joule" / "__init__.py").body == []


def test_every_test_folder_is_a_package_so_that_it_shadows_no_room() -> None:
    folders = {path.parent for path in modules("tests")}

    assert [shown(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
