"""Says in words what is asked of a connected account, and which permission it lacks for that. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from integrations.stepping import Lacking
from joule.kernel.errors import NotFound
from joule.web.chat.views import Permission, StepUp

_OURS = {"connection", "provider", "operation", "inputs", "project"}


def asked_of(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments a person would recognise: those of the operation, where an account is asked."""
    if not is_asking(arguments):
        return arguments
    try:
        inputs = json.loads(arguments["inputs"])
    except (TypeError, ValueError):
        return arguments
    return inputs if isinstance(inputs, dict) else arguments


def title_of(arguments: Mapping[str, Any]) -> str:
    """What is asked of which provider; empty when it is none of the catalogue's operations."""
    if not is_asking(arguments):
        return ""
    try:
        provider = catalogue().provider(str(arguments["provider"]))
        return f"{provider.title}: {catalogue().operation(provider.id, str(arguments['operation'])).title}"
    except NotFound:
        return ""


def step_up(lacks: Mapping[str, Any], arguments: Mapping[str, Any], *, question: UUID, reason: str) -> StepUp:
    """The card that asks for the permission."""
    names = [str(each) for each in lacks.get("scopes") or ()]
    provider = _provider(str(arguments.get("provider", "")))
    return StepUp(
        id=question,
        answer=f"/chat/approvals/{question}",
        provider=provider.title if provider else "the MCP server" if "server" in arguments else "the connected account",
        reason=reason,
        permissions=permissions(provider, names),
        href=f"/chat/permissions/{question}",
    )


def where_admins_give(provider: str, lacking: Lacking) -> str:
    """The page on which an owner or admin gives it, with all that is asked for filled in."""
    asked = [("scope", each) for each in lacking.scopes]
    about = [("connection", str(lacking.connection)), ("task", str(lacking.task)), ("return_to", lacking.back)]
    return f"/admin/integrations/{provider}?{urlencode([*asked, *about])}"


def where_admins_sign_in(server: UUID, lacking: Lacking) -> str:
    """The page on which an owner or admin signs in to an MCP server anew, with all that is asked for filled in."""
    asked = [("scope", each) for each in lacking.scopes]
    about = [("task", str(lacking.task)), ("return_to", lacking.back)]
    return f"/admin/integrations/mcp/servers/{server}/sign-in?{urlencode([*asked, *about])}"


def permissions(provider: Provider | None, names: Iterable[str]) -> tuple[Permission, ...]:
    """Permissions with words for them."""
    return tuple(Permission(name=each, words=_words(provider, each)) for each in names)


def is_asking(arguments: Mapping[str, Any]) -> bool:
    """Whether these are the arguments of a call to a connected account."""
    return {"connection", "provider", "operation", "inputs"} <= set(arguments) <= _OURS


def _provider(name: str) -> Provider | None:
    try:
        return catalogue().provider(name)
    except NotFound:
        return None


def _words(provider: Provider | None, scope: str) -> str:
    known = provider.scopes.get(scope) if provider else None
    return known.words if known else "A permission this release has no words for."
