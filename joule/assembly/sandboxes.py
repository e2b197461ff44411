"""Puts sandboxes together: the backends, the sessions over it, the artifact store, and files from the room that keeps them."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from joule.assembly.buckets import bucket_client
from joule.assembly.holding import is_held
from joule.database.engine import Database, WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.ids import OrgId, PersonId, ProjectId
from joule.kernel.label import Label
from joule.kernel.permit import Permit
from joule.kernel.settings import Settings
from joule.vault.vault import Vault
from memory import queries, saving
from sandbox.artifacts.collect import RunLimits
from sandbox.artifacts.room import Room
from sandbox.artifacts.shelf import Shelf
from sandbox.artifacts.store import BucketStore, FolderStore, Store
from sandbox.choosing import Backends
from sandbox.configured import kinds_of, spec_of
from sandbox.egress.door import Perform as PerformReach
from sandbox.egress.doors import Doors
from sandbox.egress.passing import Carrier, Passing
from sandbox.files import Granted, KeptFile
from sandbox.queries import is_due
from sandbox.running import Running
from sandbox.sessions import Sessions
from sandbox.upkeep import Organisations, Perform, Upkeep

_MIB = 2**20
_SWEPT_EVERY = timedelta(minutes=1)


class FilesOfProjects:
    """Implements `ProjectFiles` with the room that keeps files."""

    def __init__(self, *, database: Database, vault: Vault, clock: Clock, max_bytes: int) -> None:
        self._database, self._vault, self._clock, self._max_bytes = database, vault, clock, max_bytes

    async def granted(
        self, org: OrgId, project: ProjectId, reader: PersonId | None, names: Sequence[str], *, missing_ok: bool
    ) -> tuple[Granted, ...]:
        if not names:
            return ()
        async with self._database.read(org) as session:
            keyring = await self._vault.keyring(session, org)
            views = await queries.list_files(session, keyring, project, reader=reader, now=self._clock.now())
            there = {_same(view.name): view for view in views}
            given = []
            for name in dict.fromkeys(map(_same, names)):
                if name in there:
                    view = there[name]
                    found = await queries.file_content(
                        session, keyring, project, view.file, reader=reader, version=view.newest.version
                    )
                    given.append(
                        Granted(name=found.name, version=found.version, content=found.content, label=found.label)
                    )
                elif not missing_ok:
                    raise NotFound("file")
        return tuple(given)

    async def keep(
        self, session: WriteSession, permit: Permit, action: Action[Any], name: str, content: bytes, label: Label
    ) -> KeptFile:
        keyring = await self._vault.keyring(session, action.principal.org)
        saved = await saving.save(
            session,
            keyring,
            permit,
            action,
            name=name,
            content=content,
            label=label,
            now=self._clock.now(),
            max_bytes=self._max_bytes,
        )
        return KeptFile(file=saved.file, name=saved.name, version=saved.version)


@dataclass(frozen=True, kw_only=True)
class Sandboxes:
    """The parts that code is run and artifacts are kept with."""

    backends: Backends
    sessions: Sessions
    running: Running
    files: FilesOfProjects
    store: Store
    database: Database
    clock: Clock
    passing: Passing
    shelf: Shelf

    async def known_project(self, session: AsyncSession, org: OrgId, project: ProjectId) -> bool:
        """Whether the project is still there."""
        return await queries.is_project(session, org, project)

    async def is_due(self, org: OrgId) -> bool:
        """Whether a sweep of the organisation would end anything."""
        async with self.database.read(org) as session:
            if await is_held(session, org):
                return False
            return await is_due(session, org, self.known_project, now=self.clock.now())

    def upkeep(self, perform: Perform, organisations: Organisations) -> Upkeep:
        """What ends artifacts and sessions whose time is over; `perform` is the gate's way, for the system's own hand."""
        return Upkeep(
            perform=perform,
            organisations=organisations,
            is_due=self.is_due,
            sessions=self.sessions,
            every=_SWEPT_EVERY,
        )


def sandboxes(
    settings: Settings, *, database: Database, vault: Vault, clock: Clock, carrier: Carrier, perform: PerformReach
) -> Sandboxes:
    """The parts; no sandbox is started yet. Raises `Misconfigured` for a store that would send bytes in clear.

    `carrier` carries what code asks of hosts outside, once the gate (`perform`) has let it through.
    """
    backends = Backends(
        kinds=kinds_of(settings, clock=clock), usual=settings.sandbox.backend, database=database, clock=clock
    )
    passing = Passing(database=database, vault=vault, carrier=carrier)
    doors = Doors(database=database, passing=passing, perform=perform)
    sessions = Sessions(
        database=database, vault=vault, clock=clock, backends=backends, spec=spec_of(settings), doors=doors
    )
    files = FilesOfProjects(
        database=database, vault=vault, clock=clock, max_bytes=settings.web.max_upload_mb * 1_000_000
    )
    chosen, store = settings.artifacts, store_of(settings)
    shelf = Shelf(
        database=database,
        vault=vault,
        clock=clock,
        store=store,
        kept_for=timedelta(hours=chosen.hours),
        organisation_bytes=chosen.organisation_mb * _MIB,
        room=Room(store=store, clock=clock, total=chosen.total_mb * _MIB),
    )
    limits = RunLimits(file_bytes=chosen.file_mb * _MIB, files=chosen.per_run, bytes_together=chosen.run_mb * _MIB)
    return Sandboxes(
        backends=backends,
        sessions=sessions,
        running=Running(sessions=sessions, files=files, shelf=shelf, limits=limits, doors=doors),
        files=files,
        store=store,
        database=database,
        clock=clock,
        passing=passing,
        shelf=shelf,
    )


def store_of(settings: Settings) -> Store:
    """Where artifacts lie: the bucket if one is set, else the folder."""
    chosen = settings.artifacts
    if chosen.bucket is None:
        return FolderStore(settings.artifact_folder)
    client = bucket_client(chosen.endpoint, of="artifacts", setting="JOULE_ARTIFACTS_ENDPOINT")
    return BucketStore(client, bucket=chosen.bucket)


def _same(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
