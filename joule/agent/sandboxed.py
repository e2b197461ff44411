"""Makes tools of the sandbox that a task may run code in.

A task's first row says whether there is one, and for which thread: a task that is resumed or replayed is offered the same.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from joule.agent._arguments import Arguments, FileName, Tool
from joule.kernel.action import Action
from joule.kernel.ids import ThreadId
from joule.llm.actions import canonical_json
from sandbox.actions import Plot, ReadWorkspace, RunPython, RunShell, WriteWorkspace

Granted = Annotated[
    list[FileName],
    Field(max_length=50, description="Files of the project the code needs; they are put under files/, read-only"),
]
Path = Annotated[str, Field(max_length=1000, description="Path under the working folder, such as out/report.csv")]


class RunPythonArguments(Arguments):
    """What to run, on which files."""

    code: Annotated[str, Field(max_length=100_000, description="A whole Python program; print what you need to see")]
    files: Granted = Field(default_factory=list)


class RunShellArguments(Arguments):
    """What to run, on which files."""

    command: Annotated[str, Field(max_length=20_000, description="One line of shell")]
    files: Granted = Field(default_factory=list)


class WriteWorkspaceArguments(Arguments):
    """Which file, and all of its text."""

    path: Path
    text: Annotated[str, Field(max_length=200_000, description="The whole text of the file")]


class ReadWorkspaceArguments(Arguments):
    """Which file."""

    path: Path


class PlotArguments(Arguments):
    """The chart, and what it is called."""

    file_name: Annotated[str, Field(max_length=150, description="What the chart is called, such as signups.json")]
    spec: Annotated[
        dict[str, Any], Field(description="Vega-Lite with its data in data.values; no URLs and no expressions")
    ]


def tools_of(started: Mapping[str, Any] | None) -> tuple[Tool, ...]:
    """The tools of a task whose first row says this about its sandbox; none where it says nothing."""
    if not started:
        return ()
    thread = ThreadId(UUID(started["thread"]))
    return (
        Tool(
            name="run_python",
            description=(
                "Runs a Python program in a sandbox without network; urllib.request reaches hosts that the organisation has "
                "listed, if there are any, and no others. The project's files that you name are under "
                "files/; what the program writes under out/ is kept as artifacts the person can open and download. "
                "Other files stay in the working folder for a while, variables do not. The standard library is there; "
                "pandas, numpy, matplotlib, pillow and openpyxl are where they are installed."
            ),
            arguments=RunPythonArguments,
            action=_as(RunPython, thread),
        ),
        Tool(
            name="run_shell",
            description="Runs one line of shell in the same sandbox and working folder as run_python.",
            arguments=RunShellArguments,
            action=_as(RunShell, thread),
        ),
        Tool(
            name="write_workspace",
            description="Writes a text file into the sandbox's working folder, for code that you run next.",
            arguments=WriteWorkspaceArguments,
            action=_as(WriteWorkspace, thread),
        ),
        Tool(
            name="read_workspace",
            description="Reads a text file of the sandbox's working folder.",
            arguments=ReadWorkspaceArguments,
            action=_as(ReadWorkspace, thread),
        ),
        Tool(
            name="plot",
            description="Keeps a chart as an artifact, as Vega-Lite that holds its own data.",
            arguments=PlotArguments,
            action=_as(Plot, thread),
        ),
    )


def _as(action: Callable[..., Action[Any]], thread: ThreadId) -> Callable[[Any, dict[str, Any]], Action[Any]]:
    def make(given: Arguments, shared: dict[str, Any]) -> Action[Any]:
        return action(**{name: _plain(value) for name, value in given}, thread=thread, **shared)

    return make


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return canonical_json(value) if isinstance(value, dict) else value
