"""Of an answer only the fields the task needs are kept, and no answer is too big, too deep or too odd."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.catalogue.errors import AnswerUnreadable
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Paging
from integrations.catalogue.projecting import MAX_ITEMS, MAX_TEXT, MAX_TOTAL, next_page, parsed, project
from tests.integrations.catalogue.samples import listing

LISTING = listing()
names = st.sampled_from(["customers", "id", "name", "total", "[]", "*", "\x00keep"]) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def kept(answer: Any, *paths: str) -> Any:
    return project(replace(listing(), projection=paths), answer).kept


def test_only_the_named_fields_are_kept() -> None:
    answer = {
        "customers": [{"id": 1, "name": "Kim", "card": "4111", "deep": {"token": "t"}}, {"id": 2}],
        "total": 2,
        "debug": "x",
    }

    assert project(listing(), answer).kept == {"customers": [{"id": 1, "name": "Kim"}, {"id": 2}], "total": 2}


def test_paths_reach_through_lists_of_lists_and_all_members() -> None:
    assert kept({"rows": [[1, 2], [3]]}, "rows[][]") == {"rows": [[1, 2], [3]]}
    assert kept({"rows": [[1, 2], [3]]}, "rows[]") == {"rows": [[1, 2], [3]]}
    assert kept({"a": {"x": {"t": 1, "u": 2}, "y": {"t": 3}}}, "a.*.t") == {"a": {"x": {"t": 1}, "y": {"t": 3}}}
    assert kept({"a": {"x": 1}}, "a") == {"a": {"x": 1}}
    assert kept([{"id": 1, "no": 2}], "[].id") == [{"id": 1}]


def test_an_answer_of_another_shape_gives_nothing_rather_than_everything() -> None:
    assert kept({"customers": "everything"}, "customers[].id") == {}
    assert kept("everything", "customers[].id") is None
    assert kept([{"id": 1}], "customers[].id") is None
    assert kept({"customers": {"id": 1}}, "customers[].id") == {"customers": {}}
    assert kept(None, "customers[].id") is None


@settings(max_examples=200, deadline=None)
@given(values)
def test_whatever_comes_nothing_but_the_named_fields_survives(answer: Any) -> None:
    found = project(LISTING, answer).kept

    assert found is None or isinstance(found, dict)
    if isinstance(found, dict):
        assert set(found) <= {"customers", "total"}
        rows = found.get("customers", [])
        assert all(set(row) <= {"id", "name"} for row in rows if isinstance(row, dict))
    json.dumps(found)


def test_what_is_too_long_too_many_or_too_deep_is_cut_and_said_so() -> None:
    deep: Any = "bottom"
    for _ in range(200):
        deep = {"name": deep}

    many = project(listing(), {"customers": [{"id": n} for n in range(MAX_ITEMS + 50)]})
    long = project(listing(), {"customers": [{"name": "x" * (MAX_TEXT + 1)}]})
    heavy = project(listing(), {"customers": [{"name": "x" * MAX_TEXT}] * 100})
    nested = project(listing(), {"customers": [{"name": deep}]})
    whole = project(listing(), {"customers": [{"id": 1}]})

    assert (len(many.kept["customers"]), many.cut) == (MAX_ITEMS, True)
    assert (len(long.kept["customers"][0]["name"]), long.cut) == (MAX_TEXT, True)
    assert len(json.dumps(heavy.kept)) < MAX_TOTAL * 1.1
    assert heavy.cut
    assert nested.cut
    assert "bottom" not in json.dumps(nested.kept)
    assert not whole.cut


@pytest.mark.parametrize(
    "raw",
    [b"<html>", b"{", b"\xff\xfe", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"1" * 100_000, b'"' + b"x" * 4_000_001 + b'"'],
    ids=range(8),
)  # fmt: skip
def test_what_is_not_plain_json_is_refused(raw: bytes) -> None:
    with pytest.raises(AnswerUnreadable):
        parsed(raw)


def test_json_with_and_without_a_mark_and_nothing_at_all_are_read() -> None:
    assert parsed(b'{"a": 1}') == parsed(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert parsed(b"") is parsed(b"  \n") is None


def test_a_next_page_is_what_the_provider_says_it_is() -> None:
    assert next_page(listing(), {"next": "abc"}, {}) == "abc"
    assert next_page(listing(), {"next": 7}, {}) == "7"
    for nothing in (
        {},
        {"next": ""},
        {"next": None},
        {"next": True},
        {"next": {"a": 1}},
        {"next": "x" * 3000},
        [],
        None,
    ):
        assert next_page(listing(), nothing, {}) is None
    meta = catalogue().operation("meta_ads_pages", "list_pages")
    last = {"paging": {"cursors": {"after": "MAZ"}}}
    assert next_page(meta, last, {}) is None
    assert next_page(meta, {"paging": {**last["paging"], "next": "https://…"}}, {}) == "MAZ"


def test_an_offset_goes_on_until_the_total_is_reached() -> None:
    paging = Paging(kind="offset", argument="since", size="limit", total="total")
    operation = replace(catalogue().operation("mailchimp", "list_campaigns"))

    assert next_page(operation, {"total_items": 120}, {"limit": 50}) == "50"
    assert next_page(operation, {"total_items": 120}, {"limit": 50, "offset": 50}) == "100"
    assert next_page(operation, {"total_items": 120}, {"limit": 50, "offset": 100}) is None
    assert next_page(operation, {"total_items": "many"}, {}) is None
    assert next_page(replace(listing(), paging=paging), {}, {"limit": 1, "since": 0}) is None
