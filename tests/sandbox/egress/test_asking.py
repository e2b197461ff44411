"""What a guest says through the door is taken apart before anything is believed."""

import json

import pytest

from sandbox.egress import _echo, asking
from sandbox.egress.errors import PlaceRefused, RequestRefused
from sandbox.egress.places import place

PLAIN = {"scheme": "https", "host": "api.example.com", "port": 443, "method": "GET", "path": "/", "headers": []}


def head(**changed: object) -> bytes:
    return json.dumps({**PLAIN, **changed}).encode()


def test_a_plain_request_is_understood():
    found = asking.asked(head(headers=[["X-Thing", "1"]], method="POST", path="/a?b=c"), b"body")

    assert (found.host, found.port, found.method, found.path) == ("api.example.com", 443, "POST", "/a?b=c")
    assert (found.headers, found.body) == ((("X-Thing", "1"),), b"body")


@pytest.mark.parametrize(
    "changed",
    [
        {"scheme": "file"},
        {"scheme": "unix"},
        {"host": ""},
        {"host": 7},
        {"port": "443"},
        {"port": True},
        {"method": "CONNECT"},
        {"method": "get"},
        {"path": "nowhere"},
        {"path": "/a b"},
        {"path": "/a\r\nHost: other"},
        {"path": "/a#b"},
        {"path": "/" + "x" * 5000},
        {"headers": [["Bad\r\nHost", "x"]]},
        {"headers": [["A", "x\r\ny: z"]]},
        {"headers": [["A"]]},
        {"headers": [["A", "x"]] * 41},
        {"headers": {"A": "x"}},
    ],
)
def test_anything_else_is_refused(changed: dict[str, object]):
    with pytest.raises(RequestRefused):
        asking.asked(head(**changed), b"")


@pytest.mark.parametrize("said", [b"", b"[]", b"nonsense", b'{"a":' * 5000, b"\xff"])
def test_what_is_no_request_is_refused(said: bytes):
    with pytest.raises(RequestRefused):
        asking.asked(said, b"")


def test_more_than_may_go_out_at_once_is_refused():
    with pytest.raises(RequestRefused):
        asking.asked(head(), bytes(asking.LARGEST_BODY + 1))


def test_headers_that_speak_of_the_line_or_of_somebody_else_are_left_out():
    ours = [["Host", "a"], ["Content-Length", "9"], ["X-Forwarded-For", "b"], ["Proxy-Authorization", "c"]]

    found = asking.asked(head(headers=[*ours, ["Accept", "text/csv"], ["ACCEPT", "text/html"]]), b"")

    assert found.headers == (("ACCEPT", "text/html"),)
    assert asking.without((("authorization", "mine"), ("accept", "x")), "Authorization") == {"accept": "x"}


def test_two_spellings_of_a_place_are_one():
    assert place(" API.Example.com ", 443) == place("api.example.com", 443)
    assert str(place("api.example.com", 8443)) == "api.example.com:8443"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "169.254.169.254", "[::1]", "::1", "2130706433", "0x7f.1", "0177.0.0.1", "1.1", "localhost"),
        *("*.example.com", "example.com.", "exa mple.com", "example.com/", "user@example.com", "münchen.de", ""),
        *("metadata.google.internal", "printer.local", "db.lan", "a..b", "-a.com"),
    ],
)
def test_only_full_names_can_be_listed(host: str):
    with pytest.raises(PlaceRefused):
        place(host, 443)


def test_an_endpoint_set_up_for_trying_can_be_listed_and_only_on_its_port():
    assert place("127.0.0.1", 9000, loopback={("127.0.0.1", 9000)}).port == 9000
    with pytest.raises(PlaceRefused):
        place("127.0.0.1", 9001, loopback={("127.0.0.1", 9000)})


def test_a_secret_that_comes_back_is_taken_out_in_every_form():
    secrets = _echo.parts_of("Bearer s3cret/Key+9")
    body = b"plain s3cret/Key+9, quoted s3cret%2FKey%2B9, packed czNjcmV0L0tleSs5, in figures 7333637265742f4b65792b39"

    assert _echo.without(body, secrets) == b"plain [removed], quoted [removed], packed [removed], in figures [removed]"
    assert _echo.without(b"Bearer of good news", secrets) == b"Bearer of good news"
