"""Who is asking, and whether their role has this page.

Every route names exactly one permission of `joule.identity.permissions` by depending on `Allow` or `Anyone`; a test walks
all routes and fails on one that does not. The permission opens pages; what changes something is judged by policy too.
"""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.responses import Response

from joule.identity.actions import AgentFamily, SignedIn
from joule.identity.permissions import Permission, allowed
from joule.identity.queries import SignedInPerson
from joule.web.context import Web
from joule.web.errors import NotAllowed, NotSignedIn

_FAMILIES = (  # in this order: every browser also names those it descends from
    ("Edg/", AgentFamily.EDGE),
    ("Firefox/", AgentFamily.FIREFOX),
    ("Chrome/", AgentFamily.CHROME),
    ("Safari/", AgentFamily.SAFARI),
)


@dataclass(frozen=True)
class Allow:
    """Lets in who is signed in and whose role has the permission."""

    permission: Permission

    async def __call__(self, request: Request) -> SignedInPerson:
        """Raises `NotSignedIn` or `NotAllowed`."""
        person = await visitor(request)
        if person is None:
            raise NotSignedIn()
        if not allowed(person.role, self.permission):
            raise NotAllowed()
        return person


@dataclass(frozen=True)
class Anyone:
    """Lets anybody in: sign-in, help and health. What it gives is the person, if there is one."""

    permission: Permission = Permission.SIGN_IN

    async def __call__(self, request: Request) -> SignedInPerson | None:
        return await visitor(request)


async def visitor(request: Request) -> SignedInPerson | None:
    """The person behind the one cookie, or None."""
    web = web_of(request)
    cookie = request.cookies.get(web.address.cookie)
    return await web.visitors.who(cookie) if cookie else None


def web_of(request: Request) -> Web:
    """What the pages work with."""
    return cast(Web, request.app.state.web)


def welcome(web: Web, response: Response, session: SignedIn) -> Response:
    """Puts the one cookie on an answer."""
    response.set_cookie(
        web.address.cookie,
        session.token.get_secret_value(),
        expires=session.expires_at,
        path="/",
        secure=web.address.is_https,
        httponly=True,
        samesite="lax",
    )
    return response


def farewell(web: Web, response: Response) -> Response:
    """Takes the one cookie away."""
    response.delete_cookie(web.address.cookie, path="/", secure=web.address.is_https, httponly=True, samesite="lax")
    return response


def family_of(request: Request) -> AgentFamily:
    """What kind of browser is asking, from its own word; the word itself is not kept."""
    said = request.headers.get("user-agent", "")
    return next((family for mark, family in _FAMILIES if mark in said), AgentFamily.OTHER)


Here = Annotated[Web, Depends(web_of)]
Account = Annotated[SignedInPerson, Depends(Allow(Permission.ACCOUNT))]
Chatter = Annotated[SignedInPerson, Depends(Allow(Permission.CHAT))]
FileReader = Annotated[SignedInPerson, Depends(Allow(Permission.FILES))]
KnowledgeReader = Annotated[SignedInPerson, Depends(Allow(Permission.KNOWLEDGE))]
MemoryReader = Annotated[SignedInPerson, Depends(Allow(Permission.MEMORY))]
MemberKeeper = Annotated[SignedInPerson, Depends(Allow(Permission.MEMBERS))]
SettingsReader = Annotated[SignedInPerson, Depends(Allow(Permission.SETTINGS))]
Connector = Annotated[SignedInPerson, Depends(Allow(Permission.INTEGRATIONS))]
HealthReader = Annotated[SignedInPerson, Depends(Allow(Permission.CONNECTION_HEALTH))]
AccessKeeper = Annotated[SignedInPerson, Depends(Allow(Permission.CONTENT_ACCESS))]
ContentReader = Annotated[SignedInPerson, Depends(Allow(Permission.SUPPORT_CONTENT))]
TimelineReader = Annotated[SignedInPerson, Depends(Allow(Permission.SUPPORT_TIMELINE))]
Replayer = Annotated[SignedInPerson, Depends(Allow(Permission.SUPPORT_REPLAY))]
Passer = Annotated[SignedInPerson | None, Depends(Anyone())]
