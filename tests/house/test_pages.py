"""Every page that is named, in another page or in advice to a person, is there."""

import re
from pathlib import Path

import pytest

from tests.house.source import ROOT, modules, shown

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
NAMED = re.compile(r"\bdocs/[A-Za-z0-9_/-]+\.md\b")


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]

    assert dead == []


def test_every_page_that_the_code_names_is_there() -> None:
    named = {
        (name, shown(path))
        for path in modules()
        for name in NAMED.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    }

    assert named == set()


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_the_front_papers_are_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 500
