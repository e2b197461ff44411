"""The proof: the keys this installation signs with, its signed heads, and where they are sent so that others hold them too."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from joule.identity.queries import SignedInPerson
from joule.kernel.errors import JouleError
from joule.web.access import Here, SettingsReader
from joule.web.context import Web
from joule.web.shell import shell_of
from traces.proof import queries
from traces.proof.actions import ChooseDelivery
from traces.proof.delivering import WEBHOOK
from traces.proof.errors import AddressRefused
from traces.proof.queries import DeliveryState

router = APIRouter(prefix="/admin/proof")

SHOWN = 30  # days and classes
_KEPT = {
    "1d": "a day",
    "7d": "a week",
    "30d": "30 days",
    "90d": "90 days",
    "1y": "a year",
    "7y": "seven years",
    "hold": "as long as it is on hold",
}
_TROUBLE = {
    "address_refused": "The name leads to an address that is not public.",
    "answer_refused": "It answered with a redirect, or with more than a receiver of heads has to say.",
    "no_answer_in_time": "It did not answer within ten seconds.",
    "not_reachable": "It could not be reached.",
    "refused_there": "It refused the heads (a 4xx answer).",
    "failed_there": "It failed over there (a 5xx answer).",
    "bucket_refused": "The bucket did not take them; whoever runs Joule should look at its name and its rights.",
}


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How sending heads somewhere stands, in words."""

    title: str
    is_webhook: bool
    tone: str
    badge: str
    words: str
    delivered_at: datetime | None
    next_at: datetime | None


@router.get("")
async def page(web: Here, person: SettingsReader) -> Response:
    """Keys, heads and where they go."""
    return await _page(web, person)


@router.get("/head")
async def head(web: Here, person: SettingsReader, number: int) -> Response:
    """One signed head, as the note an auditor keeps."""
    async with web.house.database.read(person.org) as session:
        found = await queries.head(session, person.org, number)
    name = f"joule-head-{found.retention}-{found.day}-{found.size}.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(found.note, media_type="text/plain; charset=utf-8", headers=headers)


@router.post("/delivery")
async def choose(web: Here, person: SettingsReader, url: Annotated[str, Form(max_length=1_000)]) -> Response:
    """Has heads sent to an address from now on."""
    if not url.strip():
        return await _page(web, person, wrong="Give an address.")
    try:
        await web.house.commands.perform(ChooseDelivery(principal=person.principal, url=url))
    except AddressRefused as problem:
        return await _page(web, person, asked=url, wrong=_sentence(problem))
    return RedirectResponse("/admin/proof", status_code=303)


@router.post("/delivery/end")
async def end(web: Here, person: SettingsReader) -> Response:
    """Has them sent there no more."""
    await web.house.commands.perform(ChooseDelivery(principal=person.principal, url=""))
    return RedirectResponse("/admin/proof", status_code=303)


async def _page(web: Web, person: SignedInPerson, *, asked: str = "", wrong: str = "") -> Response:
    keys = await web.house.proofs.signing.keys()
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/proof")
        heads = await queries.newest_heads(session, person.org, limit=SHOWN)
        sent = await queries.deliveries(session, web.house.vault, person.org)
    return web.templates.page(
        "admin/proof.html",
        422 if wrong else 200,
        shell=shell,
        keys=list(reversed(keys)),
        heads=[{"head": each, "kept": _KEPT[each.retention]} for each in heads],
        sendings=[_sending(each) for each in sent],
        has_webhook=any(each.sink == WEBHOOK for each in sent),
        every=web.settings.proof.seal_seconds,
        asked=asked,
        wrong=wrong,
    )


def _sending(state: DeliveryState) -> Sending:
    is_webhook = state.sink == WEBHOOK
    many = f"{state.waiting} {'head is' if state.waiting == 1 else 'heads are'} waiting"
    if state.problem:
        tone, badge = "no", "Not arriving"
        words = f"{_TROUBLE.get(state.problem, 'It did not work.')} {many}; none is lost."
    elif state.delivered_at is None:
        tone, badge, words = "ask", "Not sent yet", "The next head goes out within two minutes, if a worker runs."
    else:
        tone, badge = "ok", "Arriving"
        words = "Every head has arrived." if state.waiting == 0 else f"{many} for the next round."
    return Sending(
        title=state.host if is_webhook else "The bucket of this deployment",
        is_webhook=is_webhook,
        tone=tone,
        badge=badge,
        words=words,
        delivered_at=state.delivered_at,
        next_at=state.next_at if state.problem else None,
    )


def _sentence(problem: JouleError) -> str:
    words = str(problem)
    return f"{words[:1].upper()}{words[1:]}. {problem.advice()}"
