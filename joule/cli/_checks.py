"""What `joule doctor` looks at. Each check says what it found and, when that is wrong, exactly what to do.

A check never changes anything, sends no content anywhere and never raises: what stops it is its finding.
"""

import asyncio
import os
import platform
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_settings import BaseSettings

from joule.cli._checks_journal import partitions
from joule.cli._installation import addressed, app_url
from joule.database.errors import DatabaseAway
from joule.kernel.errors import JouleError
from joule.kernel.settings import Settings

if TYPE_CHECKING:
    from joule.database.engine import Database

LEAST_DISK = 1 << 30  # bytes that should be free
DATABASE_FIRST = "Mend the database and its schema first."
SILENT_AFTER = 30  # seconds without a sign of life after which a worker counts as gone


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found. `fix` says what to do and is empty when nothing is wrong."""

    check: str
    ok: bool
    found: str
    fix: str = ""


Check = Callable[[Settings], Awaitable[tuple[bool, str, str]]]


async def findings(settings: Settings) -> list[Finding]:
    """Every check, in the order in which trouble should be mended."""
    settings = addressed(settings)
    return [await _run(name, check, settings) for name, check in CHECKS.items()]


async def _run(name: str, check: Check, settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(20):
            ok, found, fix = await check(settings)
    except DatabaseAway:
        return Finding(check=name, ok=False, found="not known: the database does not answer", fix=DATABASE_FIRST)
    except JouleError as problem:
        return Finding(check=name, ok=False, found=str(problem), fix=problem.advice())
    except (OSError, TimeoutError) as problem:
        return Finding(check=name, ok=False, found=f"could not look: {type(problem).__name__}", fix="Run it again.")
    return Finding(check=name, ok=ok, found=found, fix="" if ok else fix)


async def python(settings: Settings) -> tuple[bool, str, str]:
    return (
        sys.version_info >= (3, 11),
        f"Python {platform.python_version()}",
        "Install Python 3.11 or newer, then run `make setup`.",
    )


async def variables(settings: Settings, environment: Mapping[str, str] = os.environ) -> tuple[bool, str, str]:
    known = set(_known(Settings))
    unknown = sorted(name for name in environment if name.startswith("JOULE_") and name not in known)
    if not unknown:
        return True, "every JOULE_ variable is known", ""
    return False, f"unknown: {', '.join(unknown)}", "Correct their names (docs/settings.md) or unset them."


def _known(section: type[BaseSettings]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings):
            yield from _known(field.annotation)
        else:
            yield str(field.validation_alias or f"{section.model_config.get('env_prefix', '')}{name.upper()}")


async def home(settings: Settings) -> tuple[bool, str, str]:
    folder = settings.home
    if not folder.is_dir():
        return False, f"{folder} is not there", "Run `joule up` once; it makes the folder."
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return False, f"{folder} cannot be written to", f"Run `chown -R {_me()} {folder}` as root."
    if stat.S_IMODE(folder.stat().st_mode) & 0o022:
        return False, f"others can write to {folder}", f"Run `chmod go-w {folder}`."
    return True, str(folder), ""


def _me() -> str:
    return str(os.geteuid())


async def disk(settings: Settings) -> tuple[bool, str, str]:
    folder = next(each for each in (settings.home, *settings.home.parents) if each.exists())
    free = shutil.disk_usage(folder).free
    return free >= LEAST_DISK, f"{free / 2**30:.1f} GiB free", f"Free at least 1 GiB on the disk of {folder}."


async def keys(settings: Settings) -> tuple[bool, str, str]:
    from joule.vault.configured import wrapper_of

    wrapper = await asyncio.to_thread(wrapper_of, settings)
    await wrapper.health()
    where = "AWS KMS" if settings.vault.kms_key is not None else str(settings.key_file)
    return True, f"{where} wraps and unwraps", ""


async def database(settings: Settings) -> tuple[bool, str, str]:
    import psycopg

    try:
        async with await psycopg.AsyncConnection.connect(app_url(settings), connect_timeout=5) as connection:
            row = await (await connection.execute("SHOW server_version_num")).fetchone()
    except psycopg.Error:
        fix = "Start Joule with `joule up`; with a server of your own, check JOULE_DATABASE_URL."
        return False, "the database does not answer", fix
    number = int(row[0]) if row else 0
    found = f"PostgreSQL {number // 10000}.{number % 10000}"
    return number >= 180000, found, "Use PostgreSQL 18 or newer."


async def role(settings: Settings) -> tuple[bool, str, str]:
    from joule.database.walls import check_role

    async with _database(settings) as opened:
        await check_role(opened)
    return True, "the application's role is bound by row-level security", ""


async def schema(settings: Settings) -> tuple[bool, str, str]:
    from joule.database.age import check_schema, head

    async with _database(settings) as opened:
        await check_schema(opened)
    return True, f"version {head()}", ""


async def walls(settings: Settings) -> tuple[bool, str, str]:
    from joule.database.walls import check_walls

    async with _database(settings) as opened:
        await check_walls(opened)
    return True, "every table keeps organisations apart", ""


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator["Database"]:
    from joule.database.engine import Database

    opened = Database(app_url(settings), pool_size=2)
    try:
        yield opened
    finally:
        await opened.close()


async def model(settings: Settings) -> tuple[bool, str, str]:
    from joule.llm.providers.registry import chosen, open_model

    choice = chosen(settings.llm)
    if choice.is_offline:
        return True, "the offline model; nothing leaves this machine", ""
    host = open_model(settings.llm).recipient
    if not await _answers(host):
        return (
            False,
            f"{choice.provider} cannot be reached",
            f"Allow connections to {host}, or set JOULE_MODEL=offline.",
        )
    return True, f"{choice.provider}:{choice.model} at {host}", ""


async def meaning(settings: Settings) -> tuple[bool, str, str]:
    from joule.assembly.embedding import embedding, nobody

    async with embedding(settings.embedding, None, perform=nobody) as chosen:
        if chosen.provided is not None:
            host = chosen.provided.recipient
            fix = f"Allow connections to {host}, or set JOULE_EMBEDDING=local."
            found = f"{chosen.provided.provider}:{chosen.provided.model} at {host}"
            return await _answers(host), found, fix
        if chosen.embedder is not None:
            await chosen.try_out()
            return True, f"{chosen.embedder.model}; nothing leaves this machine", ""
    by_choice = settings.embedding.name.strip() == "none"
    fix = "Install it with: pip install 'joule-agent[embeddings]', or set JOULE_EMBEDDING=none."
    return by_choice, "no embedding model: documents are found by words alone", fix


async def _answers(address: str) -> bool:
    """Whether a connection can be made: nothing is sent, so that asking costs nothing and tells nobody anything."""
    host, _, port = address.partition(":")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port or 443)), timeout=5)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def reading(settings: Settings) -> tuple[bool, str, str]:
    from memory.kinds import MediaType
    from memory.knowledge.reading.errors import ReadingUnavailable
    from memory.knowledge.reading.parse import Reader

    try:
        await Reader().read(b"One word.", media_type=MediaType.TEXT)
    except ReadingUnavailable:
        fix = "Run Joule on Linux (x86-64 or ARM64), where a process may install a seccomp filter for itself."
        return False, "no process can be shut in, so no document is read", fix
    return True, "documents are read in a process that is shut in", ""


async def sandbox(settings: Settings) -> tuple[bool, str, str]:
    from joule.kernel.clock import SystemClock
    from sandbox.configured import probed

    probe = await probed(settings, clock=SystemClock())
    return probe.ok, f"{probe.backend} sandbox ({probe.boundary.value}) {_held(probe.ok, probe.reason)}", probe.fix


def _held(ok: bool, reason: str) -> str:
    return "started and held" if ok else f"did not start: {reason}"


async def pack(settings: Settings) -> tuple[bool, str, str]:
    from sandbox.pack import Packs

    found = await asyncio.to_thread(Packs(settings.packs).site)
    if found is None:  # nothing is wrong: code runs without it
        return True, "no data pack: `joule sandbox install-pack` gives sandboxes pandas and its companions", ""
    return True, "the data pack is what was installed", ""


async def worker(settings: Settings) -> tuple[bool, str, str]:
    import psycopg

    try:
        async with await psycopg.AsyncConnection.connect(app_url(settings), connect_timeout=5) as connection:
            row = await (await connection.execute(_WORKERS, [SILENT_AFTER])).fetchone()
    except psycopg.Error:
        return False, "not known: the database or its queue is not there", DATABASE_FIRST
    count = row[0] if row else 0
    return count > 0, f"{count} alive", "Start `joule up`, or `joule worker` beside your own server."


_WORKERS = "SELECT count(*) FROM queue.procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)"


async def export(settings: Settings) -> tuple[bool, str, str]:
    from joule.identity.deployment import DEPLOYMENT
    from joule.identity.queries import organisations
    from traces.otel.queries import export_state

    if not settings.otel.endpoint:
        return True, "no spans are sent anywhere", ""
    async with _database(settings) as database:
        async with database.read(DEPLOYMENT) as session:
            orgs = await organisations(session)
        states = []
        for org in orgs:
            async with database.read(org) as session:
                states.append(await export_state(session, org))
    behind = [each for each in states if each is not None and each.failures]
    waiting = sum(each.waiting for each in states if each is not None)
    found = f"{waiting} signed heads wait to be sent as spans; {len(behind)} organisations could not be sent"
    return not behind, found, "Look at JOULE_OTEL_ENDPOINT and its backend; nothing is lost meanwhile."


CHECKS: Mapping[str, Check] = {
    "python": python,
    "settings": variables,
    "home": home,
    "disk": disk,
    "keys": keys,
    "database": database,
    "role": role,
    "schema": schema,
    "walls": walls,
    "journal": partitions,
    "model": model,
    "meaning": meaning,
    "reading": reading,
    "sandbox": sandbox,
    "pack": pack,
    "worker": worker,
    "export": export,
}
