"""Posts to an address that somebody outside chose, such as a webhook: over the guarded network, to that name alone.

What comes back is not read: its status says whether it was taken.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from integrations.broker.addresses import Hosts, is_name
from integrations.broker.guard import Endpoint, Limits, Network
from integrations.oauth.errors import AnswerRefused, HostRefused

LONGEST = 1_000  # characters of an address
_LIMITS = Limits(seconds=10.0, answer_bytes=64 * 2**10)


def post_address(url: str, *, loopback: Collection[Endpoint] = ()) -> str:
    """The address in one spelling: https, a plain public name, no password. Raises `HostRefused`.

    `loopback` are the endpoints of this machine that may be used, in plain HTTP.
    """
    if not url.isascii() or len(url) > LONGEST or re.search(r"[\x00-\x20\\\x7f]", url):
        raise HostRefused("the webhook", reason="it is not a plain web address")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise HostRefused("the webhook", reason="it is not a plain web address") from None
    if "@" in parts.netloc or parts.fragment:
        raise HostRefused("the webhook", reason="it carries a name, a password or a fragment")
    rest = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    if parts.scheme == "http" and (host, port or 80) in loopback:
        return f"http://{host}:{port or 80}{rest}"
    if parts.scheme != "https" or not is_name(host) or port not in {None, 443}:
        raise HostRefused("the webhook", reason="it is not https with a plain name on the usual port")
    return f"https://{host}{rest}"


async def post(network: Network, url: str, document: Mapping[str, Any], *, headers: Mapping[str, str]) -> str:
    """Post a JSON document. Empty when it was taken (2xx), else a closed word that says why it was not."""
    host = (urlsplit(url).hostname or "").lower()
    hosts = Hosts(exact=frozenset({host}), loopback=True)
    body = json.dumps(document, ensure_ascii=False).encode()
    try:
        async with network.client(hosts, name="the webhook", limits=_LIMITS) as client:
            answer = await client.post(url, content=body, headers={"content-type": "application/json", **headers})
    except HostRefused:
        return "address_refused"
    except AnswerRefused:
        return "answer_refused"
    except httpx2.TimeoutException:
        return "no_answer_in_time"
    except httpx2.HTTPError:
        return "not_reachable"
    if answer.is_success:
        return ""
    return "refused_there" if answer.is_client_error else "failed_there"
