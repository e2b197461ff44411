"""What an organisation decides about its sandboxes besides their kind: how long artifacts stay, and which hosts code may reach."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.database.engine import ReadSession
from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.web.access import Here, SettingsReader
from joule.web.context import Web
from joule.web.wording import counted
from sandbox import queries
from sandbox.actions import SetArtifactRule
from sandbox.artifacts import rules
from sandbox.egress.actions import ListOutsideHost, RemoveOutsideHost
from sandbox.egress.queries import outside_hosts
from sandbox.egress.results import Secret

router = APIRouter(prefix="/admin/sandboxes")

_CHOICES = (1, 6, 24, 72, 168, 336, 720, 1440, 2160)  # hours


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One time that artifacts can be kept for."""

    hours: int
    words: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class HostLine:
    """A host on the list."""

    id: UUID
    name: str
    attached: str | None
    added_by: str
    added_at: datetime


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules, as they are now."""

    choices: tuple[Choice, ...]
    used: int
    most: int
    hosts: tuple[HostLine, ...]


async def rules_of(web: Web, session: ReadSession, person: SignedInPerson) -> Rules:
    """What stands for this person's organisation."""
    chosen, keyring = web.settings.artifacts, await web.house.vault.keyring(session, person.org)
    kept = await rules.kept_for(session, person.org, otherwise=timedelta(hours=chosen.hours))
    hours = round(kept.total_seconds() / 3600)
    names = {each.person: each.name for each in await people.people(session, web.house.vault, person.org)}
    return Rules(
        choices=tuple(
            Choice(hours=each, words=_words(each), chosen=each == hours) for each in sorted({*_CHOICES, hours})
        ),
        used=await queries.used_bytes(session, person.org),
        most=chosen.organisation_mb * 2**20,
        hosts=tuple(
            HostLine(
                id=each.id,
                name=str(each.place),
                attached=each.header,
                added_by=names.get(each.added_by, "somebody") if each.added_by else "somebody",
                added_at=each.added_at,
            )
            for each in await outside_hosts(session, keyring)
        ),
    )


@router.post("/artifacts")
async def keep_for(web: Here, person: SettingsReader, hours: Annotated[int, Form()]) -> Response:
    """Chooses how long what is made from now on is kept."""
    await web.house.commands.perform(SetArtifactRule(principal=person.principal, hours=hours))
    return RedirectResponse("/admin/sandboxes", status_code=303)


@router.post("/hosts")
async def add_host(
    web: Here,
    person: SettingsReader,
    host: Annotated[str, Form(max_length=300)],
    port: Annotated[int, Form()] = 443,
    header: Annotated[str, Form(max_length=100)] = "",
    secret: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Lets code reach a host."""
    await web.house.commands.perform(
        ListOutsideHost(
            principal=person.principal,
            host=host,
            port=port,
            header=header,
            secret=Secret(secret) if secret.strip() else None,
        )
    )
    return Response(headers={"HX-Redirect": "/admin/sandboxes"})


@router.post("/hosts/{host}/remove")
async def remove_host(web: Here, person: SettingsReader, host: UUID) -> Response:
    """Lets code reach it no longer."""
    await web.house.commands.perform(RemoveOutsideHost(principal=person.principal, host=host))
    return RedirectResponse("/admin/sandboxes", status_code=303)


def _words(hours: int) -> str:
    return counted(hours, "hour") if hours < 24 or hours % 24 else counted(hours // 24, "day")
