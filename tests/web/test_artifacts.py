"""Artifacts by way of the pages: from a run to a card, a preview, a download, and their end."""

import base64

from tests.memory.knowledge.reading.test_glance import pdf, workbook
from tests.sandbox.conftest import Workshop
from tests.support.scripted_model import Says
from tests.web.conftest import Site

PNG = "bytes.fromhex('89504e470d0a1a0a') + b'rest'"


async def ran(site: Site, code: str) -> str:
    """Run code in a project; where its artifacts are."""
    workshop = Workshop(home=site.home, model=site.model)
    await workshop.does(Says(calls=[("run_python", {"code": code})]))
    assert "error" not in workshop.answers()[-1]
    return f"/projects/{site.home.project}/artifacts"


async def test_an_artifact_is_listed_previewed_downloaded_pinned_and_deleted(site: Site) -> None:
    artifacts = await ran(site, "open('out/spend.csv', 'w').write('channel,spend\\nsearch,120\\n')")

    async with site.signed_in() as client:
        listed = (await client.get(artifacts)).text
        here = next(part.split('"')[0] for part in listed.split('href="') if part.startswith(f"{artifacts}/"))
        page = (await client.get(here)).text
        got = await client.get(f"{here}/download")
        await client.post(f"{here}/pin", data={"pinned": "yes"})
        pinned = (await client.get(here)).text
        deleted = await client.post(f"{here}/delete")
        after = await client.get(here)
        empty = (await client.get(artifacts)).text

    assert "spend.csv" in listed
    assert "until" in listed
    assert "<td>search</td><td>120</td>" in page
    assert (got.content, got.headers["content-type"]) == (b"channel,spend\nsearch,120\n", "application/octet-stream")
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''spend.csv"
    assert got.headers["content-security-policy"].startswith("sandbox; default-src 'none', ")
    assert "Pinned" in pinned
    assert (deleted.status_code, after.status_code) == (303, 404)
    assert "Nothing here" in empty


async def test_only_plain_pictures_are_shown_and_a_page_that_came_out_never_is(site: Site) -> None:
    code = (
        f"open('out/chart.png', 'wb').write({PNG})\n"
        "open('out/evil.html', 'w').write('<html><script>alert(1)</script>')\n"
        "open('out/evil.svg', 'w').write('<svg onload=alert(1)></svg>')"
    )
    artifacts = await ran(site, code)

    async with site.signed_in() as client:
        listed = (await client.get(artifacts)).text
        links = {
            part.split(">")[1].split("<")[0]: part.split('"')[0] for part in listed.split('class="title" href="')[1:]
        }
        picture = await client.get(f"{links['chart.png']}/picture")
        pages = {name: (await client.get(link)).text for name, link in links.items()}
        refused = [(await client.get(f"{links[name]}/picture")).status_code for name in ("evil.html", "evil.svg")]

    assert (picture.headers["content-type"], picture.headers["x-content-type-options"]) == ("image/png", "nosniff")
    assert picture.headers["content-security-policy"].startswith("sandbox; default-src 'none', ")
    assert "/picture" in pages["chart.png"]
    assert refused == [404, 404]
    assert all("alert(1)</script>" not in page and "<svg onload" not in page for page in pages.values())


async def test_an_artifact_becomes_a_file_of_the_project(site: Site) -> None:
    artifacts = await ran(site, "open('out/notes.txt', 'w').write('from the sandbox')")

    async with site.signed_in() as client:
        listed = (await client.get(artifacts)).text
        here = next(part.split('"')[0] for part in listed.split('href="') if part.startswith(f"{artifacts}/"))
        kept = await client.post(f"{here}/keep", data={"file_name": "notes.txt"})
        page = (await client.get(kept.headers["location"])).text

    assert kept.status_code == 303
    assert "from the sandbox" in page


async def test_an_artifact_is_found_in_its_own_project_alone(site: Site) -> None:
    artifacts = await ran(site, "open('out/notes.txt', 'w').write('x')")

    async with site.signed_in() as client:
        listed = (await client.get(artifacts)).text
        here = next(part.split('"')[0] for part in listed.split('href="') if part.startswith(f"{artifacts}/"))
        elsewhere = here.replace(str(site.home.project), "01900000-0000-7000-8000-000000000000")
        answers = [
            (await client.get(here)).status_code,
            (await client.get(elsewhere)).status_code,
            (await client.get(f"{elsewhere}/download")).status_code,
            (await client.post(f"{elsewhere}/delete")).status_code,
            (await client.get(here)).status_code,
        ]

    assert answers == [200, 404, 404, 404, 200]


CHART = {
    "title": "Spend <b>per</b> channel",
    "data": {"values": [{"channel": "search", "spend": 120}, {"channel": "mail", "spend": 40}]},
    "mark": "bar",
    "encoding": {"x": {"field": "channel"}, "y": {"field": "spend", "type": "quantitative"}},
}


async def test_workbooks_pdfs_and_charts_are_shown_without_anything_in_them_being_run(site: Site) -> None:
    workshop = Workshop(home=site.home, model=site.model)
    files = {"spend.xlsx": workbook(), "report.pdf": pdf(), "broken.pdf": b"%PDF-1.4 cut"}
    code = "import base64\n" + "\n".join(
        f"open('out/{name}', 'wb').write(base64.b64decode('{base64.b64encode(content).decode()}'))"
        for name, content in files.items()
    )
    await workshop.does(Says(calls=[("run_python", {"code": code}), ("plot", {"file_name": "spend", "spec": CHART})]))
    artifacts = f"/projects/{site.home.project}/artifacts"

    async with site.signed_in() as client:
        listed = (await client.get(artifacts)).text
        links = {
            part.split(">")[1].split("<")[0]: part.split('"')[0] for part in listed.split('class="title" href="')[1:]
        }
        book = (await client.get(f"{links['spend.xlsx']}/preview")).text
        paper = (await client.get(f"{links['report.pdf']}/preview")).text
        picture = await client.get(f"{links['report.pdf']}/first-page")
        broken = (await client.get(f"{links['broken.pdf']}/preview")).text
        page = (await client.get(links["spend.json"])).text
        svg = await client.get(f"{links['spend.json']}/chart.svg")
        wrong = [
            (await client.get(f"{links['spend.json']}/preview")).status_code,
            (await client.get(f"{links['spend.xlsx']}/first-page")).status_code,
            (await client.get(f"{links['spend.xlsx']}/chart.svg")).status_code,
        ]
        late = (await client.get(links["spend.xlsx"])).text

    assert "<td>search</td><td>120.5</td><td>2026-03-01</td>" in book
    assert f'hx-get="{links["spend.xlsx"]}/preview"' in late
    assert "first of 2 pages" in paper
    assert (picture.content[:4], picture.headers["content-type"]) == (b"\x89PNG", "image/png")
    assert "There is no preview: The file is damaged" in broken
    assert page.count("<rect") >= 2
    assert "search, 120" in page
    assert "chart (Vega-Lite)" in page
    assert "<b>per</b>" not in page + svg.text
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.headers["content-disposition"] == "attachment; filename*=UTF-8''spend.svg"
    assert wrong == [404, 404, 404]
