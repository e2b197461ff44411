"""The rows of this room. Equal to migration 0004; a test compares them.

Names and addresses are sealed under the organisation's key; tokens and addresses are found again by their hashes.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

# The fields a sealed value is bound to.
NAME, EMAIL, ORGANISATION = "person.name", "person.email", "organisation.name"


def _time(*, nullable: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


def _word() -> Column[str]:
    return Column(Text, nullable=False)


def _sealed() -> Column[bytes]:
    return Column(LargeBinary, nullable=False)


def _of_person() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["org_id", "person_id"], ["person.org_id", "person.id"], ondelete="CASCADE")


class OrganisationRow(SQLModel, table=True):
    """One customer. `name` is sealed (row = org_id, field `organisation.name`)."""

    __tablename__ = "organisation"
    __table_args__ = (
        {
            "info": {
                "keeping": Keeping(
                    holds="user.workplace",
                    owner=Owner.ORGANISATION,
                    ends=Ends.WITH_OWNER,
                    eraser="privacy.erase_organisation",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    name: bytes = Field(sa_column=_sealed())
    created_at: datetime = Field(sa_column=_time())
    decision_id: UUID


class PersonRow(SQLModel, table=True):
    """One person of one organisation. `name` and `email` are sealed (fields `person.name`, `person.email`)."""

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'member', 'support')", name="person_role"),
        CheckConstraint("status IN ('active', 'invited', 'deactivated')", name="person_status"),
        CheckConstraint(
            "status <> 'deactivated' OR (password_hash IS NULL AND deactivated_at IS NOT NULL)",
            name="person_gone_cannot_sign_in",
        ),
        {
            "info": {
                "keeping": Keeping(
                    holds="user.account",
                    owner=Owner.ORGANISATION,
                    ends=Ends.WITH_OWNER,
                    eraser="privacy.erase_person",
                )
            }
        },
    )

    org_id: UUID = Field(sa_column=Column(ForeignKey("organisation.org_id", ondelete="CASCADE"), primary_key=True))
    id: UUID = Field(primary_key=True)
    name: bytes = Field(sa_column=_sealed())
    email: bytes = Field(sa_column=_sealed())
    role: str = Field(sa_column=_word())
    status: str = Field(sa_column=_word())
    password_hash: str | None = Field(default=None, sa_column=Column(Text), repr=False)
    created_at: datetime = Field(sa_column=_time())
    deactivated_at: datetime | None = Field(default=None, sa_column=_time(nullable=True))
    decision_id: UUID


class PersonAddressRow(SQLModel, table=True):
    """By which address a person signs in: its keyed hash, so that a list of addresses cannot be tried against it."""

    __tablename__ = "person_address"
    __table_args__ = (
        CheckConstraint("octet_length(address_key) = 32", name="person_address_key"),
        UniqueConstraint("org_id", "person_id", name="person_address_one_each"),
        Index("person_address_lookup", "address_key"),
        _of_person(),
        {
            "info": {
                "keeping": Keeping(
                    holds="user.contact.email",
                    owner=Owner.PERSON,
                    ends=Ends.WITH_OWNER,
                    eraser="identity.deactivate_person",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    address_key: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    person_id: UUID
    with_password: bool
    decision_id: UUID


class WebSessionRow(SQLModel, table=True):
    """One signed-in browser. The token itself is with the browser alone."""

    __tablename__ = "web_session"
    __table_args__ = (
        CheckConstraint("octet_length(token_key) = 32", name="web_session_token_key"),
        CheckConstraint("opened_by IN ('link', 'password')", name="web_session_opened_by"),
        CheckConstraint(
            "agent IN ('chrome', 'edge', 'firefox', 'safari', 'command_line', 'other')", name="web_session_agent"
        ),
        UniqueConstraint("org_id", "token_key", name="web_session_token"),
        Index("web_session_person", "org_id", "person_id"),
        _of_person(),
        {
            "info": {
                "keeping": Keeping(
                    holds="user.device", owner=Owner.PERSON, ends=Ends.BY_DATE, eraser="identity.forget_ended"
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    token_key: bytes = Field(sa_column=_sealed(), repr=False)
    person_id: UUID
    opened_by: str = Field(sa_column=_word())
    agent: str = Field(sa_column=_word())
    created_at: datetime = Field(sa_column=_time())
    last_seen_at: datetime = Field(sa_column=_time())
    expires_at: datetime = Field(sa_column=_time())
    revoked_at: datetime | None = Field(default=None, sa_column=_time(nullable=True))
    decision_id: UUID


class SignInLinkRow(SQLModel, table=True):
    """One link that signs one person in once."""

    __tablename__ = "sign_in_link"
    __table_args__ = (
        CheckConstraint("octet_length(token_key) = 32", name="sign_in_link_token_key"),
        UniqueConstraint("org_id", "token_key", name="sign_in_link_token"),
        Index("sign_in_link_person", "org_id", "person_id"),
        _of_person(),
        {
            "info": {
                "keeping": Keeping(
                    holds="user.authorization", owner=Owner.PERSON, ends=Ends.BY_DATE, eraser="identity.forget_ended"
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    token_key: bytes = Field(sa_column=_sealed(), repr=False)
    person_id: UUID
    created_at: datetime = Field(sa_column=_time())
    expires_at: datetime = Field(sa_column=_time())
    used_at: datetime | None = Field(default=None, sa_column=_time(nullable=True))
    decision_id: UUID


class SignInTryRow(SQLModel, table=True):
    """One try at a password. Stands under the deployment's own organisation: an address may belong to none."""

    __tablename__ = "sign_in_try"
    __table_args__ = (
        CheckConstraint("octet_length(address_key) = 32", name="sign_in_try_key"),
        Index("sign_in_try_address", "org_id", "address_key", "tried_at"),
        {
            "info": {
                "keeping": Keeping(
                    holds="user.behavior.security",
                    owner=Owner.NOBODY,
                    ends=Ends.BY_DATE,
                    eraser="identity.sign_in_with_password",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    address_key: bytes = Field(sa_column=_sealed())
    tried_at: datetime = Field(sa_column=_time())
    decision_id: UUID
