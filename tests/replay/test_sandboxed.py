"""A replay of a task that ran code reads the record alone: nothing runs again."""

from joule.kernel.settings import Settings
from joule.replay.actions import ReplayTask
from joule.replay.report import Verdict
from tests.sandbox.conftest import Workshop
from tests.support.house import home
from tests.support.scripted_model import Says, ScriptedModel


async def test_it_is_identical_and_no_code_runs(settings: Settings):
    model = ScriptedModel(script=[Says(text="Hello.")])
    async with home(settings, model=model) as found:
        workshop = Workshop(home=found, model=model)
        claim, _ = await workshop.does(
            Says(calls=[("run_python", {"code": "open('out/a.txt', 'w').write('x')"})]),
            Says(calls=[("plot", {"file_name": "p", "spec": {"data": {"values": []}, "mark": "bar"}})]),
        )
        before = await workshop.artifacts()

        report = await found.house.commands.perform(ReplayTask(principal=found.owner, task=claim.task))

        assert (report.verdict, report.differences, report.effects) == (Verdict.IDENTICAL, (), 0)
        assert len(before) == 2
        assert await workshop.artifacts() == before
