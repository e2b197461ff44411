"""What can go wrong with what comes out of a sandbox."""

from joule.kernel.errors import Invalid, Unavailable


class ChartRefused(Invalid):
    """A specification that is none, or that would do more than draw its own data."""

    code = "sandbox.chart_refused"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the chart is refused: {problem}",
            advice="Give Vega-Lite JSON with its data in data.values, without URLs and without expressions.",
        )


class StoreAway(Unavailable):
    """The artifact store cannot be written or read just now. Nothing of it was kept."""

    code = "sandbox.store_away"

    def __init__(self) -> None:
        super().__init__("the artifact store")
