"""One provider: what Joule could do there, the choice of permissions, the registered app, what the organisation allows."""

from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from integrations import queries
from integrations.actions import BeginConnection, SetProviderClient
from integrations.catalogue import implied
from integrations.catalogue.errors import ProviderUnknown
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from integrations.clients import relatives
from integrations.results import ExtraSecretGiven, Secret
from joule.database.engine import ReadSession
from joule.identity.queries import SignedInPerson
from joule.kernel.errors import Invalid, JouleError
from joule.web import errors
from joule.web.access import Connector, Here
from joule.web.admin.integrations import showing, wording
from joule.web.admin.integrations.views import ClientForm, ProviderPage
from joule.web.context import Web
from joule.web.leaving import leave, redirect_uri
from joule.web.shell import shell_of

router = APIRouter(prefix="/admin/integrations")

_DONE = {"client": "The app was saved.", "rule": "What is allowed was saved."}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a person chose, so that a mistake costs no choosing again. `scopes` None: nothing was chosen yet."""

    scopes: tuple[str, ...] | None = None
    mode: str = "read"
    tenant: str = ""
    connection: str = ""
    task: str = ""
    return_to: str = ""

    def carried(self) -> tuple[tuple[str, str], ...]:
        """What the form carries along unseen."""
        kept = (("connection", self.connection), ("task", self.task), ("return_to", self.return_to))
        return tuple((name, value) for name, value in kept if value)


@router.get("/{provider}")
async def page(
    web: Here,
    request: Request,
    person: Connector,
    provider: str,
    scope: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI makes a new one for each request
    connection: str = "",
    task: str = "",
    return_to: str = "",
    done: str = "",
) -> Response:
    """The page. `scope`, `connection`, `task` and `return_to` come from where one more permission is needed."""
    known = provider_of(web, provider)
    choice = Choice(connection=connection[:36], task=task[:36], return_to=return_to[:500])
    if scope:
        choice = await _more(web, person, known, scope, choice)
    return await shown(web, request, person, known, choice, message=_DONE.get(done, ""))


async def _more(web: Web, person: SignedInPerson, provider: Provider, scopes: list[str], choice: Choice) -> Choice:
    """What is asked for, beside what the account has: one that is meant, or the only one there is."""
    async with web.house.database.read(person.org) as session:
        found = await queries.connections(session, web.house.vault, person.org)
    live = [each for each in found if each.provider == provider.id and not each.is_over]
    meant = [each for each in live if str(each.connection) == choice.connection] or (live if len(live) == 1 else [])
    held = meant[0].granted if meant else ()
    names = tuple(name for name in provider.scopes if name in scopes or name in held)
    writes = any(not wording.reads(provider.scopes[name]) for name in names)
    return replace(
        choice,
        scopes=names,
        mode="more" if writes and not (meant and meant[0].read_only and set(names) <= set(held)) else "read",
        connection=str(meant[0].connection) if meant else "",
    )


@router.post("/{provider}/connect")
async def connect(
    web: Here,
    request: Request,
    person: Connector,
    provider: str,
    scope: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI makes a new one for each request
    mode: Annotated[str, Form()] = "read",
    tenant: Annotated[str, Form()] = "",
    connection: Annotated[str, Form()] = "",
    task: Annotated[str, Form()] = "",
    return_to: Annotated[str, Form()] = "",
) -> Response:
    """Begins a consent and sends the browser to the provider."""
    known = provider_of(web, provider)
    choice = Choice(
        scopes=tuple(scope), mode=mode, tenant=tenant, connection=connection, task=task, return_to=return_to
    )
    only_reads = mode != "more"
    asked = wording.for_reading(known, scope) if only_reads else tuple(scope)
    try:
        if not implied.to_ask(known, asked):
            raise Invalid("no permission was chosen", advice="Tick at least one of those below.")
        consent = await web.house.commands.perform(
            BeginConnection(
                principal=person.principal,
                provider=known.id,
                scopes=asked,
                # Where permissions that only read exist, they are the limit, and a task may ask for more; else we keep it.
                read_only=only_reads and not known.splits_read_from_write,
                session=person.session,
                redirect_uri=redirect_uri(web, request, known.id),
                tenant_host=tenant.strip() or None,
                connection=_id(connection),
                task=_id(task),
                return_to=return_to or None,
            )
        )
    except JouleError as error:
        if "hx-request" in request.headers:
            raise
        return await shown(web, request, person, known, choice, error=error)
    back = f"/admin/integrations/{known.id}"
    return await leave(web, request, person, consent, title=known.title, back=back, at="/admin/integrations")


@router.post("/{provider}/client")
async def save_client(
    web: Here,
    request: Request,
    person: Connector,
    provider: str,
    client_id: Annotated[str, Form()],
    client_secret: Annotated[str, Form()] = "",
    private_key: Annotated[str, Form()] = "",
    key_id: Annotated[str, Form()] = "",
    key_algorithm: Annotated[str, Form()] = "ES256",
    extra_name: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI makes a new one for each request
    extra_value: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI makes a new one for each request
) -> Response:
    """Says who Joule is at the provider. The secret is sealed and never shown again."""
    known = provider_of(web, provider)
    try:
        await web.house.commands.perform(
            SetProviderClient(
                principal=person.principal,
                provider=known.id,
                client_id=client_id.strip(),
                client_secret=Secret(client_secret.strip()) if client_secret.strip() else None,
                private_key=Secret(f"{private_key.strip()}\n") if private_key.strip() else None,
                key_id=key_id.strip(),
                key_algorithm=key_algorithm,
                extra=tuple(
                    ExtraSecretGiven(name=name, value=Secret(value.strip()))
                    for name, value in zip(extra_name, extra_value, strict=False)
                ),
            )
        )
    except JouleError as error:
        return await shown(web, request, person, known, Choice(), error=error)
    return RedirectResponse(f"/admin/integrations/{known.id}?done=client#app", status_code=303)


async def _client(
    web: Web, session: ReadSession, person: SignedInPerson, provider: Provider
) -> queries.ClientView | None:
    """The organisation's app at this provider, or at one of its family."""
    for name in relatives(provider.id):
        found = await queries.client(session, web.house.vault, person.org, name)
        if found is not None:
            return found
    return None


def provider_of(web: Web, name: str) -> Provider:
    """A provider that can be used here. Raises `ProviderUnknown`, also for a demonstration that does not run."""
    found = catalogue().provider(name)
    if found.demo and not web.settings.integrations.demo_port:
        raise ProviderUnknown()
    return found


def is_known(web: Web, name: str) -> bool:
    """Whether a provider has a page here: not one whose connector, or whose demonstration, is switched off."""
    found = catalogue().providers.get(name)
    return found is not None and (not found.demo or bool(web.settings.integrations.demo_port))


def _source(web: Web, provider: Provider, client: queries.ClientView | None) -> str:
    if provider.demo:
        return "builtin"
    if client is not None:
        return "organisation"
    return "deployment" if web.own_apps & set(relatives(provider.id)) else ""


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid("this is not an id of ours", advice="Go back to where you came from and try again.") from None


async def shown(
    web: Web,
    request: Request,
    person: SignedInPerson,
    provider: Provider,
    choice: Choice,
    *,
    message: str = "",
    error: JouleError | None = None,
) -> Response:
    """The page as it is now, with what a person had chosen and what came of it."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/integrations")
        connections = await queries.connections(session, web.house.vault, person.org)
        rule = await queries.rule(session, person.org, provider.id)
        only_listed = await queries.only_listed(session, person.org)
        client = await _client(web, session, person, provider)
        names = await showing.names_of(web, session, person.org)
    allowed = None if rule is None or rule.scopes is None else frozenset(rule.scopes)
    proposed = frozenset(provider.scopes) if allowed is None else allowed
    if rule is None and only_listed:  # nothing is allowed yet: whoever allows it begins with reading
        proposed = frozenset(name for name, each in provider.scopes.items() if wording.reads(each))
    told = ProviderPage(
        href=f"/admin/integrations/{provider.id}",
        title=provider.title,
        what_it_is=provider.what_it_is,
        is_demo=provider.demo,
        is_allowed=not only_listed if rule is None else rule.allowed,
        only_listed=only_listed,
        could=wording.could(provider),
        abilities=wording.abilities(provider, ticked=choice.scopes, allowed=allowed),
        permitted=wording.abilities(provider, ticked=proposed, allowed=None),
        mode="more" if choice.mode == "more" else "read",
        members=wording.members(provider, "" if rule is None else rule.members_to or ""),
        splits=provider.splits_read_from_write,
        facts=wording.facts(provider),
        notes=provider.notes,
        unverified=wording.doubts(provider),
        operations=wording.operations(provider, None),
        connections=tuple(
            showing.connection_line(each, names)
            for each in connections
            if each.provider == provider.id and not each.is_over
        ),
        client=ClientForm(
            source=_source(web, provider, client),
            client_id=client.client_id if client else "",
            redirect_uri=redirect_uri(web, request, provider.id),
            registers_at=wording.web_address(provider.registers_at),
            registers_words=provider.registers_words,
            wants_secret=provider.token_auth not in {"none", "private_key_jwt"},
            wants_key=provider.token_auth == "private_key_jwt",  # noqa: S105 - a word of the catalogue
            extras=tuple((each.name, each.words) for each in provider.extra_secrets),
        ),
        tenant_words=provider.tenant_words if provider.per_tenant_host and not provider.demo else "",
        tenant=choice.tenant,
        demo_address=f"127.0.0.1:{web.settings.integrations.demo_port}" if provider.demo else "",
        hidden=choice.carried(),
    )
    return web.templates.page(
        "integrations/provider.html",
        errors.status_of(error) if error else 200,
        shell=shell,
        page=told,
        message=errors.sentence(str(error)) if error else message,
        advice=error.advice() if error else "",
        kind="no" if error else "ok",
    )
