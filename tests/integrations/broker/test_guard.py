"""Nothing private is reached, whatever the name says; and what comes back has its limits."""

import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from integrations.broker.addresses import Hosts, is_name, refusal
from integrations.broker.guard import LOGGERS, Limits, Network
from integrations.oauth.errors import AnswerRefused, HostRefused
from tests.integrations.broker.conftest import Names, certificate
from tests.support.provider_server import (
    Answers,
    Bomb,
    CutShort,
    Endless,
    HangsUp,
    Json,
    ProviderServer,
    Raw,
    Silent,
)

API = "api.provider.test"
ONLY_API = Hosts(exact=frozenset({API}))
HERE = Hosts(exact=frozenset({"127.0.0.1"}), loopback=True)


@pytest.fixture
async def network(provider: ProviderServer) -> AsyncIterator[Network]:
    network = Network(loopback=[provider.endpoint], limits=Limits(seconds=5.0))
    yield network
    await network.close()


async def ask(network: Network, provider: ProviderServer) -> httpx2.Response:
    async with network.client(HERE, name="Demo") as client:
        return await client.get(f"http://127.0.0.1:{provider.port}/")


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.9.1", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:7f00:1", "loopback"),
        ("::127.0.0.1", "private"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("0.1.2.3", "private"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("198.18.0.1", "private"),
        ("192.0.2.1", "private"),
        ("240.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fd00:ec2::254", "private"),
        ("fc00::1", "private"),
        ("fec0::1", "private"),
        ("2001:db8::1", "private"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("2002:7f00:0001::", "loopback"),
        ("2002:a9fe:a9fe::1", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b:1::7f00:1", "private"),
        ("2001:0:7f00:1::", "private"),
        ("127.1", "unreadable"),
        ("0x7f000001", "unreadable"),
        ("2130706433", "unreadable"),
        ("0177.0.0.1", "unreadable"),
        ("", "unreadable"),
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str, word: str) -> None:
    assert refusal(address) == word


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_passes(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "::1", "localhost", "1.2.3.0x4"),
        *("evil.com/.myshopify.com", "evil.com#.shop.test", "a..test", "-a.test", "a.test.", "A.test", "a_b.test", ""),
        *("evil.com\\.shop.test", "evil.com:80", "user@shop.test", "shop.test\n", "ⓔvil.com", "a" * 64 + ".test"),
    ],
)
def test_what_is_no_plain_name_is_no_host(host: str) -> None:
    assert not is_name(host)


@pytest.mark.parametrize(
    "host", ["api.provider.test", "my-shop.myshopify.com", "xn--e1afmkfd.xn--p1ai", "us1.a.b-c.io"]
)
def test_a_plain_name_is_a_host(host: str) -> None:
    assert is_name(host)


@pytest.mark.parametrize(
    "host", ["evil.test", "xapi.provider.test", "api.provider.test.evil.test", "shop.evil.test", "a.b.shop.test"]
)
async def test_a_host_the_catalogue_does_not_name_is_refused(host: str) -> None:
    hosts = Hosts(exact=frozenset({API}), patterns=(r"[a-z0-9][a-z0-9-]*\.shop\.test",))
    names = Names(**{host.replace(".", "_"): [["93.184.215.14"]]})
    network = Network(resolver=names)

    async with network.client(hosts, name="Shop") as client:
        with pytest.raises(HostRefused):
            await client.get(f"https://{host}/")

    assert names.asked == []
    assert hosts.allow("my-shop.shop.test")


@pytest.mark.parametrize(
    "url",
    [f"http://{API}/", f"https://{API}:8443/", f"https://{API}:22/", f"https://me:secret@{API}/", f"ftp://{API}/"],
)
async def test_only_https_on_its_port_without_credentials_leaves(url: str) -> None:
    names = Names(api_provider_test=[["93.184.215.14"]])

    async with Network(resolver=names).client(ONLY_API, name="API") as client:
        with pytest.raises((HostRefused, httpx2.UnsupportedProtocol)):
            await client.get(url)

    assert names.asked == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "10.1.2.3", "::ffff:127.0.0.1", "fd00:ec2::254", "2002:7f00:1::"]
)
async def test_an_allowed_name_that_leads_inside_is_refused(address: str) -> None:
    network = Network(resolver=Names(api_provider_test=[[address]]))

    async with network.client(ONLY_API, name="API") as client:
        with pytest.raises(HostRefused):
            await client.get(f"https://{API}/")


async def test_another_port_is_used_only_by_who_named_it_and_no_other_then() -> None:
    names = Names(api_provider_test=[["127.0.0.1"]])
    hosts = Hosts(exact=frozenset({API}), ports=frozenset({8443}))

    async with Network(resolver=names).client(hosts, name="API") as client:
        for url in (f"https://{API}/", f"https://{API}:8444/", f"http://{API}:8443/"):
            with pytest.raises(HostRefused):
                await client.get(url)
        assert names.asked == []
        with pytest.raises(HostRefused, match="loopback"):
            await client.get(f"https://{API}:8443/")

    assert names.asked == [API]


async def test_one_inside_address_among_good_ones_refuses_all() -> None:
    network = Network(resolver=Names(api_provider_test=[["93.184.215.14", "127.0.0.1"]]))

    async with network.client(ONLY_API, name="API") as client:
        with pytest.raises(HostRefused):
            await client.get(f"https://{API}/")


async def test_a_name_that_changes_its_address_is_judged_by_the_one_dialled(
    tmp_path: Path, provider: ProviderServer
) -> None:
    names = Names(api_provider_test=[["8.8.8.8"], ["127.0.0.1"]])
    assert await names.addresses(API, 443) == ["8.8.8.8"]  # whoever looked first saw a public address

    async with Network(resolver=names).client(ONLY_API, name="API") as client:
        with pytest.raises(HostRefused):
            await client.get(f"https://{API}/")

    assert provider.requests == []


async def test_loopback_needs_both_the_settings_and_the_catalogue(provider: ProviderServer) -> None:
    url = f"http://127.0.0.1:{provider.port}/"
    told_only_by_catalogue = Network()
    told_by_both = Network(loopback=[provider.endpoint])
    told_only_by_settings = Hosts(exact=frozenset({"127.0.0.1"}))

    async with told_only_by_catalogue.client(HERE, name="Demo") as client:
        with pytest.raises(HostRefused):
            await client.get(url)
    async with told_by_both.client(told_only_by_settings, name="Demo") as client:
        with pytest.raises(HostRefused):
            await client.get(url)
    assert provider.requests == []
    async with told_by_both.client(HERE, name="Demo") as client:
        assert (await client.get(url)).json() == {"ok": True}
    await told_by_both.close()


async def test_another_port_of_this_machine_stays_closed(network: Network, provider: ProviderServer) -> None:
    async with ProviderServer(Json()).running() as other, network.client(HERE, name="Demo") as client:
        with pytest.raises(HostRefused):
            await client.get(f"http://127.0.0.1:{other.port}/")

        assert other.requests == []


async def test_tls_and_host_carry_the_name_while_the_judged_address_is_dialled(tmp_path: Path) -> None:
    server, trusted = certificate(tmp_path, API)
    names = Names(api_provider_test=[["127.0.0.1"]])
    hosts = Hosts(exact=frozenset({API}), loopback=True)

    async with ProviderServer(Json()).running(tls=server) as provider:
        network = Network(
            resolver=names, loopback=[(API, provider.port)], tls=ssl.create_default_context(cafile=str(trusted))
        )
        async with network.client(hosts, name="API") as client:
            answer = await client.get(f"https://{API}:{provider.port}/")
        await network.close()

    assert answer.status_code == 200
    assert provider.names == [API]
    assert provider.requests[0].headers["host"] == f"{API}:{provider.port}"


async def test_a_server_with_another_names_certificate_is_refused(tmp_path: Path) -> None:
    server, trusted = certificate(tmp_path, "other.provider.test")
    hosts = Hosts(exact=frozenset({API}), loopback=True)

    async with ProviderServer(Json()).running(tls=server) as provider:
        network = Network(
            resolver=Names(api_provider_test=[["127.0.0.1"]]),
            loopback=[(API, provider.port)],
            tls=ssl.create_default_context(cafile=str(trusted)),
        )
        async with network.client(hosts, name="API") as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get(f"https://{API}:{provider.port}/")

    assert provider.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_the_metadata_address_is_not_followed(
    network: Network, provider: ProviderServer, status: int
) -> None:
    provider.answers = [Raw(body=b"", status=status, headers={"location": "http://169.254.169.254/latest/"})]

    with pytest.raises(AnswerRefused, match="points elsewhere"):
        await ask(network, provider)

    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Endless(total=3 * 2**20), "too large"),
        (Raw(body=b"x" * (2 * 2**20 + 1)), "too large"),
        (Bomb(unpacked=8 * 2**20), "compressed"),
        (Json(headers={"x-long": "y" * 40_000}), "headers are too large"),
        (Json(headers={f"x-{n}": "y" for n in range(300)}), "headers are too large"),
    ],
)
async def test_an_answer_past_its_limits_is_refused(
    network: Network, provider: ProviderServer, answer: Answers, said: str
) -> None:
    provider.answers = [answer]

    with pytest.raises(AnswerRefused, match=said):
        await ask(network, provider)


async def test_an_answer_within_its_limits_is_read(network: Network, provider: ProviderServer) -> None:
    provider.answers = [Raw(body=b"x" * 2 * 2**20)]

    assert len((await ask(network, provider)).content) == 2 * 2**20


@pytest.mark.parametrize(
    "answer", [Silent(), Silent(first=b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{"), CutShort(), HangsUp()]
)
async def test_a_server_that_is_slow_or_hangs_up_is_a_broken_line(provider: ProviderServer, answer: Answers) -> None:
    provider.answers = [answer]
    hasty = Network(loopback=[provider.endpoint], limits=Limits(seconds=0.3))

    with pytest.raises(httpx2.TransportError):
        await ask(hasty, provider)


async def test_a_proxy_in_the_environment_is_ignored(
    monkeypatch: pytest.MonkeyPatch, network: Network, provider: ProviderServer
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert (await ask(network, provider)).status_code == 200


async def test_the_http_libraries_log_nothing_even_when_told_to(
    network: Network, provider: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, logger=name)

    await ask(network, provider)

    assert [record for record in caplog.records if record.name.startswith(("httpx2", "httpcore2"))] == []


async def test_without_the_hush_they_would_log_the_whole_address(
    network: Network, provider: ProviderServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("httpx2"), "filters", [])
    caplog.set_level(logging.DEBUG, logger="httpx2")

    await ask(network, provider)

    assert any(f":{provider.port}/" in record.getMessage() for record in caplog.records)
