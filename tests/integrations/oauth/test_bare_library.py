"""Positive controls: the library alone, as most people use it, falls for what our endpoint refuses."""

import base64

import httpx2
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from integrations.oauth.wire import new_verifier
from tests.integrations.oauth.conftest import Make, connected
from tests.support.odd_provider import CLIENT, SECRET, OddProvider
from tests.support.oidc import CALLBACK, ODD_ID, ODD_SECRET, Peer
from tests.support.provider_server import Json


def bare(client_id: str = CLIENT, secret: str = SECRET, scope: str | None = None) -> AsyncOAuth2Client:
    return AsyncOAuth2Client(client_id, secret, scope=scope, redirect_uri=CALLBACK, trust_env=False)


async def test_rule_10_control_the_library_takes_a_4xx_for_a_token(odd: OddProvider) -> None:
    odd.will(Json(value={"status": "BAD_REFRESH_TOKEN", "message": "no"}, status=400))

    async with bare() as client:
        token = await client.fetch_token(f"{odd.base}/token", code="c", grant_type="authorization_code")

    assert token["status"] == "BAD_REFRESH_TOKEN"


async def test_rule_01_control_the_library_takes_a_token_from_a_fragment() -> None:
    async with bare() as client:
        with pytest.raises(TypeError):
            await client.fetch_token(authorization_response=f"{CALLBACK}#access_token=EVIL&token_type=bearer")
        assert client.token["access_token"] == "EVIL"


async def test_rule_12_control_the_library_widens_a_refresh_and_is_refused(to_peer: Make, peer: Peer) -> None:
    await peer.play(declines=("ads.write",))
    tokens = await connected(to_peer(), peer, scopes=("openid", "ads.read", "ads.write"))
    assert tokens.refresh_token is not None

    async with bare("basic", "s3cret", scope="openid ads.read ads.write") as client:
        with pytest.raises(OAuthError, match="invalid_scope"):
            await client.refresh_token(f"{peer.issuer}/token", refresh_token=tokens.refresh_token.reveal())


async def test_rule_20_control_the_library_is_silent_about_a_refused_revocation(peer: Peer) -> None:
    async with bare("basic", "wrong") as client:
        answer = await client.revoke_token(f"{peer.issuer}/token/revocation", token="x")

    assert answer.status_code == 401


async def test_rule_24_control_the_library_keeps_one_resource_of_two(odd: OddProvider) -> None:
    async with bare() as client:
        await client.fetch_token(
            f"{odd.base}/token", body="resource=https://a.example/&resource=https://b.example/", code="code-1",
            code_verifier=new_verifier().reveal(), grant_type="authorization_code",
        )  # fmt: skip

    assert odd.seen[-1].raw.count(b"resource=") == 1


async def test_rule_28_control_the_library_sends_the_pair_unencoded(peer: Peer) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        pair = base64.b64encode(f"{ODD_ID}:{ODD_SECRET}".encode()).decode()
        answer = await client.post(
            f"{peer.issuer}/token", data={"grant_type": "refresh_token", "refresh_token": "x"},
            headers={"Authorization": f"Basic {pair}"},
        )  # fmt: skip
    async with bare(ODD_ID, ODD_SECRET) as library:
        with pytest.raises(OAuthError, match="invalid_"):
            await library.refresh_token(f"{peer.issuer}/token", refresh_token="x")

    assert answer.json()["error"] in ("invalid_request", "invalid_client")
