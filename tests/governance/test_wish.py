"""The gate decides about a copy that is its own: equal, and out of everybody's reach."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from joule.cli.policy import every_action
from joule.governance._wish import own
from joule.kernel.action import Action
from joule.kernel.ids import OrgId, PersonId, new_id
from joule.kernel.label import typed_by
from joule.kernel.principal import Principal, Role, Via
from joule.llm.actions import Generate, Message, ToolCall
from tests.support.wishes import wish


@pytest.fixture
def somebody() -> Principal:
    return Principal(org=OrgId(new_id()), person=PersonId(new_id()), role=Role.MEMBER, via=Via.AGENT)


def parts(value: Any) -> list[Any]:
    """Every object within `value` that somebody could change, by force if need be."""
    if is_dataclass(value):
        return [value, *(part for each in fields(value) for part in parts(getattr(value, each.name)))]
    if isinstance(value, tuple | list | frozenset):
        return [value] * isinstance(value, list) + [part for each in value for part in parts(each)]
    return [value] if hasattr(type(value), "__slots__") and type(value).__name__ == "UUID" else []


@pytest.mark.parametrize("kind", every_action(), ids=lambda each: each.name)
def test_the_gates_own_copy_asks_the_same_and_shares_nothing(kind: type[Action[Any]], somebody: Principal):
    given = wish(kind, principal=somebody)

    taken = own(given)

    assert taken == given
    assert (taken.binding(), dict(taken.relevant())) == (given.binding(), dict(given.relevant()))
    assert not {id(each) for each in parts(given)} & {id(each) for each in parts(taken)}


def test_what_lies_deep_inside_is_copied_too(somebody: Principal):
    message = Message(role="assistant", tool_calls=(ToolCall(id="1", name="send"),))
    taken = own(Generate(principal=somebody, messages=(message,), label=typed_by(PersonId(new_id()))))

    object.__setattr__(message.tool_calls[0], "name", "burn")
    object.__setattr__(message, "text", "go")

    assert taken.messages == (Message(role="assistant", tool_calls=(ToolCall(id="1", name="send"),)),)


def test_what_a_wish_pretends_to_be_does_not_come_along(somebody: Principal):
    given = wish(Generate, principal=somebody)
    object.__setattr__(given, "name", "memory.list_files")
    object.__setattr__(given, "binding", lambda: b"")

    taken = own(given)

    assert taken.name == "llm.generate"
    assert taken.binding() != b""
