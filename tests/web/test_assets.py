"""The pages load exactly the bytes this release was tested with."""

import base64
import hashlib
import json
import re

import pytest

from joule.web.assets import LOCK, STATIC, WEB, assets, locked
from joule.web.rendering import Templates
from tools import vendor


def test_the_vendored_files_are_those_in_the_lock() -> None:
    assert len(locked()) >= 5
    assert vendor.check(json.loads(LOCK.read_text())) == []


def test_a_changed_vendored_file_is_caught(tmp_path, monkeypatch) -> None:
    lock = json.loads(LOCK.read_text())
    for path in locked():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((STATIC / "vendor" / path).read_bytes())
    monkeypatch.setattr(vendor, "VENDOR", tmp_path)
    assert vendor.check(lock) == []

    (tmp_path / "htmx" / "htmx.min.js").write_bytes(b"fetch('https://elsewhere.example')")
    (tmp_path / "htmx" / "more.js").write_bytes(b"")

    assert vendor.check(lock) == ["htmx/more.js: not in the lock", "htmx/htmx.min.js: differs from the lock"]


def test_every_package_brings_its_licence() -> None:
    for package in json.loads(LOCK.read_text())["packages"]:
        assert package["licence"]
        assert package["integrity"].startswith("sha512-")
        assert any("LICENSE" in file["path"] for file in package["files"])


@pytest.mark.parametrize("path", sorted(str(each.relative_to(STATIC)) for each in STATIC.rglob("*") if each.is_file()))
def test_a_file_is_named_by_its_hash(path: str) -> None:
    digest = base64.b64encode(hashlib.sha384((STATIC / path).read_bytes()).digest()).decode()

    asset = assets()[path]

    assert asset.integrity == f"sha384-{digest}"
    assert re.fullmatch(rf"/static/{re.escape(path)}\?v=[0-9a-f]{{12}}", asset.url)


def test_every_script_and_stylesheet_carries_its_hash() -> None:
    page = Templates().text("error.html", {"message": "m", "advice": "a", "code": "c", "status": 404})

    tags = re.findall(r"<script[^>]*>|<link rel=\"stylesheet\"[^>]*>", page)

    assert len(tags) >= 10
    assert all('integrity="sha384-' in tag and "?v=" in tag for tag in tags)


def test_no_template_holds_script_or_style_of_its_own() -> None:
    for path in (WEB / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:|hx-on|\bjs:", text), path
        assert not re.search(r"<script(?![^>]*src=)", text), path


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in [*(WEB / "templates").rglob("*.html"), *STATIC.glob("css/*"), *STATIC.glob("js/*")]:
        assert not re.search(r"(src|href|url\(|import)\s*=?\s*[\"'(]?\s*(https?:)?//", path.read_text()), path
