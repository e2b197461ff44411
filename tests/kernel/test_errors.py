"""Every deliberate failure has a code of its own, a message without content and a word of advice."""

import ast
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import pytest

from joule.kernel import errors
from joule.kernel.errors import JouleError
from tests.house.source import modules, shown, tree_of

SAMPLES: dict[Any, Any] = {
    str: "thing",
    int: 3,
    float: 2.0,
    timedelta: timedelta(seconds=90),
    tuple[str, ...]: ("a.policy",),
    float | None: None,
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
    datetime | None: datetime(2026, 1, 1, tzinfo=UTC),
}
SENTENCES = dict.fromkeys(("advice", "fix", "message", "problem", "reason"), "the thing is wrong.")

# Classes outside an `errors.py`, and why.
LOCAL = {
    "joule/cli/up.py: NotStarted": "a command's own ending, which nobody else may handle",
    "joule/replay/playback.py: NotOnRecord": "told to the replayed graph alone, in place of what was never recorded",
}


def kinds() -> list[type[JouleError]]:
    """Every class of the tree, in every room."""
    for path in modules():
        if path.name == "errors.py":
            importlib.import_module(shown(path).removesuffix(".py").replace("/", "."))
    return sorted(set(_below(JouleError)), key=lambda kind: (kind.__module__, kind.__name__))


def _below(kind: type[JouleError]) -> Iterator[type[JouleError]]:
    for each in kind.__subclasses__():
        if not each.__module__.startswith("tests"):
            yield each
            yield from _below(each)


def one(kind: type[JouleError]) -> JouleError:
    """An error as its raiser makes it, with ordinary words for its arguments."""
    if "__init__" not in {name for base in kind.__mro__[: kind.__mro__.index(JouleError)] for name in vars(base)}:
        return kind("the thing is wrong")
    given: dict[str, Any] = {}
    hints = get_type_hints(kind.__init__)
    for name in list(inspect.signature(kind.__init__).parameters)[1:]:
        given[name] = SENTENCES.get(name, SAMPLES[hints[name]])
    return kind(**given)


def test_there_are_errors_to_look_at():
    assert len(kinds()) > 50


def test_no_two_errors_have_one_code():
    counted = Counter(kind.code for kind in kinds())

    assert [code for code, count in counted.items() if count > 1] == []


def test_every_error_names_its_own_code():
    assert [kind.__qualname__ for kind in kinds() if "code" not in vars(kind)] == []
    assert [kind.code for kind in kinds() if not re.fullmatch(r"[a-z]+\.[a-z][a-z0-9_]*", kind.code)] == []


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_an_error_says_what_is_wrong_and_what_to_do(kind: type[JouleError]):
    error = one(kind)

    for text in (str(error), error.advice()):
        assert text.strip() == text
        assert len(text) > 9
        assert not re.search(r"[{}]|%[srd]|\bNone\b|TODO|<[a-z]|object at 0x", text)
    assert error.advice()[-1] in ".!?)`'"
    assert "\n" not in str(error)


def test_errors_are_declared_only_where_they_are_looked_for():
    names = {kind.__name__ for kind in kinds()} | {"JouleError"}
    elsewhere = [
        f"{shown(path)}: {node.name}"
        for path in modules()
        if path.name != "errors.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and {ast.unparse(base).split(".")[-1] for base in node.bases} & names
    ]

    assert elsewhere == list(LOCAL)


def drawn(text: str) -> dict[str, str]:
    """The tree as its drawing shows it: each class with the one above it."""
    found, above = {}, {}
    for line in text.splitlines():
        match = re.match(r"^    ([│ ]*)(?:[├└]── )?([A-Z]\w+)\s", line)
        if match is None:
            continue
        depth = 0 if match[2] == "JouleError" else len(match[1]) // 4 + 1
        above[depth] = match[2]
        if depth:
            found[match[2]] = above[depth - 1]
    return found


def test_the_drawing_of_the_tree_is_the_tree():
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in kinds() if kind.__module__ == errors.__name__}

    assert drawn(errors.__doc__ or "") == real


def test_a_drawing_that_is_wrong_is_caught():
    text = (errors.__doc__ or "").replace("│   └── ApprovalNeeded ", "├── ApprovalNeeded     ")

    assert drawn(text)["ApprovalNeeded"] == "JouleError"
    assert drawn(errors.__doc__ or "")["ApprovalNeeded"] == "Refused"
