"""How a command talks: the result on stdout, progress on stderr, an error with its advice and its exit code.

With --json stdout carries exactly one JSON document, errors included, so that a script never has to read prose.
"""

import asyncio
import functools
import json
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

import click

from joule.kernel.errors import JouleError, Misconfigured, NotFound, Refused, Unavailable

P = ParamSpec("P")

FAILED, USAGE, REFUSED, NOT_FOUND, UNAVAILABLE, MISCONFIGURED = 1, 2, 3, 4, 5, 6
_CODES = ((Refused, REFUSED), (NotFound, NOT_FOUND), (Unavailable, UNAVAILABLE), (Misconfigured, MISCONFIGURED))


class Failed(Exception):
    """The command ran, and its answer is no: the result was printed already."""


class Output:
    """Where one command's words go."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def result(self, value: Any, human: str | Callable[[], str]) -> None:
        """Print the outcome: `value` as JSON, or the human words. Called once."""
        if self.as_json:
            click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))
        else:
            click.echo(human if isinstance(human, str) else human())

    def say(self, text: str) -> None:
        """One line of progress, on stderr."""
        click.echo(text, err=True)

    def stream(self, text: str) -> None:
        """Text as it arrives; with --json it is left for the result."""
        if not self.as_json:
            click.echo(text, nl=False)
            sys.stdout.flush()

    def error(self, problem: JouleError) -> None:
        if self.as_json:
            told = {"code": problem.code, "message": str(problem), "advice": problem.advice()}
            click.echo(json.dumps({"error": told}, indent=2, ensure_ascii=False))
        else:
            click.echo(f"Error: {problem} ({problem.code})\nWhat to do: {problem.advice()}", err=True)


def exit_code(problem: JouleError) -> int:
    """The exit code that stands for this kind of error."""
    return next((code for kind, code in _CODES if isinstance(problem, kind)), FAILED)


def reporting(body: Callable[Concatenate[Output, P], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an async function into a command's body: gives it `--json` and an `Output`, turns errors into exit codes."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @functools.wraps(body)
    def run(*args: Any, as_json: bool, **options: Any) -> None:
        output = Output(as_json=as_json)
        try:
            asyncio.run(body(output, *args, **options))
        except JouleError as problem:
            output.error(problem)
            sys.exit(exit_code(problem))
        except Failed:
            sys.exit(FAILED)
        except KeyboardInterrupt:
            sys.exit(130)

    return run


def plain(value: Any) -> Any:
    """`value` as what JSON can say: ids and times as text, dataclasses as objects."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, Enum)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID | Path):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "items"):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [plain(each) for each in value]
    raise TypeError(f"{type(value).__name__} has no place in a command's JSON")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they need to be, for people."""
    lines = [tuple(heads), *(tuple(str(cell) for cell in row) for row in rows)]
    if len(lines) == 1:
        return "(none)"
    widths = [max(len(line[n]) for line in lines) for n in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
