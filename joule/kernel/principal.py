"""On whose behalf something happens.

The principal rides in the action, never in ambient state, so that what is decided and what is done
cannot be about two different people.
"""

from dataclasses import dataclass
from enum import StrEnum

from joule.kernel.ids import OrgId, PersonId


class Role(StrEnum):
    """What a person is in their organisation. `anonymous` may only sign in; `system` is Joule's own upkeep."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    SUPPORT = "support"
    ANONYMOUS = "anonymous"
    SYSTEM = "system"


class Via(StrEnum):
    """Whose hand it is: the person's own, the agent's on their behalf, or the system's."""

    PERSON = "person"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True)
class Principal:
    """One actor in one organisation."""

    org: OrgId
    person: PersonId | None
    role: Role
    via: Via

    def as_agent(self) -> "Principal":
        """The same person, acting through the agent: never more than they may do, often less."""
        return Principal(org=self.org, person=self.person, role=self.role, via=Via.AGENT)
