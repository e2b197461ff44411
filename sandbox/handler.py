"""Performs what can be done with sandboxes and artifacts."""

import asyncio
from collections.abc import Mapping
from typing import Any

from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.clock import Clock
from joule.kernel.errors import NotFound
from joule.kernel.handler import Method
from joule.kernel.permit import Admission, Permit
from joule.vault.vault import Vault
from sandbox import _labels, choosing, lapsing
from sandbox.actions import (
    ChooseBackend,
    DeleteArtifact,
    EndSession,
    KeepArtifactInFiles,
    PinArtifact,
    Plot,
    ReadWorkspace,
    RunPython,
    RunShell,
    SetArtifactRule,
    Sweep,
    WriteWorkspace,
)
from sandbox.artifacts import ending, rules
from sandbox.artifacts.ending import KnownProject
from sandbox.artifacts.store import opened
from sandbox.results import (
    ArtifactGone,
    ArtifactPinned,
    ArtifactRuleSet,
    BackendChosen,
    KeptInFiles,
    Plotted,
    Ran,
    SessionEnded,
    Swept,
    WorkspaceText,
    WorkspaceWritten,
)
from sandbox.running import Running


class SandboxHandler:
    """The only way to run code, and to keep or end what came out."""

    def __init__(
        self,
        *,
        admission: Admission,
        vault: Vault,
        clock: Clock,
        running: Running,
        known_project: KnownProject,
    ) -> None:
        self._admission, self._vault, self._clock = admission, vault, clock
        self._running, self._known_project = running, known_project
        self._files, self._store = running.files, running.shelf.store

    def methods(self) -> Mapping[type[Action[Any]], Method]:
        return {
            RunPython: self.run_python,
            RunShell: self.run_shell,
            WriteWorkspace: self.write_workspace,
            ReadWorkspace: self.read_workspace,
            Plot: self.plot,
            DeleteArtifact: self.delete_artifact,
            PinArtifact: self.pin_artifact,
            KeepArtifactInFiles: self.keep_artifact_in_files,
            SetArtifactRule: self.set_artifact_rule,
            ChooseBackend: self.choose_backend,
            EndSession: self.end_session,
            Sweep: self.sweep,
        }

    async def run_python(self, permit: Permit, action: RunPython) -> Ran:
        self._admission.admit(permit, action)
        return await self._running.python(permit, action)

    async def run_shell(self, permit: Permit, action: RunShell) -> Ran:
        self._admission.admit(permit, action)
        return await self._running.shell(permit, action)

    async def write_workspace(self, permit: Permit, action: WriteWorkspace) -> WorkspaceWritten:
        self._admission.admit(permit, action)
        return await self._running.write(permit, action)

    async def read_workspace(self, permit: Permit, action: ReadWorkspace) -> WorkspaceText:
        self._admission.admit(permit, action)
        return await self._running.read(permit, action)

    async def plot(self, permit: Permit, action: Plot) -> Plotted:
        self._admission.admit(permit, action)
        return await self._running.plot(permit, action)

    async def delete_artifact(self, permit: Permit, action: DeleteArtifact, session: WriteSession) -> ArtifactGone:
        self._admission.admit(permit, action)
        who = action.principal
        row = await ending.found(session, who.org, action.artifact, who.person)
        await ending.end(session, row, cause="deleted", at=self._clock.now(), decision=permit.decision)
        return ArtifactGone(artifact=row.id)

    async def pin_artifact(self, permit: Permit, action: PinArtifact, session: WriteSession) -> ArtifactPinned:
        self._admission.admit(permit, action)
        who = action.principal
        row = await ending.present(session, who.org, action.artifact, who.person, now=self._clock.now())
        row.pinned, row.decision_id = action.pinned, permit.decision
        await session.flush()
        return ArtifactPinned(artifact=row.id, pinned=row.pinned, expires_at=row.expires_at)

    async def keep_artifact_in_files(
        self, permit: Permit, action: KeepArtifactInFiles, session: WriteSession
    ) -> KeptInFiles:
        self._admission.admit(permit, action)
        who = action.principal
        row = await ending.present(session, who.org, action.artifact, who.person, now=self._clock.now())
        if row.blob_id is None or row.project_id != action.project:
            raise NotFound("artifact")
        keyring = await self._vault.keyring(session, who.org)
        stored = await asyncio.to_thread(self._store.get, who.org, row.blob_id)
        content = await asyncio.to_thread(opened, keyring, row.blob_id, stored)
        label = _labels.label_of(row)
        kept = await self._files.keep(session, permit, action, action.file_name, content, label)
        return KeptInFiles(artifact=row.id, file=kept.file, name=kept.name, version=kept.version)

    async def set_artifact_rule(
        self, permit: Permit, action: SetArtifactRule, session: WriteSession
    ) -> ArtifactRuleSet:
        self._admission.admit(permit, action)
        return ArtifactRuleSet(hours=await rules.set_rule(session, permit, action.hours, clock=self._clock))

    async def choose_backend(self, permit: Permit, action: ChooseBackend, session: WriteSession) -> BackendChosen:
        self._admission.admit(permit, action)
        backends = self._running.sessions.backends
        await choosing.choose(session, permit, action.backend, backends=backends, now=self._clock.now())
        chosen = action.backend or backends.usual
        return BackendChosen(backend=chosen, boundary=backends.kinds[chosen].boundary.value)

    async def end_session(self, permit: Permit, action: EndSession, session: WriteSession) -> SessionEnded:
        self._admission.admit(permit, action)
        row = await lapsing.found(session, action.principal.org, action.session)
        if row is None or not _labels.may_read(row, action.principal.person):
            raise NotFound("session")
        lapsing.end(row, cause="asked", at=self._clock.now(), decision=permit.decision)
        return SessionEnded(session=row.id)

    async def sweep(self, permit: Permit, action: Sweep, session: WriteSession) -> Swept:
        self._admission.admit(permit, action)
        org, now, decision = action.principal.org, self._clock.now(), permit.decision
        expired = await ending.end_due(session, org, now=now, decision=decision)
        orphaned = await ending.end_with_projects(session, org, self._known_project, now=now, decision=decision)
        blobs = await ending.forget_bytes(session, org, self._store, now=now, decision=decision)
        over = await lapsing.end_due(session, org, now=now, decision=decision)
        await ending.forget_traces(session, org, now=now)
        more = max(expired, orphaned, blobs, over) >= ending.AT_ONCE
        return Swept(artifacts=expired + orphaned, blobs=blobs, sessions=over, more=more)
