"""What an organisation's pages about its record and its walls are about: access, a hold, a receipt, a what-if, a host."""

from uuid import UUID

from joule.assembly import House
from joule.identity.actions import InvitePerson
from joule.kernel.ids import PersonId, TaskId
from joule.kernel.principal import Principal, Role, Via
from joule.privacy.actions import ErasePerson, PlaceHold
from joule.replay.actions import BeginWhatIf
from sandbox.egress.actions import ListOutsideHost
from traces.ending.holds import Scope
from traces.grants.actions import GrantAccess, ReadContent, RequestAccess
from traces.grants.parts import Part


async def fill(house: House, owner: Principal, *, mark: str, task: TaskId) -> dict[str, UUID]:
    """One of each, by the name under which the pages ask for it. `mark` is the words of all of it."""
    perform = house.commands.perform
    who = Principal(org=owner.org, person=await _support(house, owner, mark), role=Role.SUPPORT, via=Via.PERSON)
    asked = await perform(RequestAccess(principal=who, task=task, parts=(Part.REQUEST,), reason=mark))
    await perform(GrantAccess(principal=owner, access=asked.access))
    await perform(ReadContent(principal=who, task=task))
    what_if = await perform(BeginWhatIf(principal=owner, days=1))
    gone = await perform(ErasePerson(principal=owner, person=await _support(house, owner, f"gone-{mark}")))
    hold = await perform(PlaceHold(principal=owner, scope=Scope.TASK, subject=task, reason=mark))
    host = (await perform(ListOutsideHost(principal=owner, host=f"{mark}.example.com"))).host
    return {
        "access": asked.access,
        "what_if": what_if.what_if,
        "receipt": gone.receipt,
        "hold": hold.hold,
        "host": host,
    }


async def _support(house: House, owner: Principal, mark: str) -> PersonId:
    made = await house.commands.perform(
        InvitePerson(principal=owner, person_name=mark, email=f"{mark}@support.invalid", role=Role.SUPPORT)
    )
    return made.person
