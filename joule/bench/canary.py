"""Whether anything a person typed stands anywhere in clear: unique strings go in, and everything left behind is searched.

There is no place where they may be found. Positive control: the same search finds the same kind of string where one was
put in clear on purpose, in every kind of place.
"""

import asyncio
import logging
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from joule.assembly import open_house
from joule.bench import _connecting, _errands, _kept, _served
from joule.bench._connecting import Careless
from joule.bench._eavesdropping import Heard, logged, overheard, trapped
from joule.bench._errands import Person
from joule.bench._ground import ground
from joule.bench._planted import Planted
from joule.bench._raised import raised
from joule.bench._rotating import serving
from joule.bench._scripted import Scripted
from joule.bench._served import Guarded
from joule.bench._visitor import Answer, web_process
from joule.bench.report import Report
from joule.database.server import EmbeddedServer
from joule.kernel.errors import Unavailable
from joule.kernel.settings import Settings

_COPY = re.compile(rb"^COPY (\S+) .*?^\\\.$", re.DOTALL | re.MULTILINE)


@dataclass(kw_only=True)
class Findings:
    """What was searched, and where something was found: place, and what stands there."""

    planted: int = 0
    places: set[str] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    tables: int = 0

    def look(self, planted: Planted, place: str, text: bytes, where: str = "", *, only_secrets: bool = False) -> None:
        self.places.add(place)
        found = sorted(planted.found_in(text, only_secrets=only_secrets))
        self.leaks += [f"{place}{f' ({where})' if where else ''}: {what}" for what in found]


async def run(*, quick: bool, **_: object) -> Report:
    """One day of one organisation on a server of its own, then the search; `quick` changes nothing."""
    async with ground() as here:
        superuser = make_conninfo(here.address.owner_url, user="postgres")
        findings = await hunt(here.settings, server=here.server, superuser=superuser)
        blind = await controls(here.settings, server=here.server, superuser=superuser)
    return Report(
        name="canary",
        figures={
            "places": len(findings.places),
            "leaks": len(findings.leaks),
            "planted": findings.planted,
            "tables": findings.tables,
            "controls_missed": len(blind),
        },
        targets={"places": {"min": 6}, "leaks": {"max": 0}, "controls_missed": {"max": 0}},
        notes="; ".join(
            [f"searched: {', '.join(sorted(findings.places))}", *(f"LEAK {each}" for each in findings.leaks)]
            + [f"BLIND {each}" for each in blind]
        ),
    )


async def hunt(settings: Settings, *, server: EmbeddedServer, superuser: str) -> Findings:
    """A day at Joule on this database, and all that was left behind searched for what was typed."""
    planted, findings = Planted(), Findings()
    scripted = Scripted(suggestion=planted.word("tool argument"), answer=planted.word("answer"), code=_code(planted))
    with tempfile.TemporaryDirectory(dir=settings.home) as folder:
        log, web_log = Path(folder) / "worker.log", Path(folder) / "web.log"
        async with (
            trapped() as trap,
            logged(log),
            overheard(superuser) as heard,
            serving(Careless(planted=planted)) as provider,
            serving(Guarded(planted=planted)) as served,
            open_house(settings := _beside(settings, provider.port, served.port), model=scripted) as house,
            web_process(settings, log=web_log, temporary=Path(folder)) as port,
        ):
            stop = asyncio.Event()
            working = asyncio.create_task(house.work(stop=stop))
            try:
                owner = await _errands.found(house, planted, port)
                tasks = await _errands.a_day(owner, planted)
                used, shown = await _connecting.accounts(owner, planted, provider)
                asked, pages_of_servers = await _served.servers(owner, planted, served)
                await _kept.fill(house, owner.principal, planted)
                support = await _errands.supporter(house, planted, owner)
                pages = await _support_pages(support, (*tasks, *used, asked))
                shown += await _access(owner, support, planted, tasks[0])
                told = await raised(house.commands, owner.principal, planted)
            finally:
                stop.set()
                await working
        findings.planted = len(planted.words)
        await asyncio.sleep(0.2)
        findings.look(planted, "logs of web processes at DEBUG", web_log.read_bytes())
        findings.look(planted, "logs of workers at DEBUG, of every library", log.read_bytes())
        findings.places.add("reports to LangSmith")
        findings.leaks += [f"reports to LangSmith: {len(trap.reports)} requests"] * bool(trap.reports)
        findings.look(planted, "signals between processes", "\n".join(heard.signals).encode())
        findings.look(planted, "statements the database shows", "\n".join(heard.statements).encode())
        for what, text in told:
            findings.look(planted, "text, repr and traceback of errors", text.encode(), what)
        findings.look(planted, "prompts of models", "\n".join(scripted.prompts).encode(), only_secrets=True)
        for answer in (*shown, *pages_of_servers):
            findings.look(planted, "pages and receipts of admins", answer.body, only_secrets=True)
        for path, page in pages:
            findings.look(planted, "pages of support and of replay", _without_names(page, planted), path)
        await _look_in_database(findings, planted, server, superuser)
        await _look_in_files(findings, planted, settings, server)
    return findings


def _beside(settings: Settings, port: int, served: int) -> Settings:
    """A provider of accounts at this port, told soon when one is ended, and an MCP server with its issuer at that one."""
    ports = {"demo_port": port, "mcp_port": served, "mcp_issuer_port": served}
    known = settings.integrations.model_copy(update={**ports, "upkeep_seconds": 1})
    return settings.model_copy(update={"integrations": known})


def _code(planted: Planted) -> str:
    """A program that says something and leaves something."""
    name, content = planted.word("name of an artifact"), planted.word("content of an artifact")
    return f"print('{planted.word('output of code')}')\nopen('out/{name}.txt', 'w').write('{content}')"


async def controls(settings: Settings, *, server: EmbeddedServer, superuser: str) -> list[str]:
    """Kinds of place in which the search does not find what was put there in clear; there should be none."""
    planted, findings = Planted(), Findings()
    file = settings.home / "canary.control"
    async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as connection:
        await connection.execute("CREATE TABLE public.canary_control (words text, bytes bytea, document jsonb)")
        try:
            words = [planted.word(each) for each in ("a text", "some bytes", "a document")]
            await connection.execute(
                "INSERT INTO public.canary_control VALUES (%s, %s, jsonb_build_object('deep', %s::text))",
                [words[0], b"\1" + words[1].encode(), words[2]],
            )
            await connection.execute("CHECKPOINT")
            with tempfile.TemporaryDirectory(dir=settings.home) as folder:
                log = Path(folder) / "control.log"
                async with trapped() as trap, logged(log), overheard(superuser) as heard:
                    logging.getLogger("anything").debug("%s", planted.word("a log line"))
                    await connection.execute("SELECT pg_notify('joule_task', %s)", [planted.word("a signal")])
                    await connection.execute(f"SELECT pg_sleep(0.5) -- {planted.word('a statement')}")
                    _, report = await asyncio.open_connection("127.0.0.1", int(trap.url.rpartition(":")[2]))
                    report.write(f"POST /runs {planted.word('a report')}\r\n\r\n".encode())
                    await report.drain()
                    with suppress(TimeoutError):  # what does not come in this time is told as missed
                        async with asyncio.timeout(10):
                            while not (trap.reports and heard.signals and planted.found_in(_shown(heard))):  # noqa: ASYNC110
                                await asyncio.sleep(0.05)
                    report.close()
                findings.look(planted, "log", log.read_bytes())
                if trap.reports:  # that one came is what is looked at: reports are packed
                    findings.leaks.append("reports to LangSmith: a report")
                findings.look(planted, "signals", "\n".join(heard.signals).encode())
                findings.look(planted, "statements", "\n".join(heard.statements).encode())
            file.write_text(planted.word("a file"))
            await _look_in_database(findings, planted, server, superuser)
            await _look_in_files(findings, planted, settings, server)
        finally:
            file.unlink(missing_ok=True)
            await connection.execute("DROP TABLE public.canary_control")
    return [what for what in planted.words if not any(each.endswith(f": {what}") for each in findings.leaks)]


def _shown(heard: Heard) -> bytes:
    return "\n".join(heard.statements).encode()


async def _look_in_database(findings: Findings, planted: Planted, server: EmbeddedServer, superuser: str) -> None:
    # The superuser sees the rows of every organisation; the application's roles would see none.
    process = await asyncio.create_subprocess_exec(
        server.program("pg_dump"), "--dbname", superuser, stdout=asyncio.subprocess.PIPE
    )
    dump, _ = await process.communicate()
    tables = list(_COPY.finditer(dump))
    if process.returncode != 0 or not tables:
        raise Unavailable("pg_dump")
    findings.tables = len(tables)
    for table in tables:
        place = "the queue's tables" if table[1].startswith(b"queue.") else "tables, as pg_dump writes them"
        findings.look(planted, place, table[0], table[1].decode())
    findings.look(planted, "the rest of the dump", _COPY.sub(b"", dump))
    # Heads of the journal are bytes of JSON: read as such too.
    async with await psycopg.AsyncConnection.connect(superuser) as connection:
        rows = await (await connection.execute("SELECT head FROM trace_event")).fetchall()
        findings.look(planted, "heads of the journal", b"\n".join(bytes(row[0]) for row in rows))


async def _look_in_files(findings: Findings, planted: Planted, settings: Settings, server: EmbeddedServer) -> None:
    """Keys, logs, temporary files, the database's own files with deleted rows and the write-ahead log."""
    findings.places |= {"files under the home folder", "the database's files, its write-ahead log and its log"}
    found = await asyncio.to_thread(planted.found_under, dict.fromkeys((settings.home, server.home)))
    for path, what in found.items():
        findings.leaks += [f"file {path}: {each}" for each in sorted(what)]


async def _support_pages(support: Person, tasks: tuple[str, ...]) -> list[tuple[str, bytes]]:
    pages = [(path, (await support.visitor.get(path)).body) for path in ("/support", "/support/connections")]
    for task in tasks:
        timeline = await support.visitor.get(f"/support/tasks/{task}")
        replay = await support.visitor.form(f"/support/tasks/{task}/replay")
        if timeline.status != 200 or replay.status != 200:
            raise Unavailable(f"the pages of support ({timeline.status}, {replay.status})")
        pages += [(f"/support/tasks/{task}", timeline.body), (f"/support/tasks/{task}/replay", replay.body)]
        for form in ("what-if", "export", "bundle"):
            answer = await support.visitor.form(f"/support/tasks/{task}/{form}")
            if answer.status != 200:
                raise Unavailable(f"the pages of support ({form}: {answer.status})")
            pages.append((f"/support/tasks/{task}/{form}", answer.body))
    pages.append(("/support/compare", (await support.visitor.get(f"/support/compare?a={tasks[0]}&b={tasks[-1]}")).body))
    return pages


async def _access(owner: Person, support: Person, planted: Planted, task: str) -> list[Answer]:
    """Support asks, the owner grants, support reads: the words stand on those pages and nowhere else."""
    asked = {"part": "request", "reason": planted.word("reason of a request for access"), "hours": "1"}
    if (await support.visitor.form(f"/support/tasks/{task}/ask", **asked)).status != 303:
        raise Unavailable("a request for access")
    page = await owner.visitor.get("/admin/access")
    access = page.text.split("/admin/access/")[1][:36]
    granted = await owner.visitor.form(f"/admin/access/{access}/grant", part="request", hours="1")
    read = await support.visitor.form(f"/support/tasks/{task}/content")
    if (granted.status, read.status) != (303, 200):
        raise Unavailable(f"a grant ({granted.status}, {read.status})")
    return [page, read, await owner.visitor.get("/admin/audit"), await owner.visitor.form("/admin/audit/export")]


def _without_names(page: bytes, planted: Planted) -> bytes:
    """Whoever is signed in sees the name of their own organisation; it is taken out of the pages before the search."""
    return page.replace(planted.word("organisation's name").encode(), b"")
