"""Ways round the gate, and the same ways round LangGraph's own hooks, over a real database.

`through` counts effects that happened without a decision on record for exactly that effect.
"""

from importlib.metadata import version

from joule.assembly import open_house
from joule.bench import _hooks
from joule.bench._attempts import ATTEMPTS
from joule.bench._ground import ground
from joule.bench._post import POLICY, PostOffice, Provider
from joule.bench._trial import attempt
from joule.bench.report import Report


async def run(*, quick: bool, **_: object) -> Report:
    """Every attempt in a task of its own; `quick` changes nothing, it takes seconds."""
    office = PostOffice()
    outcomes = {}
    async with (
        ground() as here,
        open_house(here.settings, model=Provider(ledger=office.ledger), more=[office], more_policy=POLICY) as house,
    ):
        for each in ATTEMPTS:
            outcomes[each.name] = await attempt(each, house=house, office=office)
    hooks = {each.name: await _hooks.attempt(each) for each in _hooks.ATTEMPTS}
    astray = [each.name for each in ATTEMPTS if outcomes[each.name].effects != each.effects]
    return Report(
        name="bypass",
        figures={
            "attempts": len(outcomes),
            "through": sum(outcome.through for outcome in outcomes.values()),
            "attempts_langgraph_hooks": len(hooks),
            "through_langgraph_hooks": sum(hooks.values()),
            "astray": len(astray),
        },
        targets={"attempts": {"min": 9}, "through": {"max": 0}, "astray": {"max": 0}},
        notes=(
            f"beside langgraph {version('langgraph')} with langgraph-prebuilt {version('langgraph-prebuilt')} and "
            f"ToolNode(awrap_tool_call=): through there by {', '.join(name for name, through in hooks.items() if through)}"
            f"; astray: attempts that did not end in the effects they should ({', '.join(astray) or 'none'})"
        ),
    )
