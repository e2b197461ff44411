"""The offline model answers the request people make first: it writes code, has it run, and tells what came out."""

import io
import json
from collections.abc import AsyncIterator

import openpyxl
import pytest

from joule.agent.runner import Runner
from joule.agent.tools import Toolbox
from joule.kernel.settings import Settings
from joule.llm.providers.offline._chart_program import program
from sandbox.artifacts.drawing import drawn
from tests.sandbox.conftest import Workshop
from tests.support.clock import StoppedClock
from tests.support.house import home
from tests.support.scripted_model import ScriptedModel

REQUEST = "Chart spend against signups per channel from campaigns.csv and give me an Excel with the numbers."
TABLE = """channel,campaign,spend_eur,signups
search,A,"1,200.50",30
mail,B,40,25
search,C,80.25,20
"=cmd()",D,1,n/a
"""


@pytest.fixture
async def offline(settings: Settings, clock: StoppedClock) -> AsyncIterator[Workshop]:
    async with home(settings, clock=clock) as found:
        yield Workshop(home=found, model=ScriptedModel(script=[]))


async def answered(workshop: Workshop, request: str) -> str:
    house = workshop.home.house
    runner = Runner(
        gate=house.gate,
        journals=house.journals,
        settings=house.settings.task,
        toolbox=Toolbox(),
        code_behind=house.sandboxes.backends.behind,
    )
    outcome = await runner.run(workshop.home.claim(request))
    return str(outcome.answer)


async def test_the_first_request_gives_a_chart_and_a_workbook_without_any_key(offline: Workshop):
    await offline.home.upload("campaigns.csv", TABLE.encode())

    said = await answered(offline, REQUEST)

    assert "**search** has the highest spend" in said
    assert "| search | €1,281 | 50 |" in said
    assert "1 cell could not be read" in said
    chart, workbook = await offline.artifacts()
    assert (workbook.name, chart.name) == (
        "spend-against-signups-per-channel.xlsx",
        "spend-against-signups-per-channel.json",
    )
    assert workbook.name in said
    sheet = openpyxl.load_workbook(io.BytesIO(await offline.bytes_of(workbook))).active
    assert sheet is not None
    rows = [tuple(each) for each in sheet.iter_rows(values_only=True)]
    assert rows == [
        ("channel", "spend_eur", "signups"),
        ("search", 1280.75, 50),
        ("mail", 40, 25),
        ("=cmd()", 1, 0),
        ("Total", 1321.75, 75),
    ]
    assert {cell.data_type for each in sheet.iter_rows() for cell in each} == {"s", "n"}  # no word is a formula
    assert len(drawn((await offline.bytes_of(chart)).decode()).dots) == 3

    # a word that is no column is taken for what it means, and it says so; one column is drawn as bars
    said = await answered(offline, "Draw a chart of the cost by channel from campaigns.csv")
    assert "I took the column `spend_eur`" in said
    (newest, *_) = await offline.artifacts()
    assert newest.name == "spend-per-channel.json"
    assert json.loads(await offline.bytes_of(newest))["mark"] == "bar"


def test_the_program_is_the_same_but_for_its_first_lines():
    one = program(file="a.csv", by="x", columns=["y"], name="n", workbook=True, chart=False)
    two = program(file='it\'s "b".csv', by="x", columns=["z"], name="n", workbook=True, chart=False)

    assert one.splitlines()[5:] == two.splitlines()[5:]
    assert compile(two, "main.py", "exec")
