"""Models in a whole house: real tools, the real gate and journal, a real socket for the hosted one."""

from sqlalchemy import text

from joule.agent.task import End
from joule.kernel.settings import Settings
from joule.llm.providers.registry import open_model
from memory.actions import ListItems, ReadFile
from tests.llm.conftest import KEY, settings_for
from tests.llm.project import CAMPAIGNS, GUIDE
from tests.llm.test_offline_requests import MAIN
from tests.support.house import Home, home
from tests.support.openai_server import Calls, Fails, OpenAIServer, Says

QUESTIONS = {
    "Which channel had the highest revenue in campaigns.csv?": "**Email** has the highest revenue",
    "What did we spend in total on Email?": "€350",
    "cost per conversion by channel": "**Display**: €133.33",
    "List my files": "`campaigns.csv`",
    "Summarise the brand guide": "Our voice is warm",
    "Search my files for members": "`brand-guide.md`, line 6",
    "Read campaigns.csv": "Spring launch,Email,200",
    "Read campaings.csv": "Did you mean `campaigns.csv`?",
    'Write "one two" to notes.md': "Saved as `notes.md`",
    'Replace "two" with "three" in notes.md and read notes.md': "one three",
    'Replace "absent" with "three" in notes.md': "I could not change `notes.md`",
    "Remember that our tone is warm": "I will remember: our tone is warm.",
    "What do you remember?": "- our tone is warm",
    "Tell me a joke": "I did not understand that",
}


async def furnish(here: Home) -> None:
    await here.upload("campaigns.csv", CAMPAIGNS.encode())
    await here.upload("brand-guide.md", GUIDE.encode())


async def read(here: Home, name: str) -> str:
    found = await here.house.commands.perform(ReadFile(principal=here.owner, project=here.project, file_name=name))
    return found.text


async def test_the_main_sentence_works_without_any_provider(settings: Settings) -> None:
    async with home(settings) as here:
        await furnish(here)
        claim = here.claim(MAIN)

        outcome = await here.run(claim)

        assert outcome.end is End.DONE
        saved = await read(here, "summary.md")
        kept = await here.house.commands.perform(ListItems(principal=here.owner, project=here.project))
        for figure in ("€2,650", "€8,000", "€12.69", "See you out there"):
            assert figure in saved
        assert "!" not in saved + (outcome.answer or "")
        assert [each.text for each in kept.items] == ["we never use exclamation marks"]
        assert "Saved as `summary.md`" in (outcome.answer or "")
        events = await here.events(claim.task)
        assert not [each for each in events if each.kind in {"action.refused", "action.failed"}]
        assert any(each.kind == "text.delta" and each.call == "model/0" for each in events)


async def test_each_documented_request_works_on_the_real_tools(settings: Settings) -> None:
    async with home(settings) as here:
        await furnish(here)

        answers = {said: (await here.run(here.claim(said))).answer or "" for said in QUESTIONS}

        assert {said: told for said, told in QUESTIONS.items() if told not in answers[said]} == {}


async def test_a_hosted_model_works_with_the_same_tools(settings: Settings, provider: OpenAIServer) -> None:
    provider.replies += [
        Says(
            pieces=("Let me ", "look."),
            calls=(
                Calls(id="a", name="list_files", fragments=("{}",)),
                Calls(id="b", name="read_file", fragments=('{"file_name": ', "oops")),
            ),
        ),
        Says(calls=(Calls(id="c", name="write_file", fragments=('{"file_name":"plan', '.md","text":"More email."}')),)),
        Fails(status=503, headers={"retry-after": "0"}),
        Says(pieces=("Saved plan.md.",), usage=(40, 4)),
    ]
    async with home(settings, model=open_model(settings_for(provider))) as here:
        await furnish(here)
        claim = here.claim("Write plan.md for me")

        outcome = await here.run(claim)

        assert (outcome.end, outcome.answer) == (End.DONE, "Saved plan.md.")
        assert await read(here, "plan.md") == "More email."
        told = [each for each in provider.requests[1].body["messages"] if each["role"] == "tool"]
        assert [each["tool_call_id"] for each in told] == ["a", "b"]
        assert "not valid JSON" in told[1]["content"]
        assert provider.requests[0].headers["authorization"] == f"Bearer {KEY}"
        async with here.house.database.read(here.org) as session:
            rows = (await session.execute(text("SELECT attempts, outcome FROM llm_call ORDER BY id"))).all()
            rooms = (await session.execute(text("SELECT llm_call::text FROM llm_call"))).all()
        assert [tuple(row) for row in rows] == [(1, "done"), (1, "done"), (2, "done")]
        assert KEY not in str(rooms)
