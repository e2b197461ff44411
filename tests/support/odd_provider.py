"""Providers that keep to no standard but their own, on loopback over a real socket, one class for each.

Each is honest in its own way: codes and refresh tokens work once, secrets are compared, tokens die when revoked. Whatever is
put into `faults` is answered first, in order. `seen` holds every request.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from tests.support.provider_server import Answers, Asked, Json, ProviderServer

CLIENT, SECRET = "client-1", "canary-client-secret"


class OddProvider:
    """The standard's own behaviour: rotating refresh tokens, reuse of one ends the family."""

    def __init__(self) -> None:
        self.server = ProviderServer(self)
        self.codes = {"code-1", "code-2"}
        self.refresh: str | None = None
        self.alive: set[str] = set()
        self.used: set[str] = set()
        self.secrets = {SECRET}
        self.minted = 0
        self.body: dict[str, Any] | None = None  # what the token endpoint says instead of the usual

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def seen(self) -> list[Asked]:
        return self.server.requests

    def will(self, *faults: Answers) -> None:
        """These answers come first, then the provider is itself again."""
        self.server.answers[:] = [*faults, self]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["OddProvider"]:
        async with self.server.running():
            yield self

    async def send(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        path = urlsplit(asked.target).path
        answer = getattr(self, "at" + path.replace("/", "_").replace(".", "_"), self.at_nowhere)
        reply: Json = answer(asked)
        return await reply.send(writer, asked)

    def at_nowhere(self, asked: Asked) -> Json:
        return Json(value={"error": "invalid_request"}, status=404)

    def at_token(self, asked: Asked) -> Json:
        given = fields(asked)
        if not self.knows(asked, given):
            return self.fails("invalid_client", 401)
        if given.get("grant_type") == "refresh_token":
            return self.renewed(given)
        if given.get("code") not in self.codes:
            return self.fails("invalid_grant")
        self.codes.discard(given["code"])
        return Json(value=self.body if self.body is not None else self.minting())

    def renewed(self, given: Mapping[str, str]) -> Json:
        if given.get("refresh_token") in self.used:
            self.refresh, self.alive = None, set()
        if self.refresh is None or given.get("refresh_token") != self.refresh:
            return self.fails("invalid_grant")
        self.used.add(self.refresh)
        return Json(value=self.body if self.body is not None else self.minting())

    def at_revoke(self, asked: Asked) -> Json:
        given = fields(asked)
        if not self.knows(asked, given):
            return self.fails("invalid_client", 401)
        self.alive.discard(given.get("token", ""))
        if given.get("token") == self.refresh:
            self.refresh, self.alive = None, set()
        return Json(value={})

    def at_introspect(self, asked: Asked) -> Json:
        given = fields(asked)
        if not self.knows(asked, given):
            return self.fails("invalid_client", 401)
        return Json(value={"active": given.get("token") in self.alive, "scope": "ads.read", "sub": "person-1"})

    def minting(self) -> dict[str, Any]:
        return {**self.tokens(), "expires_in": 3600, "scope": "ads.read", "token_type": "bearer"}

    def tokens(self) -> dict[str, Any]:
        self.minted += 1
        access, self.refresh = f"canary-access-{self.minted}", f"canary-refresh-{self.minted}"
        self.alive.add(access)
        return {"access_token": access, "refresh_token": self.refresh}

    def fails(self, error: str, status: int = 400) -> Json:
        return Json(value={"error": error, "error_description": "canary words"}, status=status)

    def knows(self, asked: Asked, given: Mapping[str, str]) -> bool:
        kind, _, pair = asked.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            return unquote_plus(name) == CLIENT and unquote_plus(secret) in self.secrets
        return (
            CLIENT in (given.get("client_id"), given.get("client_key")) and given.get("client_secret") in self.secrets
        )

    def bearer(self, asked: Asked, word: str = "Bearer") -> str:
        kind, _, token = asked.headers.get("authorization", "").partition(" ")
        return token if kind == word else ""


class SlackLike(OddProvider):
    """HTTP 200 with `ok: false`; the token of a person is nested."""

    nested = False

    def minting(self) -> dict[str, Any]:
        tokens = {**self.tokens(), "scope": "channels:read,chat:write", "expires_in": 43200}
        if self.nested:
            return {
                "ok": True,
                "team": {"id": "T1", "name": "Blue Bike"},
                "authed_user": {"id": "U1", "token_type": "user", **tokens},
            }
        return {
            "ok": True,
            "team": {"id": "T1", "name": "Blue Bike"},
            "token_type": "bot",
            "authed_user": {"id": "U1"},
            **tokens,
        }

    def fails(self, error: str, status: int = 400) -> Json:
        own = {"invalid_grant": "invalid_code", "invalid_client": "bad_client_secret"}
        return Json(value={"ok": False, "error": own.get(error, error)})

    def at_auth_revoke(self, asked: Asked) -> Json:
        token = self.bearer(asked)
        if token not in self.alive:
            return Json(value={"ok": False, "error": "token_revoked"})
        self.alive.discard(token)
        return Json(value={"ok": True, "revoked": True})


class MetaLike(OddProvider):
    """A GET makes an hour's token one of sixty days; what was granted is asked apart; errors are objects."""

    declined = ("ads_management",)

    def at_token(self, asked: Asked) -> Json:
        if asked.method == "POST":
            return super().at_token(asked)
        given = fields(asked)
        if given.get("client_secret") not in self.secrets or given.get("fb_exchange_token") not in self.alive:
            return self.fails("invalid_grant")
        return Json(value={"access_token": self.lasting(), "token_type": "bearer", "expires_in": 5183944})

    def lasting(self) -> str:
        self.minted += 1
        self.alive.add(f"canary-lasting-{self.minted}")
        return f"canary-lasting-{self.minted}"

    def minting(self) -> dict[str, Any]:
        return {"access_token": self.tokens()["access_token"], "token_type": "bearer", "expires_in": 5400}

    def fails(self, error: str, status: int = 400) -> Json:
        code = {"invalid_grant": 190, "invalid_client": 101}.get(error, 100)
        return Json(value={"error": {"message": "canary words", "type": "OAuthException", "code": code}}, status=400)

    def at_me_permissions(self, asked: Asked) -> Json:
        if self.bearer(asked) not in self.alive:
            return self.fails("invalid_grant")
        if asked.method == "DELETE":
            self.alive.clear()
            return Json(value={"success": True})
        listed = [("ads_read", "granted"), *((name, "declined") for name in self.declined)]
        return Json(value={"data": [{"permission": name, "status": status} for name, status in listed]})


class InstagramLike(MetaLike):
    """The same by other names."""

    def minting(self) -> dict[str, Any]:
        return {
            "access_token": self.tokens()["access_token"],
            "user_id": 17,
            "permissions": ["instagram_business_basic"],
        }

    def at_access_token(self, asked: Asked) -> Json:
        given = fields(asked)
        if given.get("client_secret") not in self.secrets or given.get("access_token") not in self.alive:
            return self.fails("invalid_grant")
        return Json(value={"access_token": self.lasting(), "token_type": "bearer", "expires_in": 5183944})

    def at_refresh_access_token(self, asked: Asked) -> Json:
        return Json(value={"access_token": self.lasting(), "token_type": "bearer", "expires_in": 5183944})


class MailchimpLike(OddProvider):
    """`expires_in: 0` means never; no scopes; the data centre is asked apart, with a header of another name."""

    centre: Any = "us6"

    def minting(self) -> dict[str, Any]:
        return {"access_token": self.tokens()["access_token"], "expires_in": 0, "scope": None, "token_type": "bearer"}

    def at_metadata(self, asked: Asked) -> Json:
        if self.bearer(asked, "OAuth") not in self.alive:
            return Json(value={"error": "invalid_token"}, status=401)
        return Json(value={"dc": self.centre, "accountname": "Blue Bike", "login": {"email": "canary words"}})


class NotionLike(OddProvider):
    """Takes JSON only."""

    def at_token(self, asked: Asked) -> Json:
        return super().at_token(asked) if _is_json(asked) else self.fails("invalid_request")

    def at_revoke(self, asked: Asked) -> Json:
        return super().at_revoke(asked) if _is_json(asked) else self.fails("invalid_request")

    def minting(self) -> dict[str, Any]:
        return {
            **self.tokens(),
            "token_type": "bearer",
            "workspace_id": "w-1",
            "bot_id": "b-1",
            "workspace_name": "Blue Bike",
        }


class ShopifyLike(OddProvider):
    """No token type, comma between scopes; an old refresh token works until the new access token is used."""

    def minting(self) -> dict[str, Any]:
        return {**self.tokens(), "expires_in": 3600, "scope": "read_products,write_products"}

    def renewed(self, given: Mapping[str, str]) -> Json:
        self.used.clear()
        self.refresh = (
            given.get("refresh_token") if given.get("refresh_token", "").startswith("canary-refresh") else None
        )
        return super().renewed(given)


class SalesforceLike(OddProvider):
    """No `expires_in`; the answer names the instance to call; reuse of a refresh token ends everything."""

    instance: Any = "https://acme.my.salesforce.com"

    def minting(self) -> dict[str, Any]:
        return {**self.tokens(), "token_type": "Bearer", "scope": "api refresh_token", "instance_url": self.instance}


class TikTokAdsLike(OddProvider):
    """JSON with its own names; errors are HTTP 200 with a `code`."""

    def at_token(self, asked: Asked) -> Json:
        given = fields(asked)
        if not _is_json(asked) or set(given) != {"app_id", "secret", "auth_code"}:
            return Json(value={"code": 40002, "message": "canary words"})
        if given["app_id"] != CLIENT or given["secret"] not in self.secrets:
            return Json(value={"code": 40101, "message": "canary words"})
        if given["auth_code"] not in self.codes:
            return Json(value={"code": 40110, "message": "canary words"})
        self.codes.discard(given["auth_code"])
        return Json(
            value={
                "code": 0,
                "message": "OK",
                "data": {
                    "access_token": self.tokens()["access_token"],
                    "advertiser_ids": ["701", "702"],
                    "scope": [4, 5],
                },
            }
        )

    def at_revoke(self, asked: Asked) -> Json:
        given = fields(asked)
        if given.get("secret") not in self.secrets or given.get("access_token") not in self.alive:
            return Json(value={"code": 40105, "message": "canary words"})
        self.alive.discard(given["access_token"])
        return Json(value={"code": 0, "message": "OK"})


class LinkedInLike(OddProvider):
    """One refresh token for a year from the first consent, whatever happens in between."""

    left = 31_536_000

    def renewed(self, given: Mapping[str, str]) -> Json:
        alive = given.get("refresh_token") == self.refresh
        return Json(value=self.minting()) if alive else self.fails("invalid_grant")

    def minting(self) -> dict[str, Any]:
        kept = self.refresh
        tokens = self.tokens()
        self.refresh = kept or tokens["refresh_token"]
        return {
            "access_token": tokens["access_token"],
            "refresh_token": self.refresh,
            "scope": "r_ads,r_ads_reporting",
            "expires_in": 5_184_000,
            "refresh_token_expires_in": self.left,
        }


class OldHubSpotLike(OddProvider):
    """Errors with `status` and `message` and no `error`: a careless client takes them for tokens."""

    def fails(self, error: str, status: int = 400) -> Json:
        own = {"invalid_grant": "BAD_REFRESH_TOKEN", "invalid_client": "BAD_CLIENT_SECRET"}
        return Json(value={"status": own.get(error, "BAD"), "message": "canary words"}, status=400)


def fields(asked: Asked) -> dict[str, str]:
    """What was sent: query, and form or JSON body."""
    found = dict(parse_qsl(urlsplit(asked.target).query))
    if _is_json(asked):
        return found | json.loads(asked.raw or b"{}")
    return found | dict(parse_qsl(asked.raw.decode(), keep_blank_values=True))


def _is_json(asked: Asked) -> bool:
    return asked.headers.get("content-type", "").startswith("application/json")
