"""A command's result, its errors and its exit code, for people and for scripts."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import click
import pytest
from click.testing import CliRunner

from joule.cli._output import Failed, Output, plain, reporting, table
from joule.kernel.errors import Invalid, JouleError, Misconfigured, NotFound, Refused, Unavailable


def command_that(does: Callable[[Output], None]) -> click.Command:
    @click.command()
    @reporting
    async def command(output: Output) -> None:
        does(output)

    return command


def raising(problem: Exception) -> click.Command:
    def do(output: Output) -> None:
        raise problem

    return command_that(do)


def test_a_result_is_words_for_people_and_one_document_for_scripts() -> None:
    command = command_that(lambda output: output.result({"tasks": 2}, "Two tasks"))

    people, script = CliRunner().invoke(command, []), CliRunner().invoke(command, ["--json"])

    assert (people.exit_code, people.output) == (0, "Two tasks\n")
    assert (script.exit_code, json.loads(script.stdout)) == (0, {"tasks": 2})


def test_progress_never_stands_between_a_script_and_its_document() -> None:
    def do(output: Output) -> None:
        output.say("Working")
        output.stream("piece by piece")
        output.result({"done": True}, "done")

    ran = CliRunner().invoke(command_that(do), ["--json"])

    assert json.loads(ran.stdout) == {"done": True}
    assert ran.stderr == "Working\n"


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (Invalid("no such column", advice="Look at the first line."), 1),
        (Refused("memory.write_file", reason="outside the project"), 3),
        (NotFound("task"), 4),
        (Unavailable("the database"), 5),
        (Misconfigured("no key", advice="Set one."), 6),
    ],
)
def test_an_error_says_what_to_do_and_ends_with_its_own_code(problem: JouleError, code: int) -> None:
    people, script = CliRunner().invoke(raising(problem), []), CliRunner().invoke(raising(problem), ["--json"])

    assert people.exit_code == script.exit_code == code
    assert people.stdout == ""
    assert str(problem) in people.stderr
    assert problem.advice() in people.stderr
    told = json.loads(script.stdout)["error"]
    assert told == {"code": problem.code, "message": str(problem), "advice": problem.advice()}


def test_a_command_whose_answer_is_no_fails() -> None:
    def do(output: Output) -> None:
        output.result({"ok": False}, "not well")
        raise Failed

    ran = CliRunner().invoke(command_that(do), ["--json"])

    assert (ran.exit_code, json.loads(ran.stdout)) == (1, {"ok": False})


class Colour(StrEnum):
    """A word."""

    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Box:
    """Something a room gives back."""

    id: UUID
    at: datetime
    colour: Colour
    inside: tuple["Box", ...] = ()


def test_what_rooms_give_back_becomes_plain_json() -> None:
    box = Box(id=UUID(int=7), at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), colour=Colour.RED)

    told = plain(Box(id=UUID(int=8), at=box.at, colour=Colour.RED, inside=(box,)))

    inner = {"id": str(UUID(int=7)), "at": "2026-01-02T03:04:00Z", "colour": "red", "inside": []}
    assert told == {**inner, "id": str(UUID(int=8)), "inside": [inner]}
    assert json.dumps(told)


def test_what_has_no_place_in_json_is_an_error_and_not_its_repr() -> None:
    with pytest.raises(TypeError):
        plain(object())


def test_a_table_lines_up_and_an_empty_one_says_so() -> None:
    assert table(("task", "state"), [("1", "done"), ("22", "failed")]) == "task  state\n1     done\n22    failed"
    assert table(("task", "state"), []) == "(none)"
