"""How this room gets files of a project, and puts some back: the room that keeps them is handed in by the assembly."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.ids import FileId, OrgId, PersonId, ProjectId
from joule.kernel.label import Label
from joule.kernel.permit import Permit


@dataclass(frozen=True, kw_only=True)
class Granted:
    """One file of a project as somebody may read it."""

    name: str
    version: int
    content: bytes = field(repr=False)
    label: Label


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A file of a project, as it was just saved."""

    file: FileId
    name: str
    version: int


class ProjectFiles(Protocol):
    """The files of projects."""

    async def granted(
        self, org: OrgId, project: ProjectId, reader: PersonId | None, names: Sequence[str], *, missing_ok: bool
    ) -> tuple[Granted, ...]:
        """The newest versions of the files of these names, as far as `reader` may read them.

        Raises `NotFound` for one that is not there, unless `missing_ok`.
        """
        ...

    async def keep(
        self, session: WriteSession, permit: Permit, action: Action[Any], name: str, content: bytes, label: Label
    ) -> KeptFile:
        """Save a file of the action's project within the transaction. Raises what saving a file raises."""
        ...
