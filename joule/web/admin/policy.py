"""The organisation's own policies: drafted, asked "what if", tried, enforced, rolled back."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.governance.policy import UNTOUCHED
from joule.governance.rules import queries as rules
from joule.governance.rules.actions import (
    LONGEST,
    DiscardPolicy,
    DraftPolicy,
    EnforcePolicy,
    PublishPolicy,
    RollBackPolicy,
    WithdrawPolicy,
)
from joule.governance.rules.queries import Checked, Tried, VersionView
from joule.governance.rules.results import State
from joule.identity import queries as people
from joule.identity.queries import SignedInPerson
from joule.kernel.action import Action
from joule.kernel.errors import JouleError
from joule.kernel.principal import Role
from joule.replay import queries as what_ifs
from joule.web import errors
from joule.web.access import Here, SettingsReader
from joule.web.admin.what_if import SPANS, WhatIfLine, line_of
from joule.web.context import Web
from joule.web.shell import shell_of

router = APIRouter(prefix="/admin/policy")

_HERE = "/admin/policy"
_STATES = {
    State.DRAFT: ("Draft", ""),
    State.TRIAL: ("On trial", "ask"),
    State.ENFORCED: ("In force", "ok"),
    State.RETIRED: ("Retired", ""),
}
_EXAMPLE = """\
@id("somebody looks first")
@reason("a colleague looks at whatever leaves for customers")
@advice("Approve it if text and addresses are right.")
forbid (
  principal,
  action in [
    Joule::Action::"integrations.send_to_provider",
    Joule::Action::"integrations.draft_at_provider"
  ],
  resource
) unless { context.approved };
"""


@dataclass(frozen=True, kw_only=True)
class VersionLine:
    """One version."""

    id: UUID
    href: str
    number: int
    state: str
    tone: str
    policies: int
    by: str
    at: datetime
    source: str | None


@dataclass(frozen=True, kw_only=True)
class PolicyPage:
    """All of it as it stands."""

    digest: str
    in_force: VersionLine | None
    trial: VersionLine | None
    draft: VersionLine | None
    tried: tuple[Tried, ...]
    retired: tuple[VersionLine, ...]
    asked: tuple[WhatIfLine, ...]
    text: str
    example: str
    checked: Checked | None
    is_owner: bool
    spans: tuple[tuple[int, str], ...]
    longest: int
    untouched: str
    message: str
    advice: str


@router.get("")
async def page(web: Here, person: SettingsReader) -> Response:
    """The page as it stands."""
    return await _page(web, person)


@router.post("/draft")
async def draft(
    web: Here,
    person: SettingsReader,
    text: Annotated[str, Form()] = "",
    keep: Annotated[str, Form()] = "yes",
) -> Response:
    """Checks a draft and, unless only that was asked, saves it. What is wrong is told beside what was typed."""
    text = text.replace("\r\n", "\n")
    checked = rules.checked(text, base=web.house.policy)
    checked = replace(checked, problem=errors.sentence(checked.problem)) if checked.problem else checked
    if checked.problem or keep != "yes":
        return await _page(web, person, text=text, checked=checked)
    try:
        await web.house.commands.perform(DraftPolicy(principal=person.principal, text=text))
    except JouleError as error:
        return await _page(web, person, text=text, error=error)
    return RedirectResponse(f"{_HERE}#draft", status_code=303)


@router.post("/{version}/publish")
async def publish(web: Here, person: SettingsReader, version: UUID) -> Response:
    """Puts the draft on trial."""
    return await _done(web, person, PublishPolicy(principal=person.principal, version=version))


@router.post("/{version}/enforce")
async def enforce(web: Here, person: SettingsReader, version: UUID) -> Response:
    """Has the version on trial decide."""
    return await _done(web, person, EnforcePolicy(principal=person.principal, version=version))


@router.post("/{version}/withdraw")
async def withdraw(web: Here, person: SettingsReader, version: UUID) -> Response:
    """Ends a trial."""
    return await _done(web, person, WithdrawPolicy(principal=person.principal, version=version))


@router.post("/{version}/discard")
async def discard(web: Here, person: SettingsReader, version: UUID) -> Response:
    """Deletes the draft."""
    return await _done(web, person, DiscardPolicy(principal=person.principal, version=version))


@router.post("/rollback")
async def roll_back(web: Here, person: SettingsReader) -> Response:
    """Takes the version in force out of force."""
    return await _done(web, person, RollBackPolicy(principal=person.principal))


async def _done(web: Web, person: SignedInPerson, change: Action[Any]) -> Response:
    try:
        await web.house.commands.perform(change)
    except JouleError as error:
        return await _page(web, person, error=error)
    return RedirectResponse(_HERE, status_code=303)


async def _page(
    web: Web,
    person: SignedInPerson,
    *,
    text: str | None = None,
    checked: Checked | None = None,
    error: JouleError | None = None,
) -> Response:
    now = web.house.clock.now()
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at=_HERE)
        found = await rules.versions(session, web.house.vault, person.org)
        names: dict[UUID, str] = {
            each.person: each.name for each in await people.people(session, web.house.vault, person.org)
        }
        on_trial = next((each for each in found if each.state is State.TRIAL), None)
        tried = (
            await rules.tried(session, person.org, since=on_trial.changed_at, now=now) if on_trial is not None else []
        )
        asked = await what_ifs.what_ifs(session, person.org)
    lines = {state: [_line(each, names) for each in found if each.state is state] for state in State}
    standing = {state: next(iter(lines[state]), None) for state in State}
    of_draft = standing[State.DRAFT]
    policy = PolicyPage(
        digest=web.house.policy.digest[:12],
        in_force=standing[State.ENFORCED],
        trial=standing[State.TRIAL],
        draft=of_draft,
        tried=tuple(tried),
        retired=tuple(lines[State.RETIRED]),
        asked=tuple(line_of(each, names) for each in asked),
        text=text if text is not None else (of_draft.source or "" if of_draft else ""),
        example=_EXAMPLE,
        checked=checked,
        is_owner=person.role is Role.OWNER,
        spans=SPANS,
        longest=LONGEST,
        untouched=", ".join(f"{each}*" if each.endswith((".", "_")) else each for each in UNTOUCHED),
        message=errors.sentence(str(error)) if error else "",
        advice=error.advice() if error else "",
    )
    status = errors.status_of(error) if error else 422 if checked and checked.problem else 200
    return web.templates.page("admin/policy.html", status, shell=shell, page=policy)


def _line(each: VersionView, names: dict[UUID, str]) -> VersionLine:
    state, tone = _STATES[each.state]
    return VersionLine(
        id=each.version,
        href=f"{_HERE}/{each.version}",
        number=each.number,
        state=state,
        tone=tone,
        policies=each.policies,
        by=names.get(each.changed_by, "somebody") if each.changed_by else "Joule",
        at=each.changed_at,
        source=each.source,
    )
