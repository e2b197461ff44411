"""What came out is kept sealed, within its bounds and until its date; then it ends, and that it was there stays on record."""

from datetime import timedelta

import pytest

from joule.kernel.errors import NotFound
from joule.kernel.ids import DecisionId, new_id
from joule.kernel.settings import ArtifactSettings, Settings
from memory.actions import DeleteProject, ReadFile
from sandbox.actions import DeleteArtifact, KeepArtifactInFiles, PinArtifact
from sandbox.artifacts.collect import Found
from sandbox.artifacts.shelf import Origin
from tests.sandbox.conftest import Opening, Workshop
from tests.support.clock import StoppedClock
from tests.support.scripted_model import Says

WRITES = "open('out/{name}', 'w').write('{text}')"


async def made(workshop: Workshop, name: str = "report.txt", text: str = "the numbers"):
    await workshop.runs(WRITES.format(name=name, text=text))
    return next(each for each in await workshop.artifacts() if each.name == name)


async def test_an_artifact_ends_at_its_date_and_its_bytes_go_with_it(workshop: Workshop, clock: StoppedClock):
    artifact = await made(workshop)
    before = workshop.stored()

    clock.advance(timedelta(days=7))
    swept = await workshop.sweep()

    assert (swept.artifacts, len(before), workshop.stored()) == (1, 1, [])
    assert await workshop.artifacts() == ()
    (gone,) = await workshop.artifacts(gone=True)
    assert (gone.artifact, gone.name, gone.cause, gone.size) == (artifact.artifact, None, "expired", 11)
    with pytest.raises(NotFound):
        await workshop.bytes_of(artifact)


async def test_an_artifact_cannot_be_opened_past_its_date_even_before_it_is_swept(
    workshop: Workshop, clock: StoppedClock
):
    artifact = await made(workshop)
    assert await workshop.bytes_of(artifact) == b"the numbers"

    clock.advance(timedelta(days=7))

    assert await workshop.artifacts() == ()
    with pytest.raises(NotFound):
        await workshop.bytes_of(artifact)


async def test_a_pinned_artifact_outlives_its_date_until_it_is_let_go(workshop: Workshop, clock: StoppedClock):
    house, owner = workshop.home.house, workshop.home.owner
    artifact = await made(workshop)
    await house.commands.perform(PinArtifact(principal=owner, artifact=artifact.artifact))

    clock.advance(timedelta(days=8))
    await workshop.sweep()
    assert await workshop.bytes_of(artifact) == b"the numbers"

    await house.commands.perform(PinArtifact(principal=owner, artifact=artifact.artifact, pinned=False))
    await workshop.sweep()
    assert await workshop.artifacts() == ()


async def test_a_deleted_artifact_is_gone_at_once_and_deleting_it_again_changes_nothing(workshop: Workshop):
    house, owner = workshop.home.house, workshop.home.owner
    artifact = await made(workshop)

    await house.commands.perform(DeleteArtifact(principal=owner, artifact=artifact.artifact))
    await house.commands.perform(DeleteArtifact(principal=owner, artifact=artifact.artifact))

    assert await workshop.artifacts() == ()
    with pytest.raises(NotFound):
        await workshop.bytes_of(artifact)
    await workshop.sweep()
    assert workshop.stored() == []


async def test_the_same_bytes_are_stored_once_and_go_with_the_last_that_has_them(workshop: Workshop):
    house, owner = workshop.home.house, workshop.home.owner
    first = await made(workshop, "one.txt", "same")
    second = await made(workshop, "two.txt", "same")
    await workshop.sweep()
    assert len(workshop.stored()) == 1

    await house.commands.perform(DeleteArtifact(principal=owner, artifact=first.artifact))
    await workshop.sweep()

    assert await workshop.bytes_of(second) == b"same"


async def test_what_an_earlier_run_of_the_session_left_is_not_kept_twice(workshop: Workshop):
    await workshop.runs(WRITES.format(name="a.txt", text="x"))

    again = await workshop.runs("print('nothing new')")
    changed = await workshop.runs(WRITES.format(name="a.txt", text="y"))

    assert [each["unchanged"] for each in again["artifacts"]] == [True]
    assert [each["unchanged"] for each in changed["artifacts"]] == [False]
    assert len(await workshop.artifacts()) == 2


async def test_a_file_that_does_not_fit_is_refused_by_name_and_the_run_keeps_its_words(
    opening: Opening, settings: Settings
):
    tight = settings.model_copy(update={"artifacts": ArtifactSettings(file_mb=1, per_run=2, organisation_mb=1)})
    code = (
        "for name, size in (('a', 600_000), ('aa', 2_000_000), ('b', 600_000), ('d', 1)):\n"
        "    open(f'out/{name}', 'wb').write(name[-1:].encode() * size)\n"
        "print('counted')"
    )

    async with opening(tight) as workshop:
        answer = await workshop.runs(code)

        reasons = {each["name"]: each["reason"] for each in answer["refused"]}
        assert answer["output"] == "counted\n"
        assert [each["name"] for each in answer["artifacts"]] == ["a"]
        assert "larger than" in reasons["aa"]
        assert "only 2 files" in reasons["d"]
        assert "no room" in reasons["b"]
        await workshop.sweep()
        assert len(workshop.stored()) == 1  # of what was refused nothing is left


async def test_what_is_stored_says_nothing_to_who_has_the_disk(workshop: Workshop):
    await made(workshop, "canary-name.txt", "canary-content")

    folder = workshop.home.house.settings.artifact_folder
    assert workshop.stored()
    assert all(b"canary" not in content for content in workshop.stored())
    assert all("canary" not in str(path) for path in folder.rglob("*"))
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_artifacts_end_with_their_project(workshop: Workshop):
    home = workshop.home
    artifact = await made(workshop)
    await home.house.commands.perform(PinArtifact(principal=home.owner, artifact=artifact.artifact))

    await home.house.commands.perform(DeleteProject(principal=home.owner, project=home.project))
    await workshop.sweep()

    (gone,) = await workshop.artifacts(gone=True)
    assert (gone.cause, workshop.stored()) == ("project", [])


async def test_an_artifact_becomes_a_file_of_the_project_with_its_label(workshop: Workshop):
    home = workshop.home
    artifact = await made(workshop)

    kept = await home.house.commands.perform(
        KeepArtifactInFiles(
            principal=home.owner, project=home.project, artifact=artifact.artifact, file_name="report.txt"
        )
    )

    read = await home.house.commands.perform(
        ReadFile(principal=home.owner, project=home.project, file_name="report.txt")
    )
    assert (kept.name, read.text, read.label.integrity.value) == ("report.txt", "the numbers", "untrusted")


async def test_a_disk_that_is_full_keeps_nothing_half_and_the_run_keeps_its_words(workshop: Workshop):
    folder = workshop.home.house.settings.artifact_folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way: no folder can be made here")

    answer = await workshop.runs("open('out/a.txt', 'w').write('x')\nprint('said')")

    assert answer["output"] == "said\n"
    assert [each["reason"] for each in answer["refused"]] == ["the artifact store could not be written"]
    assert await workshop.artifacts() == ()


async def test_bytes_whose_run_broke_off_are_removed_after_an_hour(workshop: Workshop, clock: StoppedClock):
    house = workshop.home.house
    shelf = house.sandboxes.running.shelf
    origin_of = await made(workshop)
    (session,) = await workshop.sessions()

    async def files():
        yield Found(name="half.txt", content=b"half")
        raise ConnectionError

    origin = Origin(
        org=workshop.home.org,
        project=workshop.home.project,
        thread=workshop.thread,
        author=None,
        session=session.session,
        task=origin_of.task,
        decision=DecisionId(new_id()),
        label=origin_of.label,
    )
    with pytest.raises(ConnectionError):
        await shelf.keep(origin, files())
    assert len(workshop.stored()) == 2

    clock.advance(timedelta(hours=2))
    await workshop.sweep()

    assert len(workshop.stored()) == 1
    assert await workshop.bytes_of(origin_of) == b"the numbers"


async def test_a_chart_is_kept_as_its_checked_specification(workshop: Workshop):
    spec = {"data": {"values": [{"channel": "search", "spend": 120}]}, "mark": "bar", "encoding": {}}

    await workshop.does(
        Says(calls=[("plot", {"file_name": "spend", "spec": spec})]),
        Says(calls=[("plot", {"file_name": "evil", "spec": {**spec, "data": {"url": "https://evil.test/"}}})]),
    )

    plotted, refused = workshop.answers()
    assert plotted["artifact"]["media_type"] == "application/vnd.vegalite+json"
    assert refused["error"] == "sandbox.chart_refused"
    (artifact,) = await workshop.artifacts()
    assert artifact.name == "spend.json"
    assert b'"spend": 120' in await workshop.bytes_of(artifact)


async def test_links_and_strange_names_do_not_come_out(workshop: Workshop):
    code = (
        "import os\n"
        "os.symlink('/etc/passwd', 'out/link'); os.mkfifo('out/pipe'); os.makedirs('out/deep')\n"
        "open('out/deep/plain.txt', 'w').write('x'); open('out/bad\\x07name', 'w').write('y')\n"
        "open('kept-inside', 'w').write('z'); os.link('kept-inside', 'out/hard')"
    )

    answer = await workshop.runs(code)

    assert answer["exit_code"] == 0
    assert [each["name"] for each in answer["artifacts"]] == ["deep/plain.txt"]


async def test_what_is_refused_is_told_by_name_without_what_would_steer_a_page(workshop: Workshop):
    code = (
        "import os\nopen('out/kept.txt', 'w').write('x')\nos.symlink('/etc/passwd', 'out/link')\nos.mkfifo('out/pipe')\n"
        "open('out/two\\nlines\\x1b[31m', 'w').write('y')\n"
        "for n in range(30): os.symlink('x', f'out/z{n:02}')\nprint('said')"
    )

    found = await workshop.runs(code)

    assert [each["name"] for each in found["artifacts"]] == ["kept.txt"]
    assert "said" in found["output"]
    refused = {each["name"]: each["reason"] for each in found["refused"]}
    assert "a link" in refused["link"]
    assert "a link" in refused["pipe"]
    assert refused["two\ufffdlines\ufffd[31m"] == "its name cannot be kept"
    assert refused[None].startswith("13 more")
    assert len(found["refused"]) == 21


async def test_all_organisations_together_have_only_so_much_room(opening: Opening, settings: Settings):
    small = settings.model_copy(update={"artifacts": settings.artifacts.model_copy(update={"total_mb": 1})})
    async with opening(small) as workshop:
        found = await workshop.runs(
            "open('out/a.bin', 'wb').write(bytes(700_000))\nopen('out/b.bin', 'wb').write(b'1' * 700_000)"
        )

    assert [each["name"] for each in found["artifacts"]] == ["a.bin"]
    assert found["refused"] == [{"name": "b.bin", "reason": "there is no room left for anybody's artifacts"}]
