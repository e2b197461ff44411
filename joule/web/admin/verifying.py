"""The Verify button: the whole journal against its chains, its seals and its signed heads, counting while it goes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from joule.identity.queries import SignedInPerson
from joule.web.access import Here, SettingsReader
from joule.web.chat.fragments import message
from joule.web.chat.streaming import HEADERS
from joule.web.chat.views import Fact
from joule.web.context import Web
from joule.web.shell import shell_of
from traces.proof.verifying import Checked

router = APIRouter(prefix="/admin/audit/verify")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How far the check has come, in words."""

    title: str
    tone: str
    words: str
    is_done: bool
    figures: tuple[Fact, ...]
    problems: tuple[Fact, ...]


@router.get("")
async def page(web: Here, person: SettingsReader) -> Response:
    """The check, which begins when the page is open."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/audit")
    return web.templates.page("admin/verify.html", shell=shell, verdict=verdict(Checked()))


@router.get("/stream")
async def stream(web: Here, person: SettingsReader) -> Response:
    """The counts as they grow, then what was found."""
    return StreamingResponse(_checking(web, person), media_type="text/event-stream", headers=HEADERS)


async def _checking(web: Web, person: SignedInPerson) -> AsyncIterator[str]:
    async for checked in web.house.proofs.verify(person.org):
        yield message(web.templates.text("admin/_verify_stream.html", {"verdict": verdict(checked)}))
    # Taking the stream's own element off the page is what closes it, so that comes last.
    yield message('<hx-partial hx-target="#verify-live" hx-swap="delete"></hx-partial>')


def verdict(checked: Checked) -> Verdict:
    """What is known so far."""
    wrong = len(checked.problems)
    title, tone, words = (
        "Checking",
        "",
        "Every row against its chain, every chain against its seals, every seal against the signed heads.",
    )
    if wrong:
        title, tone = f"{wrong} {'thing is' if wrong == 1 else 'things are'} not as written", "no"
        words = "The record was changed after it was written, or part of it is gone. Keep a copy of the database as it is, and ask whoever runs this installation."
    elif checked.done:
        title, tone = "The record is whole", "ok"
        words = "Every row is as it was written, in order and without a gap, and is what the signed heads say."
        if checked.unsealed:
            words += f" The last rows of {checked.unsealed} records have no signed head yet; one is made every minute."
    return Verdict(
        title=title,
        tone=tone,
        words=words,
        is_done=checked.done,
        figures=(
            Fact(name="Records", value=f"{checked.chains:,}"),
            Fact(name="Rows", value=f"{checked.rows:,}"),
            Fact(name="Seals", value=f"{checked.seals:,}"),
            Fact(name="Signed heads", value=f"{checked.heads:,}"),
        ),
        problems=tuple(Fact(name=each.where, value=each.what) for each in checked.problems),
    )
