"""Rows never cross a network in clear."""

import pytest

from joule.database.address import check_address
from joule.kernel.errors import Misconfigured


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://joule_app:canary@db.example.com/joule",
        "postgresql://joule_app:canary@db.example.com/joule?sslmode=disable",
        "postgresql://joule_app:canary@db.example.com/joule?sslmode=prefer",
        "postgresql://joule_app:canary@db.example.com/joule?sslmode=allow",
        "host=10.0.0.4 user=joule_app password=canary",
        "host=localhost hostaddr=10.0.0.4 password=canary",
        "postgresql://a:canary@localhost,db.example.com/joule",
        "postgresql://a:canary@localhost.example.com/joule",
        "postgresql://a:canary@localhost/joule?host=db.example.com",
        "service=production password=canary",
        "nonsense canary",
    ],
)
def test_an_address_that_may_travel_in_clear_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        check_address(address)

    assert "canary" not in f"{refused.value} {refused.value.advice()} {refused.value.__cause__}"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://joule_app:x@db.example.com/joule?sslmode=verify-full",
        "postgresql://joule_app:x@db.example.com/joule?sslmode=require",
        "postgresql://joule_app@localhost/joule",
        "postgresql://joule_app@127.0.0.1:5433/joule?sslmode=disable",
        "postgresql://joule_app@[::1]/joule",
        "host=/var/lib/joule/postgres user=joule_app dbname=joule",
        "postgresql:///joule",
    ],
)
def test_an_address_that_stays_here_or_insists_on_tls_is_accepted(address: str) -> None:
    check_address(address)


def test_a_host_named_in_the_environment_is_judged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.com")

    with pytest.raises(Misconfigured):
        check_address("postgresql:///joule")
    monkeypatch.setenv("PGHOST", "localhost")
    check_address("postgresql:///joule")
