"""An MCP server that wants to be signed in to: added, signed in to, a tool read and switched on, used in a chat, signed out of.

The server is the MCP project's own library, its issuer panva's oidc-provider; the model is scripted, over a real socket.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.support.browser import browser
from tests.support.mcp.protected import running_protected
from tests.support.oidc import running_peer
from tests.support.openai_server import Calls, OpenAIServer, Reply, Says
from tests.support.running import joule_up
from tests.support.walking import answered, ask, fine, new_project

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

READS_FIGURES = re.compile(rb"mcp_ads_figures_[0-9a-f]{8}")


@dataclass(kw_only=True)
class CallsFigures:
    """Calls the tool under the name it was offered by, whatever that is."""

    server: OpenAIServer

    async def send(self, writer: asyncio.StreamWriter) -> None:
        found = READS_FIGURES.search(self.server.requests[-1].raw)
        assert found is not None, "the tool was not offered"
        await Says(calls=[Calls(id="c1", name=found[0].decode(), fragments=["{}"])]).send(writer)


async def test_a_server_is_signed_in_to_used_and_signed_out_of() -> None:
    model = OpenAIServer()
    replies: Sequence[Reply] = (
        CallsFigures(server=model),
        Says(pieces=["There were 41 clicks."]),
        CallsFigures(server=model),
        Says(pieces=["Nobody is signed in to it any more."]),
    )
    model.replies = list(replies)
    with running_peer() as peer, ExitStack() as up:
        async with running_protected(peer) as guarded, model.running():
            variables = {
                "JOULE_MODEL": "openai:test-model",
                "JOULE_MODEL_BASE_URL": model.url,
                "JOULE_MODEL_API_KEY": "test-key",
                "JOULE_INTEGRATIONS_DEMO_PORT": "0",
                "JOULE_INTEGRATIONS_MCP_PORT": str(guarded.port),
                "JOULE_INTEGRATIONS_MCP_ISSUER_PORT": str(urlsplit(peer.issuer).port),
                "JOULE_INTEGRATIONS_UPKEEP_SECONDS": "1",
            }
            running = up.enter_context(joule_up(**variables))
            async with browser(name="mcp") as window:
                page = window.page
                await new_project(page, running, "Harbour coffee")
                project = page.url

                servers = f"{running.address}/admin/integrations/mcp"
                await page.goto(servers)
                await page.get_by_label("What you call it").fill("Ads")
                await page.get_by_label("Address", exact=True).fill(guarded.url)
                await page.get_by_role("button", name="Add the server").click()
                await expect(page.get_by_text("Needs sign-in")).to_be_visible()
                await fine(window, "40-needs-sign-in")
                await page.get_by_role("button", name="Sign in to Ads").click()
                await expect(page.get_by_text(peer.issuer, exact=True)).to_be_visible()
                await fine(window, "41-who-signs-in")
                await page.get_by_role("button", name="Go on at").click()

                await expect(page.get_by_text("You are signed in.")).to_be_visible(timeout=30_000)
                await fine(window, "42-signed-in")
                row = page.locator("li", has_text="figures")
                await row.get_by_text("What it says of itself").click()
                await expect(row.get_by_text("Last week's figures.")).to_be_visible()
                await row.get_by_label("figures is").select_option("allow")
                await row.get_by_role("button", name="Save figures").click()
                await expect(page.get_by_text("The tool was switched.")).to_be_visible()

                await page.goto(project)
                await ask(page, "What are last week's figures?")
                await answered(page, 1)
                await expect(page.locator("main")).to_contain_text("There were 41 clicks.")
                await fine(window, "43-used")
                conversation = page.url
                shown = len(guarded.tokens)

                await page.goto(servers)
                await page.get_by_role("button", name="Sign out of Ads").click()
                await expect(page.get_by_text("Signed out. Every worker refuses to use it.")).to_be_visible()
                await page.goto(conversation)
                await ask(page, "And the figures now?")
                await answered(page, 2)
                await expect(page.locator(".step", has_text="figures").last).to_contain_text("failed")
                await fine(window, "44-refused")

                async def told() -> None:
                    async with asyncio.timeout(30):
                        while await page.get_by_role("link", name="Download the receipt for Ads").count() == 0:
                            await asyncio.sleep(0.5)
                            await page.goto(servers)

                await page.goto(servers)
                await told()
                await fine(window, "45-told")

    assert len(guarded.tokens) == shown
    prompts = b"".join(each.raw for each in model.requests).decode()
    assert not [each for each in guarded.tokens if each in prompts]
