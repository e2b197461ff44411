"""What errors say of wishes that cannot be met, each of which carries a planted string."""

import traceback
from typing import Any

from integrations.actions import FinishConnection, ReadFromProvider, SetProviderClient
from integrations.results import Secret as AccountSecret
from joule.bench._planted import Planted
from joule.governance.commands import Commands
from joule.identity.actions import InvitePerson, Secret, SetPassword
from joule.kernel.action import Action
from joule.kernel.errors import Unavailable
from joule.kernel.ids import ProjectId, new_id
from joule.kernel.principal import Principal, Role
from joule.tasks.actions import StartTask
from memory.actions import CreateProject, EditFile, Remember, UploadFile


async def raised(commands: Commands, owner: Principal, planted: Planted) -> list[tuple[str, str]]:
    """What each wish failed with: its action, and all that the error says of itself."""
    project, word = ProjectId(new_id()), planted.word
    member = Principal(org=owner.org, person=owner.person, role=Role.SUPPORT, via=owner.via)
    wishes: tuple[Action[Any], ...] = (
        StartTask(principal=owner, project=project, text=word("message to no project")),
        StartTask(principal=member, project=project, text=word("message that is refused")),
        Remember(principal=owner, project=project, text=word("item of no project")),
        UploadFile(
            principal=owner, project=project, file_name=word("file of no project"), content=word("its body").encode()
        ),
        EditFile(
            principal=owner, project=project, file_name=word("edited file"), find=word("find"), replace=word("replace")
        ),
        CreateProject(principal=owner, title=word("long title") * 20),
        InvitePerson(principal=owner, person_name="X", email=word("no address"), role=Role.MEMBER),
        SetPassword(principal=owner, password=Secret(word("new password")), current=Secret(word("wrong current"))),
        FinishConnection(
            principal=owner,
            provider="demo_crm",
            session=new_id(),
            state=AccountSecret(planted.secret("state of an error")),
            code=AccountSecret(planted.secret("code of an error")),
        ),
        SetProviderClient(
            principal=owner,
            provider="hubspot",
            client_id="ours",
            client_secret=AccountSecret(planted.secret("client secret with a line break") + "\n"),
        ),
        ReadFromProvider(
            principal=owner,
            connection=new_id(),
            provider="demo_crm",
            operation="read_contacts",
            inputs=word("arguments of no account"),
        ),
    )
    said = []
    for wish in wishes:
        try:
            await commands.perform(wish)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
            said.append((wish.name, f"{error}\n{error!r}\n{''.join(traceback.format_exception(error))}"))
    if len(said) != len(wishes):
        raise Unavailable("an error that was expected")
    return said
