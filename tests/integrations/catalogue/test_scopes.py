"""What was granted is enough only if the catalogue says so."""

import pytest

from integrations.catalogue.implied import closure, dropped, missing, read_only, satisfied, to_ask, to_send
from integrations.catalogue.load import catalogue
from tests.integrations.catalogue.samples import blue_bike

NOTE = blue_bike().operations["write_note"]
LIST = blue_bike().operations["list_customers"]


@pytest.mark.parametrize(
    ("granted", "enough"),
    [
        ((), False),
        (("notes.write",), False),
        (("customers.read",), False),
        (("customers.read", "notes.write"), True),
        (("customers.write",), True),
        (("everything", "admin", "*"), False),
        (("CUSTOMERS.WRITE",), False),
    ],
)
def test_one_alternative_must_be_granted_whole(granted: tuple[str, ...], enough: bool) -> None:
    assert satisfied(blue_bike(), NOTE, granted) is enough
    assert (missing(blue_bike(), NOTE, granted) == ()) is enough


def test_writing_contains_reading_only_where_the_catalogue_says_so() -> None:
    posthog, canva = catalogue().provider("posthog"), catalogue().provider("canva")

    assert satisfied(blue_bike(), LIST, ["customers.write"])
    assert not satisfied(blue_bike(), LIST, ["notes.write"])
    assert "insight:read" in closure(posthog, ["insight:write"])
    assert closure(canva, ["asset:write"]) == {"asset:write"}


def test_the_least_risky_missing_permission_is_asked_for() -> None:
    assert missing(blue_bike(), NOTE, ["customers.read"]) == ("notes.write",)
    assert missing(blue_bike(), NOTE, []) == ("customers.read", "notes.write")


def test_every_operation_is_satisfied_by_what_it_says_is_missing() -> None:
    for provider in catalogue().providers.values():
        for operation in provider.operations.values():
            wanted = missing(provider, operation, ())
            assert wanted
            assert satisfied(provider, operation, wanted)


def test_what_every_connection_needs_is_asked_for_and_what_is_only_ours_is_not_sent() -> None:
    x, mailchimp = catalogue().provider("x_twitter"), catalogue().provider("mailchimp")

    assert to_ask(x, ["tweet.read", "made.up"]) == ("offline.access", "tweet.read")
    assert to_ask(mailchimp, []) == ("everything",)
    assert to_send(mailchimp, ["everything"]) == ()
    assert to_send(x, to_ask(x, ["tweet.read"])) == ("offline.access", "tweet.read")


def test_read_only_leaves_out_whatever_can_change_something() -> None:
    assert read_only(blue_bike()) == ("customers.read",)
    assert read_only(catalogue().provider("google_ads")) == ()
    for provider in catalogue().providers.values():
        assert all(provider.scopes[name].risk.rank <= 2 for name in read_only(provider))


def test_what_was_asked_and_not_given_is_told_in_order() -> None:
    assert dropped(("a", "b", "c"), {"b"}) == ("a", "c")
