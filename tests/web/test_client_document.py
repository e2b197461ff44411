"""An issuer that reads clients' own documents finds Joule's: about its own address, for anybody, and only by https."""

from collections.abc import AsyncIterator

import httpx
import pytest

from joule.kernel.settings import Settings, WebSettings
from joule.web.app import build_app
from tests.support.house import home
from tests.support.scripted_model import ScriptedModel
from tests.web.conftest import Site

HERE = "https://joule.example"
NAME = "mcp_0123456789abcdef0123456789abcdef"
DOCUMENT = f"{HERE}/integrations/clients/{NAME}.json"


@pytest.fixture
async def public(settings: Settings) -> AsyncIterator[Site]:
    known = settings.model_copy(update={"web": WebSettings(base_url=HERE)})
    model = ScriptedModel(script=[])
    async with home(known, model=model) as found:
        yield Site(app=build_app(found.house), home=found, model=model)


async def test_rule_34_the_document_is_served_to_anybody_and_names_its_own_address(public: Site) -> None:
    transport = httpx.ASGITransport(app=public.app)
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as issuer:
        answer = await issuer.get(DOCUMENT)
        odd = [await issuer.get(f"{HERE}/integrations/clients/{name}.json") for name in ("A", "a%2Fb", "hubspot")]

    told = answer.json()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert "set-cookie" not in answer.headers
    assert told["client_id"] == DOCUMENT
    assert told["redirect_uris"] == [f"{HERE}/integrations/callback/{NAME}"]
    assert (told["response_types"], told["token_endpoint_auth_method"]) == (["code"], "none")
    assert [each.status_code for each in odd] == [404, 404, 404]


async def test_without_https_there_is_no_document(site: Site) -> None:
    async with site.stranger() as issuer:
        assert (await issuer.get(f"/integrations/clients/{NAME}.json")).status_code == 404
