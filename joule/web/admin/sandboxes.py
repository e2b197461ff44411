"""Which kind of sandbox an organisation's code runs in: each kind in plain words, tried while the page is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import Response

from joule.kernel.errors import NotFound
from joule.web.access import Here, SettingsReader
from joule.web.admin.sandbox_rules import rules_of
from joule.web.shell import shell_of
from sandbox.actions import ChooseBackend
from sandbox.choosing import choice_of
from sandbox.errors import SandboxUnavailable

router = APIRouter(prefix="/admin/sandboxes")

_WORDS: Mapping[str, tuple[str, str]] = {
    "local": (
        "On this machine",
        "Quickest. Code is kept apart by the machine's own kernel, which it shares. For code over data of people you trust.",
    ),
    "gvisor": (
        "On this machine, behind gVisor",
        "Code talks to a kernel of its own, which is shut in as well. Starts a moment later; programs that make many "
        "files or processes are slower.",
    ),
    "e2b": (
        "In a small virtual machine at E2B",
        "The strongest boundary. The files that code is given, and what it makes, leave this machine for E2B; each sandbox "
        "there ends by itself.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class KindLine:
    """One kind of sandbox, and whether it is the one in use."""

    name: str
    title: str
    means: str
    is_usual: bool
    is_chosen: bool
    leaves: bool  # files leave this machine


@router.get("")
async def page(web: Here, person: SettingsReader) -> Response:
    """The kinds that are offered here."""
    backends = web.house.sandboxes.backends
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/sandboxes")
        chosen = await choice_of(session, person.org)
        rules = await rules_of(web, session, person)
    in_use = chosen or backends.usual
    kinds = [
        KindLine(
            name=name,
            title=_WORDS[name][0],
            means=_WORDS[name][1],
            is_usual=name == backends.usual,
            is_chosen=name == in_use,
            leaves=backends.kinds[name].is_remote,
        )
        for name in backends.kinds
    ]
    return web.templates.page(
        "admin/sandboxes.html",
        shell=shell,
        kinds=kinds,
        rules=rules,
        is_own_choice=chosen is not None,
        lost=in_use not in backends.kinds,
    )


@router.get("/kinds/{name}")
async def tried(web: Here, person: SettingsReader, name: str) -> Response:
    """Whether one of this kind starts, as a fragment of the page."""
    if name not in web.house.sandboxes.backends.kinds:
        raise NotFound("kind of sandbox")
    return web.templates.page("admin/_sandbox_tried.html", probe=await web.house.sandboxes.backends.probed(name))


@router.post("/kind")
async def choose(web: Here, person: SettingsReader, kind: Annotated[str, Form()] = "") -> Response:
    """Chooses a kind; an empty one leaves it to the operator. One that cannot be started is not chosen."""
    backends = web.house.sandboxes.backends
    if kind in backends.kinds and not (probe := await backends.probed(kind)).ok:
        raise SandboxUnavailable(probe.reason, fix=probe.fix)
    await web.house.commands.perform(ChooseBackend(principal=person.principal, backend=kind or None))
    return Response(headers={"HX-Redirect": "/admin/sandboxes"})
