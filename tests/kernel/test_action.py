"""An action says what is wanted: the same wish in the same bytes, and never its content."""

import json
from dataclasses import FrozenInstanceError, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joule.kernel.action import Action, Effect, content, result_codec
from joule.kernel.ids import OrgId, ProjectId, new_id
from joule.kernel.label import Label, Purpose, typed_by
from joule.kernel.principal import Principal, Role, Via

SOMEBODY = Principal(org=OrgId(new_id()), person=None, role=Role.MEMBER, via=Via.AGENT)


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of it."""

    at: datetime
    ids: tuple[UUID, ...]


@dataclass(frozen=True, kw_only=True)
class Post(Action[Done]):
    """Posts something."""

    name: ClassVar[str] = "test.post"
    effect: ClassVar[Effect] = Effect.SEND

    to: str
    times: int = 1
    when: datetime | None = None
    body: bytes = content(default=b"")
    text: str = content(default="")


@dataclass(frozen=True, kw_only=True)
class Unsaid(Action):  # type: ignore[type-arg]
    """Does not say what it gives back."""

    name: ClassVar[str] = "test.unsaid"
    effect: ClassVar[Effect] = Effect.READ


def post(**given: Any) -> Post:
    return Post(**{"principal": SOMEBODY, "to": "ada", **given})


posts = st.builds(
    post,
    to=st.text(max_size=20),
    times=st.integers(min_value=0, max_value=9),
    body=st.binary(max_size=20),
    text=st.text(max_size=20),
    project=st.none() | st.uuids(),
)


@given(posts, posts)
def test_two_wishes_have_the_same_binding_only_if_they_ask_the_same(one: Post, other: Post):
    asked = [(each.to, each.times, each.body, each.text, each.project) for each in (one, other)]

    assert (one.binding() == other.binding()) is (asked[0] == asked[1])


def test_who_asks_and_where_values_came_from_are_not_part_of_what_is_asked():
    agent, person = post(), post(principal=SOMEBODY.as_agent(), label=typed_by(new_id()))

    assert agent.binding() == person.binding()
    assert set(agent.arguments()) == {"project", "to", "times", "when", "body", "text"}


def test_the_same_arguments_of_another_action_are_another_wish():
    @dataclass(frozen=True, kw_only=True)
    class Shout(Post):
        """The same, louder."""

        name: ClassVar[str] = "test.shout"

    assert Shout(principal=SOMEBODY, to="ada").binding() != post().binding()


@given(st.binary(min_size=8, max_size=40), st.text(alphabet="äöü", min_size=8, max_size=40))
def test_content_is_told_by_its_length_and_bound_by_its_bytes(body: bytes, text: str):
    wish = post(body=body, text=text)

    told = wish.arguments()

    assert (told["body"], told["text"]) == ({"length": len(body)}, {"length": len(text)})
    assert text not in json.dumps(told, ensure_ascii=False)
    assert body not in wish.binding()
    assert text.encode() not in wish.binding()
    assert wish.binding() != post(body=body[::-1] + b"x", text=text).binding()


def test_arguments_are_plain_json():
    project = ProjectId(new_id())
    told = post(when=datetime(2026, 1, 2, tzinfo=UTC), project=project).arguments()

    assert json.loads(json.dumps(told)) == told
    assert (told["when"], told["project"]) == ("2026-01-02T00:00:00Z", str(project))


def test_a_wish_cannot_be_changed_by_accident():
    with pytest.raises(FrozenInstanceError):
        post().to = "mallory"  # type: ignore[misc]


def test_a_wish_is_labelled_as_strictly_as_can_be_unless_stated():
    assert post().label == Label()
    assert (post().purpose, post().idempotent, post().relevant()) == (Purpose.SERVICE, False, {})


def test_a_result_survives_being_written_down():
    done = Done(at=datetime(2026, 1, 2, tzinfo=UTC), ids=(new_id(), new_id()))
    codec = result_codec(Post)

    written = json.dumps(codec.dump_python(done, mode="json"))

    assert codec.validate_python(json.loads(written), strict=False) == done
    assert result_codec(Post) is codec


def test_an_action_that_does_not_say_what_it_gives_back_is_refused():
    with pytest.raises(TypeError, match="what it gives back"):
        result_codec(Unsaid)


@pytest.mark.parametrize("effect", Effect)
def test_an_effect_changes_our_rows_or_the_world_or_nothing(effect: Effect):
    assert effect.is_internal + effect.is_outside + (effect in {Effect.READ, Effect.MODEL}) == 1
