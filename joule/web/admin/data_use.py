"""What may be done with the organisation's data: whether it may train a model, and what is covered in texts it keeps."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.identity import queries as people
from joule.kernel.principal import Role
from joule.web.access import Here, SettingsReader
from joule.web.shell import shell_of
from memory.detecting import FindingKind
from memory.items import queries as items
from memory.items.actions import GiveTrainingConsent, WithdrawTrainingConsent
from memory.items.kinds import DataClass
from memory.knowledge.actions import SetMasking
from memory.masking import rule_of

router = APIRouter(prefix="/admin/data-use")

_CLASSES = {
    DataClass.PROMPTS: ("Messages", "What people write to Joule."),
    DataClass.FILES: ("Files", "Files uploaded to projects."),
    DataClass.CHAT_HISTORY: ("Chat history", "Whole conversations, with the steps in them."),
    DataClass.KNOWLEDGE: ("Knowledge base", "Documents, their passages and their vectors."),
    DataClass.MEMORY: ("Memory", "What is remembered in projects."),
    DataClass.INTEGRATIONS: ("Connected accounts", "What is read from, and written to, connected accounts."),
    DataClass.OUTPUTS: ("Answers", "What Joule writes."),
}
_KINDS = {
    FindingKind.CARD: "Payment card numbers (always covered)",
    FindingKind.SECRET_KEY: "Keys and passwords of programs",
    FindingKind.EMAIL: "E-mail addresses",
    FindingKind.PHONE: "Phone numbers",
    FindingKind.IBAN: "Account numbers (IBAN)",
    FindingKind.STREET: "Street addresses",
    FindingKind.IP: "Network addresses",
    FindingKind.PERSON: "Names of your organisation's people",
}


@dataclass(frozen=True, kw_only=True)
class ClassLine:
    """One class of data, and the consent that stands for it."""

    word: str
    title: str
    means: str
    given_by: str
    given_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class KindLine:
    """One kind of finding, and whether it is covered."""

    word: str
    title: str
    covered: bool
    fixed: bool


@router.get("")
async def page(web: Here, person: SettingsReader) -> Response:
    """Both, as they are now."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/data-use")
        consents = {
            each.data_class: each
            for each in await items.list_consents(session, person.org)
            if each.withdrawn_at is None
        }
        exports = await items.list_exports(session, person.org)
        covered = await rule_of(session, person.org)
        names: dict[UUID, str] = {
            each.person: each.name for each in await people.people(session, web.house.vault, person.org)
        }
    classes = []
    for word, (title, means) in _CLASSES.items():
        stands = consents.get(word)
        by = names.get(stands.given_by, "somebody") if stands else ""
        at = stands.given_at if stands else None
        classes.append(ClassLine(word=word.value, title=title, means=means, given_by=by, given_at=at))
    kinds = [
        KindLine(word=kind.value, title=title, covered=kind in covered, fixed=kind is FindingKind.CARD)
        for kind, title in _KINDS.items()
    ]
    return web.templates.page(
        "admin/data_use.html",
        shell=shell,
        classes=classes,
        kinds=kinds,
        exports=exports,
        is_owner=person.role is Role.OWNER,
    )


@router.post("/training/{data_class}/give")
async def give(web: Here, person: SettingsReader, data_class: DataClass) -> Response:
    """An owner lets data of one class train models."""
    await web.house.commands.perform(GiveTrainingConsent(principal=person.principal, data_class=data_class))
    return Response(headers={"HX-Redirect": "/admin/data-use"})


@router.post("/training/{data_class}/withdraw")
async def withdraw(web: Here, person: SettingsReader, data_class: DataClass) -> Response:
    """An owner takes that back."""
    await web.house.commands.perform(WithdrawTrainingConsent(principal=person.principal, data_class=data_class))
    return RedirectResponse("/admin/data-use", status_code=303)


@router.post("/masking")
async def mask(
    web: Here, person: SettingsReader, masked: Annotated[list[FindingKind] | None, Form()] = None
) -> Response:
    """Chooses what is covered from now on."""
    await web.house.commands.perform(SetMasking(principal=person.principal, masked=tuple(masked or ())))
    return RedirectResponse("/admin/data-use", status_code=303)
