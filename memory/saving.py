"""Saves bytes that another room already has as a file of a project, within that room's own action.

The action's decision and journal rows cover it; what it may be called and how large it may be is settled here.
"""

from datetime import datetime
from typing import Any

from joule.database.engine import WriteSession
from joule.kernel.action import Action
from joule.kernel.errors import NotFound
from joule.kernel.label import Label
from joule.kernel.permit import Permit
from joule.vault.keys import Keyring
from memory import _labels, queries
from memory._files import Shelf
from memory.masking import People, nobody, screen_of
from memory.results import FileSaved


async def save(
    session: WriteSession,
    keyring: Keyring,
    permit: Permit,
    action: Action[Any],
    *,
    name: str,
    content: bytes,
    label: Label,
    now: datetime,
    max_bytes: int,
    people: People = nobody,
) -> FileSaved:
    """The newest version of the file called `name` in the action's project now has this content and this label.

    What the organisation has covered in its texts is covered in it; `people` names its own people.
    """
    org, project = action.principal.org, action.project
    if project is None or not await queries.is_project(session, org, project, stays=True):
        raise NotFound("project")
    shelf = Shelf(
        session=session,
        keyring=keyring,
        permit=permit,
        principal=action.principal,
        project=project,
        now=now,
        max_bytes=max_bytes,
        screen=await screen_of(session, org, people),
    )
    return await shelf.save(name, content, lambda file: _labels.of_text(label, file))
