"""Every way to an effect spends its permit before it does anything else."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source import modules, shown, tree_of

ADMIT = "self._admission.admit(permit, action)"

Function = ast.FunctionDef | ast.AsyncFunctionDef


def handlers() -> list[Path]:
    return [path for path in modules() if path.name == "handler.py" and path.parent.name != "kernel"]


def offered(handler: ast.ClassDef) -> Iterator[Function]:
    """The methods of a handler that perform an action: those it offers, and any open one that takes a permit."""
    methods = {node.name: node for node in handler.body if isinstance(node, Function)}
    named = {
        node.attr
        for node in ast.walk(methods["methods"])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    for name, method in methods.items():
        takes_a_permit = any(argument.arg == "permit" for argument in method.args.args)
        if name in named or (takes_a_permit and not name.startswith("_")):
            yield method


def unguarded(tree: ast.Module) -> list[str]:
    """Methods that do something before they have spent their permit, as `Class.method`."""
    found = []
    for handler in tree.body:
        if not isinstance(handler, ast.ClassDef) or not handler.name.endswith("Handler"):
            continue
        for method in offered(handler):
            body = method.body[1:] if ast.get_docstring(method) is not None else method.body
            if not body or ast.unparse(body[0]) != ADMIT:
                found.append(f"{handler.name}.{method.name}")
    return found


def test_there_are_handlers_to_read() -> None:
    assert "memory/handler.py" in [shown(path) for path in handlers()]
    assert all(list(_offering(path)) for path in handlers())


def _offering(path: Path) -> Iterator[Function]:
    for node in tree_of(path).body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Handler"):
            yield from offered(node)


def test_every_handler_method_spends_its_permit_first() -> None:
    assert {shown(path): found for path in handlers() if (found := unguarded(tree_of(path)))} == {}


GUARDED = f'''
class RoomHandler:
    def methods(self):
        return {{Remember: self.remember}}

    async def remember(self, permit, action, session):
        """Keep it."""
        {ADMIT}
        return await session.execute(action)
'''


@pytest.mark.parametrize(
    "planted",
    [
        GUARDED.replace(ADMIT, "pass"),
        GUARDED.replace(ADMIT, f"await session.execute(action)\n        {ADMIT}"),
        GUARDED.replace(ADMIT, "self._admission.admit(permit, other)"),
        GUARDED.replace(ADMIT, f"if action:\n            {ADMIT}"),
        GUARDED.replace("self, permit, action, session", "self, leave, action, session").replace(ADMIT, "pass"),
    ],
    ids=["never", "too late", "another action", "sometimes", "without a permit"],
)
def test_a_method_that_acts_without_its_permit_is_caught(planted: str) -> None:
    assert unguarded(ast.parse(GUARDED)) == []
    assert unguarded(ast.parse(planted)) == ["RoomHandler.remember"]
