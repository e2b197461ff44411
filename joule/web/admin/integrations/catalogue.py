"""The catalogue: what is connected, and every provider by its shelf, found by words."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.responses import Response

from integrations import queries
from integrations import rules as rules_in_force
from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider
from joule.web.access import Connector, Here
from joule.web.admin.integrations import showing, wording
from joule.web.admin.integrations.views import ProviderLine, Shelf
from joule.web.shell import shell_of
from joule.web.wording import counted

router = APIRouter(prefix="/admin/integrations")

LAST = "Demonstration"  # shown above all others while nothing is connected: it is where a newcomer begins


@router.get("")
async def page(web: Here, person: Connector, q: str = "", done: str = "") -> Response:
    """The list; with `q`, what its words find."""
    async with web.house.database.read(person.org) as session:
        shell = await shell_of(web, session, person, at="/admin/integrations")
        connections = await queries.connections(session, web.house.vault, person.org)
        rules = await queries.rules(session, person.org)
        only_listed = await queries.only_listed(session, person.org)
        allowed = await rules_in_force.allowed(session, person.org)
        names = await showing.names_of(web, session, person.org)
    live = [each for each in connections if not each.is_over]
    counts = {
        provider: sum(each.provider == provider for each in live) for provider in {each.provider for each in live}
    }
    forbidden = set(catalogue().providers) - allowed
    has_demo = web.settings.integrations.demo_port > 0
    found = tuple(each for each in catalogue().search(q.strip()[:200]) if has_demo or not each.demo)
    return web.templates.page(
        "integrations/catalogue.html",
        shell=shell,
        query=q.strip()[:200],
        found=counted(len(found), "provider"),
        connections=[showing.connection_line(each, names) for each in live],
        only_listed=only_listed,
        stopping=_stopping(counts, {each.provider for each in rules}),
        message="What may be connected was saved." if done == "list" else "",
        advice="",
        kind="ok",
        shelves=_shelves(found, counts, forbidden, begins=not live),
    )


def _stopping(counts: Mapping[str, int], said: set[str]) -> tuple[str, ...]:
    """The providers whose connected accounts would stop if only what is named were allowed and they were not named."""
    known = catalogue().providers
    return tuple(sorted(known[each].title for each in counts if each in known and each not in said))


def _shelves(
    found: tuple[Provider, ...], counts: Mapping[str, int], forbidden: set[str], *, begins: bool
) -> tuple[Shelf, ...]:
    titles = sorted({each.group for each in found}, key=lambda title: ((title == LAST) is not begins, title))
    return tuple(
        Shelf(
            title=title,
            providers=tuple(_line(each, counts, forbidden) for each in found if each.group == title),
        )
        for title in titles
    )


def _line(provider: Provider, counts: Mapping[str, int], forbidden: set[str]) -> ProviderLine:
    standing, tone = "", ""
    if provider.id in forbidden:
        standing, tone = "Not allowed", "no" if provider.id in counts else ""
    elif provider.id in counts:
        standing, tone = f"{counts[provider.id]} connected", "ok"
    return ProviderLine(
        href=f"/admin/integrations/{provider.id}",
        title=provider.title,
        what_it_is=provider.what_it_is,
        worst=wording.worst(provider),
        standing=standing,
        tone=tone,
        is_demo=provider.demo,
    )
