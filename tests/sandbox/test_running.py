"""The agent runs code over the files it names, in a sandbox, and what it leaves in the out folder comes out."""

from datetime import timedelta

from joule.kernel.label import Integrity
from sandbox.actions import EndSession
from tests.sandbox.conftest import Workshop
from tests.support.clock import StoppedClock
from tests.support.scripted_model import Says

CAMPAIGNS = b"channel,spend\nsearch,120\nmail,40\n"
SUM_UP = """
import csv
rows = list(csv.DictReader(open('files/campaigns.csv')))
total = sum(int(row['spend']) for row in rows)
print('total', total)
with open('out/total.csv', 'w') as file:
    file.write(f'total\\n{total}\\n')
"""


async def test_the_agent_runs_python_over_a_file_of_the_project_and_an_artifact_comes_out(workshop: Workshop):
    await workshop.home.upload("campaigns.csv", CAMPAIGNS)

    claim, outcome = await workshop.does(
        Says(calls=[("run_python", {"code": SUM_UP, "files": ["campaigns.csv"]})]),
    )

    assert outcome.answer == "Done. "
    answer = workshop.answers()[-1]
    assert (answer["exit_code"], answer["output"], answer["refused"]) == (0, "total 160\n", [])
    assert answer["trust"] == "untrusted"
    (artifact,) = await workshop.artifacts()
    assert (artifact.name, artifact.media_type, artifact.task) == ("total.csv", "text/csv", claim.task)
    assert artifact.expires_at - artifact.created_at == timedelta(days=7)
    assert await workshop.bytes_of(artifact) == b"total\n160\n"


async def test_the_record_tells_the_lifecycle_and_no_content_of_files(workshop: Workshop):
    await workshop.home.upload("campaigns.csv", CAMPAIGNS)

    claim, _ = await workshop.does(Says(calls=[("run_python", {"code": SUM_UP, "files": ["campaigns.csv"]})]))

    events = await workshop.home.events(claim.task)
    about = [event for event in events if event.attrs.get("action") == "sandbox.run_python"]
    assert [event.kind for event in about] == ["action.intent", "action.result"]
    ended = about[-1].attrs
    assert (ended["exit_code"], ended["artifacts"], ended["fresh"], ended["boundary"]) == (0, 1, 1, "namespace")
    assert "search,120" not in str([event.content for event in about])
    assert any(event.kind == "text.delta" and "total 160" in str(event.content) for event in events)


async def test_what_comes_out_carries_the_label_of_all_that_went_in(workshop: Workshop):
    await workshop.home.upload("campaigns.csv", CAMPAIGNS)
    await workshop.runs("print(open('files/campaigns.csv').read())", "campaigns.csv")

    await workshop.runs("open('out/later.txt', 'w').write('later')")

    (artifact,) = await workshop.artifacts()
    assert artifact.label.integrity is Integrity.UNTRUSTED
    assert any(source.startswith("file:") for source in artifact.label.sources)
    assert f"person:{workshop.home.owner.person}" in artifact.label.sources


async def test_only_files_that_were_named_are_in_the_sandbox(workshop: Workshop):
    await workshop.home.upload("campaigns.csv", CAMPAIGNS)
    await workshop.home.upload("secret.csv", b"name,salary\n")

    answer = await workshop.runs("import os; print(sorted(os.listdir('files')))", "campaigns.csv")
    missing = await workshop.runs("print('ran')", "nowhere.csv")

    assert answer["output"] == "['campaigns.csv']\n"
    assert missing["error"] == "joule.not_found"


async def test_a_command_that_fails_is_a_result_and_not_an_error(workshop: Workshop):
    answer = await workshop.runs("print('before')\nraise SystemExit(3)")

    assert (answer["exit_code"], answer["output"], answer["killed_by"]) == (3, "before\n", None)


async def test_a_thread_has_its_files_in_a_warm_session_and_other_threads_have_not(opening, settings):
    async with opening() as workshop:
        first = await workshop.runs("open('notes.txt', 'w').write('kept')")
        again = await workshop.runs("print(open('notes.txt').read())")
        other = Workshop(home=workshop.home, model=workshop.model)
        elsewhere = await other.runs("import os; print(os.path.exists('notes.txt'))")

        assert (first["fresh"], again["fresh"], again["session"]) == (True, False, first["session"])
        assert again["output"] == "kept\n"
        assert elsewhere["output"] == "False\n"
        assert elsewhere["session"] != first["session"]


async def test_a_new_session_has_the_files_of_the_one_before(workshop: Workshop, clock: StoppedClock):
    await workshop.home.upload("campaigns.csv", CAMPAIGNS)
    first = await workshop.runs("open('notes.txt', 'w').write('lost')", "campaigns.csv")

    clock.advance(timedelta(hours=1))
    answer = await workshop.runs("import os; print(sorted(os.listdir('.')), os.listdir('files'))")

    assert answer["fresh"]
    assert answer["session"] != first["session"]
    assert answer["output"] == "['files', 'out'] ['campaigns.csv']\n"
    states = {str(each.session): (each.state, each.cause) for each in await workshop.sessions()}
    assert states[first["session"]] == ("ended", "expired")
    assert states[answer["session"]] == ("warm", None)


async def test_a_new_version_of_a_file_takes_the_place_of_the_old_one(workshop: Workshop):
    await workshop.home.upload("campaigns.csv", CAMPAIGNS)
    await workshop.runs("print(1)", "campaigns.csv")
    await workshop.home.upload("campaigns.csv", b"channel,spend\nsearch,7\n")

    answer = await workshop.runs("print(open('files/campaigns.csv').read())", "campaigns.csv")

    assert "search,7" in answer["output"]
    assert not answer["fresh"]


async def test_a_session_that_a_person_ends_is_over(workshop: Workshop):
    first = await workshop.runs("print('here')")
    (session,) = await workshop.sessions()
    house = workshop.home.house

    await house.commands.perform(EndSession(principal=workshop.home.owner, session=session.session))
    ended = await house.sandboxes.sessions.end_strays()
    answer = await workshop.runs("print('anew')")

    assert ended == 1
    assert answer["fresh"]
    assert answer["session"] != first["session"]
    assert not [
        info
        for info in await house.sandboxes.backends.named("local").listed()
        if info.labels["session"] == session.session.hex
    ]


async def test_files_pass_between_the_workspace_tools(workshop: Workshop):
    await workshop.does(
        Says(calls=[("write_workspace", {"path": "src/words.txt", "text": "hello"})]),
        Says(calls=[("run_shell", {"command": "tr a-z A-Z < src/words.txt > src/loud.txt; echo done"})]),
        Says(calls=[("read_workspace", {"path": "src/loud.txt"})]),
    )

    written, ran, read = workshop.answers()
    assert (written["size"], ran["output"], read["text"]) == (5, "done\n", "HELLO")


async def test_no_tool_offers_code_where_no_sandbox_can_be_started(workshop: Workshop):
    await workshop.does()
    offered = {tool.name for tool in workshop.model.requests[-1].tools}
    claim = workshop.home.claim("Chart spend")
    await workshop.home.run(claim)  # by a worker that was told of no sandbox

    assert {"run_python", "run_shell", "plot"} <= offered
    assert not {"run_python", "run_shell", "plot"} & {tool.name for tool in workshop.model.requests[-1].tools}


async def test_a_flood_is_told_in_few_rows_and_shown_by_its_beginning_and_its_end(workshop: Workshop):
    code = "for n in range(20_000): print('line', n, flush=True)"

    claim, _ = await workshop.does(Says(calls=[("run_python", {"code": code})]))

    answer = workshop.answers()[-1]
    told = [event for event in await workshop.home.events(claim.task) if event.call == "act/0/0"]
    streamed = [event for event in told if event.kind == "text.delta"]
    assert answer["truncated"]
    assert answer["output"].startswith("line 0\n")
    assert answer["output"].endswith("line 19999\n")
    assert len(answer["output"]) < 25_000
    assert sum(len(event.content["text"]) for event in streamed) <= 40_000
    assert len(streamed) < 200
