"""What an organisation has on hold and has erased, so that others can be seen not to reach it."""

from joule.assembly import House
from joule.kernel.ids import PersonId, ProjectId
from joule.kernel.principal import Principal
from joule.privacy.actions import EraseTask, LiftHold, PlaceHold
from joule.tasks.actions import StartTask
from traces.ending.holds import Scope


async def fill(house: House, owner: Principal, project: ProjectId, member: PersonId, *, mark: str) -> dict[str, str]:
    """A hold that was lifted, a receipt, and whom they are about. Raises what the house raises."""
    perform = house.commands.perform
    place = PlaceHold(principal=owner, scope=Scope.PERSON, subject=member, reason=mark)
    hold = (await perform(place)).hold
    await perform(LiftHold(principal=owner, hold=hold))
    started = await perform(StartTask(principal=owner, project=project, text=f"To be erased {mark}"))
    erased = await perform(EraseTask(principal=owner, task=started.task))
    return {"hold": str(hold), "receipt": str(erased.receipt), "who": str(member)}
