"""Turns what the room knows about connections into what the pages show. No token is anywhere near."""

from collections.abc import Mapping
from datetime import datetime

from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider, Refresh, Revocation
from integrations.mcp.sign_in import server_of
from integrations.queries import ConnectionView
from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.kernel.ids import OrgId, PersonId
from joule.web.admin.integrations import wording
from joule.web.admin.integrations.views import ConnectionLine, GrantedScope, Known, TokenLine
from joule.web.context import Web
from joule.web.rendering import moment

# status of the grant → word, tone, what to do
HEALTH: Mapping[str, tuple[str, str, str]] = {
    "active": ("Works", "ok", ""),
    "refresh_unknown": (
        "Uncertain",
        "ask",
        "A renewal of its access was cut off. Joule tries once more by itself; if that fails, it has to be connected again.",
    ),
    "needs_reconnecting": (
        "Needs reconnecting",
        "no",
        "The provider no longer accepts what was agreed to: it was revoked there, it ran out, or the app changed.",
    ),
    "revoked": ("Disconnected", "", ""),
}
_SWITCHED_OFF = (
    "Switched off",
    "no",
    "Whoever runs Joule has switched off the connector it needs. Have it switched on again, or disconnect the account.",
)
_FORBIDDEN = (
    "Not allowed",
    "no",
    "The organisation does not allow this provider, so Joule refuses to use the account and does not renew its access. An "
    "admin allows it on the provider's page, or disconnects the account.",
)
_OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    "revoked": ("Revoked", "ok", "The provider confirmed it."),
    "already_dead": ("Already dead", "ok", "The provider no longer knew it."),
    "unsupported": (
        "Cannot be told",
        "ask",
        "The provider has no way to be told. It ends by itself, or when you remove Joule in its settings.",
    ),
    "waiting": ("Being told", "ask", "Joule's copy of it is destroyed; the provider has not answered yet."),
    "failed": ("Not confirmed", "no", "The provider did not confirm it. Remove Joule in its settings to be sure."),
}
_BECAUSE: Mapping[str, str] = {  # detail of an outcome → words that say more than the outcome's own
    "by_refresh_token": "The provider can be told of the refresh token alone. This one lives to its own end, then it is dead.",
    "by_access_token": "The provider can be told of the access token alone. Joule's copy of this one is destroyed; to be sure, "
    "remove Joule in its settings.",
}
_TOKENS = {"refresh": "Refresh token", "access": "Access token"}
_SOURCES = {
    "response": "said by the provider when it was connected",
    "introspection": "asked from the provider",
    "permissions_call": "asked from the provider",
    "assumed": "assumed: the provider does not say",
}


async def names_of(web: Web, session: ReadSession, org: OrgId) -> Mapping[PersonId, str]:
    """The names of everybody in the organisation."""
    return {each.person: each.name for each in await people.people(session, web.house.vault, org)}


def provider_of(name: str) -> Provider:
    """The provider of a connection. One whose connector was switched off since has no more than its name and an end."""
    return catalogue().providers.get(name) or Provider(
        id=name,
        title=name,
        group="",
        family=name,
        what_it_is="",
        authorization_url=None,
        token_url=None,
        revocation=Revocation(kind="none"),
        refresh=Refresh(kind="none"),
        pkce="none",
        scopes={},
        hosts=(),
        splits_read_from_write=False,
        token_life_words="",
        settings_url="",
        settings_words="Its connector is switched off, so the provider can be told only once it is on again. To be sure, "
        "remove Joule in the provider's own settings.",
        registers_at="",
        registers_words="",
        could={},
    )


def health(status: str, provider: str = "", *, allowed: bool = True) -> tuple[str, str, str]:
    """A word for how a connection does, its tone, and what would mend it. What is unknown is uncertain."""
    if provider and status != "revoked" and provider not in catalogue().providers and server_of(provider) is None:
        return _SWITCHED_OFF
    if status != "revoked" and not allowed:
        return _FORBIDDEN
    return HEALTH.get(status, HEALTH["refresh_unknown"])


def account(view: ConnectionView) -> str:
    """How an account is called where the provider tells no name."""
    return view.account or "Account without a name"


def unnamed(view: ConnectionView, provider: Provider) -> str:
    """Why an account has no name, and what gives it one; empty for one that has."""
    if view.account or view.is_over:
        return ""
    if view.asks_name:
        return f"{provider.title} has not said yet whose account this is. Joule asks again by itself."
    if provider.account:
        return f"{provider.title} has not said whose account this is. Connect it again to have it asked once more."
    return f"{provider.title} does not say whose account this is."


def connection_line(view: ConnectionView, names: Mapping[PersonId, str]) -> ConnectionLine:
    """One line of a list."""
    word, tone, _ = health(view.status, view.provider, allowed=view.allowed)
    return ConnectionLine(
        href=f"/admin/connections/{view.connection}",
        provider=provider_of(view.provider).title,
        account=account(view),
        by=names.get(view.connected_by, "somebody who is gone"),
        used_at=view.used_at,
        health=word,
        tone=tone,
    )


def about(view: ConnectionView, names: Mapping[PersonId, str]) -> tuple[Known, ...]:
    """Who connected it, when it was used, when what ends."""
    lines = [
        (
            "How far Joule may go",
            "Reading only: Joule itself refuses the rest" if view.read_only else "As granted, below",
        ),
        ("Connected by", f"{names.get(view.connected_by, 'somebody who is gone')}, {moment(view.connected_at)}"),
        ("Last used", _when(view.used_at, "Not yet")),
        ("What was granted is", _SOURCES.get(view.scope_source, view.scope_source)),
    ]
    if view.is_over:
        by = names.get(view.revoked_by, "somebody who is gone") if view.revoked_by else "Joule itself"
        lines.append(("Disconnected by", f"{by}, {_when(view.revoked_at, '')}"))
    else:
        lines.append(("Next expiry of its access", _when(view.expires_at, "The provider does not say")))
        lines.append(("Has to be connected again", _when(view.ends_at, "No date is known")))
    return tuple(Known(name=name, value=value) for name, value in lines)


def _when(at: datetime | None, otherwise: str) -> str:
    return moment(at) if at else otherwise


def scopes(view: ConnectionView, provider: Provider) -> tuple[GrantedScope, ...]:
    """Every permission that was asked for or given, and which of the two."""
    names = [*view.requested, *(each for each in view.granted if each not in view.requested)]
    lines = []
    for name in names:
        standing, tone = "Granted", "ok"
        if name not in view.granted:
            standing, tone = "Asked for, not granted", "ask"
        elif name not in view.requested:
            standing, tone = "Granted without being asked for", "ask"
        known = provider.scopes.get(name)
        lines.append(GrantedScope(name=name, words=known.words if known else name, standing=standing, tone=tone))
    return tuple(lines)


def difference(view: ConnectionView, provider: Provider) -> str:
    """Why what was granted is not what was asked for, in a sentence."""
    missing = [each for each in view.requested if each not in view.granted]
    extra = [each for each in view.granted if each not in view.requested]
    said = []
    if missing:
        said.append(
            f"{provider.title} granted less than was asked for: a permission was unticked there, or the account has no right "
            "to it. What needs it is not available."
        )
    if extra:
        said.append(
            f"{provider.title} granted more than was asked for, as it does when an earlier consent covers more."
        )
    if not said:
        said.append("What was granted is what was asked for.")
    return " ".join(said)


def tokens(view: ConnectionView) -> tuple[TokenLine, ...]:
    """What became of each token at the provider."""
    lines = []
    for each in view.outcomes:
        outcome, tone, words = _OUTCOMES.get(each.outcome, _OUTCOMES["failed"])
        lines.append(
            TokenLine(
                token=_TOKENS.get(each.token, each.token.capitalize()),
                outcome=outcome,
                tone=tone,
                words=_BECAUSE.get(each.detail, words),
            )
        )
    return tuple(lines)


def told(view: ConnectionView, provider: Provider) -> str:
    """How far the provider knows that it is over."""
    ours = "Every worker refuses to use this account, and Joule's copy of its tokens is destroyed."
    if view.telling == "pending":
        return f"{ours} {provider.title} is being told; this page shows the result by itself."
    if view.telling == "gave_up":
        return f"{ours} {provider.title} did not confirm it, however often it was told."
    if view.telling == "done":
        return ours
    return (
        "Every worker refuses to use this account. Its consent goes on for the other accounts that share it, so its tokens "
        f"live and {provider.title} was not told."
    )


def receipt(view: ConnectionView) -> tuple[str, str]:
    """What the button for the receipt says, and what is good to know of it; empty while there is none."""
    if not view.has_receipt:
        return "", ""
    if view.telling == "pending":
        return "Download the receipt as it stands", "It says what is known now. A final one takes its place."
    return "Download the receipt", ""


def stops(provider: Provider, granted: tuple[str, ...]) -> tuple[str, ...]:
    """The operations that end with a connection."""
    return tuple(each.title for each in wording.operations(provider, granted) if not each.needs)
