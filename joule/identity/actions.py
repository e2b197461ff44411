"""All that can be done to organisations, people and their sessions.

A secret (password, link, session token) is a `Secret`: it has no clear text in a repr, in JSON, in the journal or in
the commitment over the arguments. A keyed hash of a password in the journal would be a second, faster way to guess it
than argon2id, so the commitment binds that a secret was given, not which.

People act under their own principal. Signing in runs as `Principal(org=…, person=None, role=ANONYMOUS, via=PERSON)`;
`joule.identity.tokens.organisation_of` and `joule.identity.addresses.Addresses.organisation_of` tell the organisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import SecretStr

from joule.kernel.action import Action, Effect, content
from joule.kernel.ids import OrgId, PersonId
from joule.kernel.label import Purpose
from joule.kernel.principal import Role


class Secret(SecretStr):
    """Text nobody may read by accident: shown, dumped and journalled as stars."""

    def __len__(self) -> int:
        return 10  # the stars; how long a password is, is a secret too


class AgentFamily(StrEnum):
    """What kind of program holds a session, as its owner would recognise it. Never the header itself."""

    CHROME = "chrome"
    EDGE = "edge"
    FIREFOX = "firefox"
    SAFARI = "safari"
    COMMAND_LINE = "command_line"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Founded:
    """A new organisation and its first owner, who has yet to sign in."""

    org: OrgId
    person: PersonId


@dataclass(frozen=True, kw_only=True)
class SignInLink:
    """A token that signs one person in once. `token` is told here and never again."""

    token: Secret
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Invited:
    """A person who may now sign in by their link."""

    person: PersonId
    token: Secret
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A fresh session. `token` is the cookie's value, told here and never again."""

    token: Secret
    session: UUID
    person: PersonId
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class SessionsEnded:
    """How many sessions stopped working with this."""

    count: int


@dataclass(frozen=True, kw_only=True)
class PersonChanged:
    """A person is now as asked, and this many of their sessions stopped working."""

    person: PersonId
    sessions_ended: int = 0


@dataclass(frozen=True, kw_only=True)
class OrganisationChanged:
    """The organisation is now as asked."""

    org: OrgId


@dataclass(frozen=True, kw_only=True)
class FoundOrganisation(Action[Founded]):
    """Make the organisation of the principal, which must not exist yet, and its first owner. System only."""

    name: ClassVar[str] = "identity.found_organisation"
    effect: ClassVar[Effect] = Effect.ACCESS

    organisation_name: str
    owner_name: str = content()
    owner_email: str = content()

    def relevant(self) -> dict[str, str]:
        return {"owner_email": self.owner_email}


@dataclass(frozen=True, kw_only=True)
class IssueSignInLink(Action[SignInLink]):
    """Make a link that signs `person` in once: for 60 minutes from the command line, for 15 from a colleague."""

    name: ClassVar[str] = "identity.issue_sign_in_link"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    person: PersonId

    def relevant(self) -> dict[str, str]:
        return {"person": str(self.person)}


@dataclass(frozen=True, kw_only=True)
class SignInWithLink(Action[SignedIn]):
    """Use up a link for a fresh session. `replaces` is the session the browser brought along; it ends."""

    name: ClassVar[str] = "identity.sign_in_with_link"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    token: Secret = content()  # noqa: RUF009 - a field
    agent: AgentFamily = AgentFamily.OTHER
    replaces: UUID | None = None

    def measures(self, result: SignedIn) -> Mapping[str, int | str]:
        return {"person": str(result.person)}


@dataclass(frozen=True, kw_only=True)
class SignInWithPassword(Action[SignedIn]):
    """Trade an address and its password for a fresh session. `replaces` is as for links."""

    name: ClassVar[str] = "identity.sign_in_with_password"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    email: str = content()
    password: Secret = content()  # noqa: RUF009 - a field
    agent: AgentFamily = AgentFamily.OTHER
    replaces: UUID | None = None

    def measures(self, result: SignedIn) -> Mapping[str, int | str]:
        return {"person": str(result.person)}


@dataclass(frozen=True, kw_only=True)
class SignOut(Action[SessionsEnded]):
    """End the session this browser holds. Signing out twice is no error."""

    name: ClassVar[str] = "identity.sign_out"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    session: UUID


@dataclass(frozen=True, kw_only=True)
class EndSession(Action[SessionsEnded]):
    """End one session: one's own, or that of somebody one governs."""

    name: ClassVar[str] = "identity.end_session"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    session: UUID

    def relevant(self) -> dict[str, str]:
        return {"session": str(self.session)}


@dataclass(frozen=True, kw_only=True)
class EndAllSessions(Action[SessionsEnded]):
    """Somebody's credentials are in wrong hands: end all their sessions, links and their password."""

    name: ClassVar[str] = "identity.end_all_sessions"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    person: PersonId

    def relevant(self) -> dict[str, str]:
        return {"person": str(self.person)}


@dataclass(frozen=True, kw_only=True)
class SetPassword(Action[PersonChanged]):
    """Choose one's own password. Every other session ends; `keep` is the one that stays.

    Whoever has a password already gives it as `current`, unless `keep` was opened by a link in the last 15 minutes.
    """

    name: ClassVar[str] = "identity.set_password"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    password: Secret = content()  # noqa: RUF009 - a field
    current: Secret | None = None
    keep: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class InvitePerson(Action[Invited]):
    """Add a person to the organisation and make the link they sign in by, good for three days."""

    name: ClassVar[str] = "identity.invite_person"
    effect: ClassVar[Effect] = Effect.ACCESS

    person_name: str = content()
    email: str = content()
    role: Role

    def relevant(self) -> dict[str, str]:
        return {"email": self.email, "role": self.role.value}


@dataclass(frozen=True, kw_only=True)
class ChangeRole(Action[PersonChanged]):
    """Give a person another role. Their sessions end, so that no page outlives the role it was opened in."""

    name: ClassVar[str] = "identity.change_role"
    effect: ClassVar[Effect] = Effect.ACCESS

    person: PersonId
    role: Role

    def relevant(self) -> dict[str, str]:
        return {"person": str(self.person), "role": self.role.value}


@dataclass(frozen=True, kw_only=True)
class DeactivatePerson(Action[PersonChanged]):
    """Shut a person out: sessions, links, password and address go at once. Their name stays on what they did."""

    name: ClassVar[str] = "identity.deactivate_person"
    effect: ClassVar[Effect] = Effect.ACCESS

    person: PersonId

    def relevant(self) -> dict[str, str]:
        return {"person": str(self.person)}


@dataclass(frozen=True, kw_only=True)
class RenamePerson(Action[PersonChanged]):
    """Change one's own name."""

    name: ClassVar[str] = "identity.rename_person"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True

    person_name: str = content()


@dataclass(frozen=True, kw_only=True)
class ChangeAddress(Action[PersonChanged]):
    """Change the e-mail address one signs in by, under the same proof as a new password. Every other session ends."""

    name: ClassVar[str] = "identity.change_address"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    email: str = content()
    current: Secret | None = None
    keep: UUID | None = None

    def relevant(self) -> dict[str, str]:
        return {"email": self.email}


@dataclass(frozen=True, kw_only=True)
class RenameOrganisation(Action[OrganisationChanged]):
    """Change the organisation's name."""

    name: ClassVar[str] = "identity.rename_organisation"
    effect: ClassVar[Effect] = Effect.WRITE
    idempotent: ClassVar[bool] = True

    organisation_name: str
