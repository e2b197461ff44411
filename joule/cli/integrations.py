"""`joule integrations`: providers, connected accounts, and how they do. No token and no secret is ever printed."""

from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import UUID

import click

from joule.cli import _care, _clients, mcp
from joule.cli._installation import opened, read_settings
from joule.cli._output import Failed, Output, reporting, table
from joule.kernel.errors import Invalid, NotFound

if TYPE_CHECKING:
    from integrations.catalogue.model import Provider
    from integrations.pins import PinView
    from integrations.queries import ConnectionView
    from joule.assembly import House
    from joule.kernel.principal import Principal
    from joule.kernel.settings import Settings

_MEND = {
    "active": "",
    "refresh_unknown": "Wait for the next renewal; if it fails, connect the account again.",
    "needs_reconnecting": "Connect the account again: `joule integrations connect {provider}`.",
}


_LOOK_INTO = (
    "What it publishes about itself has changed, so nobody can connect to it. Ask the provider why; if it is meant, run "
    "`joule integrations accept PROVIDER`."
)


@click.group("integrations")
def command() -> None:
    """See, connect and disconnect accounts at providers."""


command.add_command(mcp.command)


command.add_command(_care.rotate_keys)
command.add_command(_care.accept)
command.add_command(_care.connectors)
command.add_command(_clients.client)


@command.command("list")
@click.argument("words", nargs=-1)
@click.option("--connected", is_flag=True, help="Only providers with an account that is connected.")
@reporting
async def list_providers(output: Output, words: tuple[str, ...], connected: bool) -> None:
    """List the providers, or those that WORDS find, and what is connected."""
    from integrations.catalogue.load import catalogue

    async with opened() as (house, person):
        views, shelf = await _connections(house, person), catalogue()
        allowed = await _care.allowed(house, person)
    live = [each for each in views if not each.is_over]
    counts = {each.provider: sum(other.provider == each.provider for other in live) for each in live}
    found = [each for each in shelf.search(" ".join(words)) if counts.get(each.id) or not connected]
    names = {each.id for each in found}
    told = {
        "providers": [
            {
                "id": each.id,
                "title": each.title,
                "group": each.group,
                "is_demo": each.demo,
                "splits_read_from_write": each.splits_read_from_write,
                "revocable_from_here": each.revocation.possible,
                "connected": counts.get(each.id, 0),
                "allowed": each.id in allowed,
            }
            for each in found
        ],
        "connections": [_told(each) for each in live if each.provider in names],
    }
    rows = [
        (each.id, each.title, each.group, counts.get(each.id) or "", "" if each.id in allowed else "not allowed")
        for each in found
    ]
    accounts = [(each.connection, each.provider, each.account, each.status) for each in live if each.provider in names]

    def human() -> str:
        shown = table(("provider", "title", "group", "connected", ""), rows)
        return f"{shown}\n\n{table(('connection', 'provider', 'account', 'status'), accounts)}" if accounts else shown

    output.result(told, human)


@command.command("connect")
@click.argument("provider")
@click.option("--scope", "scopes", multiple=True, help="A permission to ask for; without any, reading alone.")
@reporting
async def connect(output: Output, provider: str, scopes: tuple[str, ...]) -> None:
    """Say where to connect an account of PROVIDER.

    Consent is bound to one browser, from its beginning to its end, so it is begun there: this prints the page to open.
    """
    known = _provider(provider)
    unknown = sorted(set(scopes) - set(known.scopes))
    if unknown:
        raise Invalid(
            f"{known.title} has no permission {unknown[0]}", advice=f"Choose of these: {', '.join(known.scopes)}"
        )
    base = _address(read_settings())
    query = f"?{urlencode([('scope', each) for each in scopes])}" if scopes else ""
    told = {
        "provider": known.id,
        "open": f"{base}/admin/integrations/{known.id}{query}#connect",
        "redirect_uri": f"{base}/integrations/callback/{known.id}",
        "scopes": scopes,
    }
    output.result(told, f"Open this page in the browser you are signed in with:\n\n  {told['open']}")


@command.command("show")
@click.argument("which")
@reporting
async def show(output: Output, which: str) -> None:
    """Show a connection by its id, or a provider by its name: what Joule may do there."""
    try:
        connection = UUID(which)
    except ValueError:
        known = _provider(which)
        output.result(_about(known), lambda: _shown(known))
        return
    async with opened() as (house, person):
        from integrations import queries

        async with house.database.read(person.org) as session:
            view = await queries.connection(session, house.vault, person.org, connection)
    output.result(_told(view), lambda: _lines(_told(view)))


@command.command("revoke")
@click.argument("connection", type=click.UUID)
@click.option("--delete-synced", is_flag=True, help="Delete what was synced from the account too.")
@click.option("--whole-grant", is_flag=True, help="End the accounts that share its consent too.")
@reporting
async def revoke(output: Output, connection: UUID, delete_synced: bool, whole_grant: bool) -> None:
    """Disconnect an account. It is dead for every worker at once; its provider is told by the running workers."""
    from integrations.actions import RevokeConnection
    from integrations.catalogue.load import catalogue

    async with opened() as (house, person):
        done = await house.commands.perform(
            RevokeConnection(
                principal=person, connection=connection, whole_grant=whole_grant, delete_synced=delete_synced
            )
        )
        known = catalogue().providers.get(done.provider)
    told = "The provider is told next."
    if done.revocation is None:
        told = "Others go on with its consent: the provider is not told."
    elif known is not None and not known.revocation.possible:
        told = f"The provider has no way to be told. {known.settings_words}"
    kept = (
        f" Of {done.found.total} things synced from it {done.deleted.total} were deleted." if done.found.total else ""
    )
    output.result(done, f"Disconnected. {told}{kept}")


@command.command("doctor")
@reporting
async def doctor(output: Output) -> None:
    """Check every connected account and say how to mend what does not work. Exits with 1 when something does not."""
    from integrations.catalogue.load import catalogue

    async with opened() as (house, person):
        views, known = await _connections(house, person), frozenset(catalogue().providers)
        changed = await _changed(house, person)
    found: list[dict[str, object]] = [
        {
            "connection": each.connection,
            "provider": each.provider,
            "ok": not (mend := _mend(each, known)),
            "status": each.telling or each.status if each.is_over else each.status,
            "fix": mend,
        }
        for each in views
        if not each.is_over or each.telling in {"pending", "gave_up"}
    ]
    found += [
        {"connection": None, "provider": each.provider, "ok": False, "status": "issuer_changed", "fix": _LOOK_INTO}
        for each in changed
    ]
    well = all(each["ok"] for each in found)
    rows = [
        ("ok" if each["ok"] else "NO", each["connection"] or "", each["provider"], each["status"], each["fix"])
        for each in found
    ]
    output.result(
        {"ok": well, "connections": found}, lambda: table(("", "connection", "provider", "status", "fix"), rows)
    )
    if not well:
        raise Failed


async def _changed(house: "House", person: "Principal") -> "list[PinView]":
    """Providers whose published settings are no longer what was accepted."""
    from integrations import pins

    async with house.database.read(person.org) as session:
        return [each for each in await pins.pins(session, person.org) if each.refused_at is not None]


def _mend(view: "ConnectionView", known: Collection[str]) -> str:
    if view.telling == "gave_up":
        return "The provider never confirmed: remove Joule in its own settings."
    if view.is_over:
        return ""
    if view.provider not in known:
        return (
            "Its connector is switched off: name it in JOULE_INTEGRATIONS_CONNECTORS again, or disconnect the account."
        )
    if not view.allowed:
        return "Your organisation does not allow it: allow it on its page, or disconnect the account."
    return _MEND.get(view.status, "Connect the account again.").format(provider=view.provider)


async def _connections(house: "House", person: "Principal") -> "tuple[ConnectionView, ...]":
    from integrations import queries

    async with house.database.read(person.org) as session:
        return await queries.connections(session, house.vault, person.org)


def _provider(name: str) -> "Provider":
    """One of the catalogue's, or of an enabled connector's. Raises `NotFound`."""
    from integrations.catalogue.load import catalogue
    from joule.assembly.accounts import connectors_known

    with connectors_known(read_settings().integrations):
        found = catalogue().providers.get(name)
    if found is None:
        raise NotFound("provider")
    return found


def _address(settings: "Settings") -> str:
    return (settings.web.base_url or f"http://{settings.web.host}:{settings.web.port}").rstrip("/")


def _told(view: "ConnectionView") -> dict[str, object]:
    """A connection as it may be printed."""
    return {
        "connection": view.connection,
        "provider": view.provider,
        "account": view.account,
        "status": view.status,
        "read_only": view.read_only,
        "requested": view.requested,
        "granted": view.granted,
        "connected_at": view.connected_at,
        "used_at": view.used_at,
        "expires_at": view.expires_at,
        "ends_at": view.ends_at,
        "revoked_at": view.revoked_at,
        "telling": view.telling,
        "tokens": view.outcomes,
    }


def _about(provider: "Provider") -> dict[str, object]:
    return {
        "id": provider.id,
        "title": provider.title,
        "group": provider.group,
        "could": dict(provider.could),
        "splits_read_from_write": provider.splits_read_from_write,
        "token_life": provider.token_life_words,
        "revocable_from_here": provider.revocation.possible,
        "revoking_ends": provider.revocation.kills,
        "scopes": [{"name": each.name, "words": each.words, "risk": each.risk} for each in provider.scopes.values()],
        "operations": [{"id": each.id, "title": each.title} for each in provider.operations.values()],
        "unverified": provider.unverified,
    }


def _shown(provider: "Provider") -> str:
    could = [(name, words) for name, words in provider.could.items()]
    scopes = [(each.name, each.risk.value, each.words) for each in provider.scopes.values()]
    ending = "can be revoked from here" if provider.revocation.possible else f"remove it at {provider.settings_url}"
    parts = [f"{provider.title}: {provider.what_it_is}", table(("could", "what"), could)]
    parts += [table(("scope", "risk", "what it allows"), scopes), f"Tokens: {provider.token_life_words} It {ending}."]
    if provider.unverified:
        parts.append("Not verified: " + "; ".join(provider.unverified))
    return "\n\n".join(parts)


def _lines(told: dict[str, object]) -> str:
    shown = {name: ", ".join(map(str, value)) if isinstance(value, tuple) else value for name, value in told.items()}
    return table(("", ""), [(name, value) for name, value in shown.items() if value not in (None, "")]).strip()
