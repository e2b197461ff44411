"""Files and memory by way of the pages: nothing lost, nothing run, nothing served as a page of ours."""

from collections.abc import AsyncIterator

import pytest

from tests.web.conftest import Site

HTMX = {"HX-Request": "true"}


def named(name: str) -> dict[str, str]:
    return {"X-Upload": name, "Content-Type": "application/octet-stream"}


async def test_a_file_comes_back_as_it_went(site: Site) -> None:
    files = f"/projects/{site.home.project}/files"
    content = b"\xff\x00binary\r\n"
    async with site.signed_in() as client:
        made = await client.put(files, content=content, headers=named("logo%20%C3%BC.bin"))
        answer = await client.get(f"{files}/{made.json()['file']}/download")

    assert made.json()["name"] == "logo ü.bin"
    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


WIDE = ",".join(f"c{n}" for n in range(10_000)) + "\n" + ",".join("1" * 10_000) + "\n"
ODD_BUT_KEPT = {
    "empty": ("empty.csv", b"", "empty.csv"),
    "windows": ("caf%C3%A9.csv", "Stra\xdfe;\u20ac\nCaf\xe9;1,5\n".encode("cp1252"), "caf\u00e9.csv"),
    "utf-16": ("wide.csv", "name,spend\n\u00fcber,1\n".encode("utf-16"), "wide.csv"),
    "no encoding": ("broken.csv", b"name,spend\n\xff\xfe\x00\x81,1\n", "broken.csv"),
    "formulas": ("formulas.csv", b"name,spend\n=1+1,@SUM(A1)\n+cmd,-2\n", "formulas.csv"),
    "ten thousand columns": ("columns.csv", WIDE.encode(), "columns.csv"),
}


@pytest.mark.parametrize("kind", ODD_BUT_KEPT)
async def test_an_odd_file_is_kept_byte_by_byte_and_shown(site: Site, kind: str) -> None:
    name, content, called = ODD_BUT_KEPT[kind]
    files = f"/projects/{site.home.project}/files"
    async with site.signed_in() as client:
        made = await client.put(files, content=content, headers=named(name))
        assert made.status_code == 200, made.text
        back = await client.get(f"{files}/{made.json()['file']}/download")
        page = await client.get(f"{files}/{made.json()['file']}")
        listed = (await client.get(f"{files}/list")).text

    assert (made.json()["name"], back.content, page.status_code) == (called, content, 200)
    assert called in listed
    assert len(page.content) < 500_000


async def _in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("..%2F..%2Fetc%2Fpasswd", b"a", 422),
        ("..", b"a", 422),
        ("notes%2F..%2Fkept.csv", b"a", 422),
        ("..%5Ckept.csv", b"a", 422),
        ("a%00b.txt", b"a", 422),
        ("", b"a", 422),
        ("kept.csv", b"x" * 1_000_001, 422),
        ("kept.csv", b"x" * 1_100_000, 413),
        ("kept.csv", _in_pieces(b"x" * 1_100_000), 413),  # without a Content-Length that says so
    ],
)
async def test_an_upload_that_is_refused_says_why_and_loses_nothing(
    site: Site, name: str, content: bytes | AsyncIterator[bytes], status: int
) -> None:
    files = f"/projects/{site.home.project}/files"
    async with site.signed_in() as client:
        kept = (await client.put(files, content=b"name,spend\nMay,1\n", headers=named("kept.csv"))).json()

        answer = await client.put(files, content=content, headers=named(name))

        listed = (await client.get(f"/api/v1{files}")).json()
        back = await client.get(f"{files}/{kept['file']}/download")
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["advice"]
    assert [(each["name"], each["version"]) for each in listed] == [("kept.csv", 1)]
    assert back.content == b"name,spend\nMay,1\n"


async def test_a_table_is_shown_as_text_formulas_and_all(site: Site) -> None:
    files = f"/projects/{site.home.project}/files"
    rows = b"name;spend\n" + b"\n".join(b"=1+1;<b>%d</b>" % n for n in range(80))
    async with site.signed_in() as client:
        made = (await client.put(files, content=rows, headers=named("t.csv"))).json()
        page = (await client.get(f"{files}/{made['file']}")).text

    assert "<td>=1+1</td>" in page
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert page.count("<tr>") == 51
    assert "The first 50 rows are shown" in page


async def test_a_deleted_file_can_be_brought_back(site: Site) -> None:
    files = f"/projects/{site.home.project}/files"
    async with site.signed_in() as client:
        made = (await client.put(files, content=b"words", headers=named("a.txt"))).json()
        gone = await client.post(f"{files}/{made['file']}/delete", headers=HTMX)
        assert "a.txt was deleted" in gone.text
        assert "Undo" in gone.text
        back = await client.post(f"{files}/{made['file']}/restore", headers=HTMX)
        download = await client.get(f"{files}/{made['file']}/download")

    assert "a.txt" in back.text
    assert download.content == b"words"


async def test_what_is_remembered_can_be_added_changed_pinned_found_and_forgotten(site: Site) -> None:
    memory = f"/projects/{site.home.project}/memory"
    async with site.signed_in() as client:
        added = await client.post(memory, data={"text": "We never use exclamation marks", "kind": "rule"}, headers=HTMX)
        item = (await client.get(f"/api/v1{memory}")).json()[0]
        assert "added by Ada" in added.text
        edited = await client.post(f"{memory}/{item['item']}", data={"text": "We never shout"}, headers=HTMX)
        assert "We never shout" in edited.text
        pinned = await client.post(f"{memory}/{item['item']}/pin", data={"pinned": "yes"}, headers=HTMX)
        assert 'aria-pressed="true"' in pinned.text
        assert "We never shout" in (await client.get(f"{memory}/list", params={"q": "shout"})).text
        assert "We never shout" not in (await client.get(f"{memory}/list", params={"q": "budget"})).text
        forgotten = await client.post(f"{memory}/{item['item']}/forget", headers=HTMX)

    assert "We never shout" not in forgotten.text


async def test_a_project_goes_only_when_its_name_was_typed(site: Site) -> None:
    project = f"/projects/{site.home.project}"
    async with site.signed_in() as client:
        wrong = await client.post(f"{project}/delete", data={"confirmed": "Autumn"})
        assert wrong.headers["location"].endswith("wrong=true")
        assert (await client.get(project)).status_code == 200
        right = await client.post(f"{project}/delete", data={"confirmed": "spring"})

        assert right.headers["location"] == "/projects"
        assert (await client.get(project)).status_code == 404


async def test_the_audit_log_names_what_was_done_and_by_whom(site: Site) -> None:
    async with site.signed_in() as client:
        await client.post("/projects", data={"title": "A secret launch"})
        page = (await client.get("/admin/audit")).text

    assert "memory.create_project" in page
    assert "memory.people-work" in page
    assert "Ada" in page
    assert "A secret launch" not in page.split("<main")[1]
