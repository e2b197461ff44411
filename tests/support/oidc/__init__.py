"""The independent authorization server (panva's oidc-provider) as a fixture, and a browser that clicks through it."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
from joserfc.jwk import ECKey

HERE = Path(__file__).parent
CALLBACK = "http://127.0.0.1:7777/integrations/callback/demo"
OTHER_CALLBACK = "http://127.0.0.1:7777/integrations/callback/other"
ODD_ID, ODD_SECRET = "odd:id +/", "odd:s cret+/%~"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A running server: where it is, and the private key its client `signer` proves itself with."""

    issuer: str
    signing_key: str

    async def play(self, *, declines: tuple[str, ...] = (), refuses: bool = False, seconds: int = 3600) -> None:
        """How the person behind the browser behaves from now on, and how long access tokens live."""
        query: list[tuple[str, str | int]] = [("decline", name) for name in declines]
        query += [("seconds", seconds), *([("refuse", "1")] if refuses else [])]
        async with httpx2.AsyncClient(trust_env=False, verify=False) as browser:
            (await browser.get(f"{self.issuer}/play", params=query)).raise_for_status()

    async def consent(self, url: str) -> dict[str, str]:
        """Follows the address as a browser would, to the callback; returns the callback's query, or the error page's."""
        async with httpx2.AsyncClient(trust_env=False, verify=False) as browser:
            for _ in range(12):
                answer = await browser.get(url)
                if answer.status_code not in (302, 303):
                    return {"status": str(answer.status_code)}
                url = urljoin(url, answer.headers["location"])
                if urlsplit(url).path.startswith("/integrations/callback/"):
                    return dict(parse_qsl(urlsplit(url).query))
        raise AssertionError("the server sends the browser in circles")


@contextmanager
def running_peer() -> Iterator[Peer]:
    """Starts the server on a free port of loopback; `tools/setup.sh --browser` has installed what it needs."""
    assert (HERE / "node_modules").is_dir(), "run tools/setup.sh --browser: the OAuth peer is not installed"
    key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
    settings: dict[str, Any] = {
        "redirectUris": [CALLBACK, OTHER_CALLBACK],
        "publicKey": key.as_dict(private=False),
        "odd": {"id": ODD_ID, "secret": ODD_SECRET},
    }
    process = Popen(
        ["node", "--no-warnings", "op.mjs"],
        cwd=HERE,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        stdin=PIPE,
        stdout=PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(settings))
        process.stdin.close()
        said = json.loads(process.stdout.readline())
        yield Peer(issuer=said["issuer"], signing_key=key.as_pem(private=True).decode())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()
