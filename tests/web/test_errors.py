"""An error reaches the person as a status, a sentence and a way out, and costs them nothing they typed."""

import importlib

import pytest

from joule.kernel import errors as kernel
from joule.kernel.errors import JouleError
from joule.web.errors import status_of
from tests.house.source import modules, shown
from tests.web.conftest import Site

HTMX = {"HX-Request": "true"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (kernel.Refused("a", reason="b"), 403),
        (kernel.NotFound("file"), 404),
        (kernel.Invalid("a", advice="b"), 422),
        (kernel.Conflict("file"), 409),
        (kernel.JournalDown(), 503),
        (kernel.LimitReached("steps", 3), 429),
        (kernel.Corrupt("a"), 500),
        (kernel.PermitMisused("a"), 500),
    ],
)
def test_an_error_has_its_status(error: JouleError, status: int) -> None:
    assert status_of(error) == status


def test_no_other_room_knows_http() -> None:
    for path in modules():
        name = shown(path)
        # The demonstration provider is a service of its own, which Joule speaks with like with any other.
        own = ("joule/web/", "joule/bench/", "joule/llm/providers/", "joule/cli/web", "integrations/demo/")
        if name.startswith(own):
            continue
        text = path.read_text(encoding="utf-8")
        assert "starlette" not in text, name
        assert "fastapi" not in text, name
    assert importlib.import_module("joule.web.errors").status_of(kernel.NotFound("page")) == 404


async def test_a_fragment_gets_a_notice_beside_the_form(site: Site) -> None:
    async with site.signed_in() as client:
        answer = await client.post(
            f"/projects/{site.home.project}/memory", data={"text": "4111 1111 1111 1111", "kind": "fact"}, headers=HTMX
        )

    assert answer.status_code == 422
    assert answer.headers["hx-retarget"] == "#notices"
    assert "payment card number" in answer.text
    assert "Leave the number out" in answer.text
    assert "4111" not in answer.text


async def test_a_page_says_what_to_do(site: Site) -> None:
    async with site.signed_in() as client:
        answer = await client.get("/projects/01980000-0000-7000-8000-000000000000")

    assert answer.status_code == 404
    assert "There is no such project." in answer.text
    assert "joule.not_found" in answer.text


async def test_a_program_gets_json(site: Site) -> None:
    async with site.signed_in() as client:
        answer = await client.get("/api/v1/tasks/01980000-0000-7000-8000-000000000000")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "joule.not_found"


async def test_an_ended_session_asks_to_sign_in_and_keeps_the_words(site: Site) -> None:
    async with site.stranger() as client:
        answer = await client.post(f"/projects/{site.home.project}/messages", data={"text": "words"}, headers=HTMX)

    assert answer.status_code == 401
    assert answer.headers["hx-retarget"] == "#notices"
    assert 'href="/sign-in"' in answer.text
    assert "what you typed is still here" in answer.text


async def test_an_incomplete_form_names_what_is_missing(site: Site) -> None:
    async with site.signed_in() as client:
        answer = await client.post("/projects", data={})

    assert answer.status_code == 422
    assert "title" in answer.text


async def test_an_unforeseen_error_shows_and_logs_nothing_of_itself(site: Site, caplog) -> None:
    async def broken() -> None:
        raise ValueError("a customer's words")

    site.app.state.places.otherwise.add_api_route("/broken", broken)
    async with site.stranger() as client:
        answer = await client.get("/broken")

    assert answer.status_code == 500
    assert "customer" not in answer.text
    assert "customer" not in caplog.text
    assert "ValueError" in caplog.text
