"""The rows of this room. Equal to migrations 0013 and 0019; a test compares them.

Sealed under the organisation's key are names (`artifact.name`, `sandbox_session.files`, `outside_host.name`) and what is
attached to requests (`outside_host.header`, `.secret`); the bytes of artifacts are sealed in the artifact store, not here. In clear stand ids, numbers, times, words from closed lists and keyed hashes.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.types import BigInteger, Uuid
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner

_TIME: Any = DateTime(timezone=True)
_WORDS: Any = ARRAY(Text)
_IDS: Any = ARRAY(Uuid)


def _time(*, optional: bool = False) -> Any:
    more: Any = {"default": None, "nullable": True} if optional else {}
    return Field(sa_type=_TIME, **more)


def _one_of(column: str, *words: str) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def _label_checks(table: str) -> tuple[CheckConstraint, ...]:
    """Labels hold words and ids only: no place for free text."""
    return (
        CheckConstraint(_one_of("integrity", "trusted", "untrusted"), name=f"{table}_integrity"),
        CheckConstraint(_one_of("training", "denied", "allowed"), name=f"{table}_training"),
        CheckConstraint("array_to_string(categories, ' ') ~ '^[a-z_. ]*$'", name=f"{table}_categories"),
        CheckConstraint("array_to_string(purposes, ' ') ~ '^[a-z_. ]*$'", name=f"{table}_purposes"),
        CheckConstraint(
            "array_to_string(sources, ' ') ~ '^([a-z_]+:[A-Za-z0-9._/-]{1,80}( |$))*$'", name=f"{table}_sources"
        ),
    )


def _keeping(*, holds: str, eraser: str) -> dict[str, Any]:
    return {"info": {"keeping": Keeping(holds=holds, owner=Owner.PROJECT, ends=Ends.BY_DATE, eraser=eraser)}}


def _of_organisation(eraser: str) -> dict[str, Any]:
    return {
        "info": {
            "keeping": Keeping(holds="system.operations", owner=Owner.ORGANISATION, ends=Ends.WITH_OWNER, eraser=eraser)
        }
    }


class LabelColumns(SQLModel):
    """The label of a value."""

    integrity: str = Field(sa_type=Text)
    training: str = Field(sa_type=Text)
    readers: list[UUID] | None = Field(default=None, sa_type=_IDS, nullable=True)
    categories: list[str] = Field(sa_type=_WORDS)
    purposes: list[str] = Field(sa_type=_WORDS)
    sources: list[str] = Field(sa_type=_WORDS)


class SandboxSessionRow(LabelColumns, table=True):
    """A sandbox that was made for a thread: while it is warm, and that it was there.

    `sandbox` is the backend's id of it, `files` the sealed names of the project's files that were put in. The label is
    the join of all that went in.
    """

    __tablename__ = "sandbox_session"
    __table_args__ = (
        CheckConstraint("backend ~ '^[a-z][a-z0-9_]{0,40}$'", name="sandbox_session_backend"),
        CheckConstraint(_one_of("boundary", "namespace", "gvisor", "microvm"), name="sandbox_session_boundary"),
        CheckConstraint("sandbox ~ '^[A-Za-z0-9._-]{1,100}$'", name="sandbox_session_sandbox"),
        CheckConstraint(_one_of("state", "warm", "ended"), name="sandbox_session_state"),
        CheckConstraint(_one_of("cause", "expired", "gone", "broken", "asked"), name="sandbox_session_cause"),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="sandbox_session_ended"),
        *_label_checks("sandbox_session"),
        Index(
            "sandbox_session_one_warm",
            "org_id",
            "thread_id",
            unique=True,
            postgresql_where=sql("state = 'warm'"),
        ),
        _keeping(holds="workspace.sandbox", eraser="sandbox.sweep"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    project_id: UUID
    thread_id: UUID
    backend: str = Field(sa_type=Text)
    boundary: str = Field(sa_type=Text)
    sandbox: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    cause: str | None = Field(default=None, sa_type=Text, nullable=True)
    files: bytes = Field(sa_type=BYTEA)
    generation: int = 0
    runs: int = 0
    created_at: datetime = _time()
    used_at: datetime = _time()
    expires_at: datetime = _time()
    ended_at: datetime | None = _time(optional=True)
    source_task: UUID
    decision_id: UUID


class ArtifactBlobRow(SQLModel, table=True):
    """Some bytes in the artifact store. `content_key` is a keyed hash of them: the same content is kept once.

    `staged` before they are known to be stored whole, `kept` while artifacts have them, `doomed` once nothing may use
    them again: then the store forgets them, and then the row goes.
    """

    __tablename__ = "artifact_blob"
    __table_args__ = (
        CheckConstraint("octet_length(content_key) = 32", name="artifact_blob_content_key"),
        CheckConstraint("size >= 0", name="artifact_blob_size"),
        CheckConstraint(_one_of("state", "staged", "kept", "doomed"), name="artifact_blob_state"),
        Index(
            "artifact_blob_once",
            "org_id",
            "content_key",
            unique=True,
            postgresql_where=sql("state = 'kept'"),
        ),
        {
            "info": {
                "keeping": Keeping(
                    holds="workspace.artifact", owner=Owner.ORGANISATION, ends=Ends.BY_DATE, eraser="sandbox.sweep"
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    content_key: bytes = Field(sa_type=BYTEA)
    size: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    changed_at: datetime = _time()
    decision_id: UUID


class ArtifactRow(LabelColumns, table=True):
    """A file that came out of a sandbox. `name` is sealed (field `artifact.name`); it and the bytes go when it ends.

    What stays for a while is that it was there: its size, kind, times and why it ended.
    """

    __tablename__ = "artifact"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "blob_id"], ["artifact_blob.org_id", "artifact_blob.id"], name="artifact_artifact_blob"
        ),
        CheckConstraint("size >= 0", name="artifact_size"),
        CheckConstraint("media_type ~ '^[a-z0-9][a-z0-9.+/-]{0,100}$'", name="artifact_media_type"),
        CheckConstraint(_one_of("cause", "expired", "deleted", "project"), name="artifact_cause"),
        CheckConstraint("(gone_at IS NULL) = (name IS NOT NULL)", name="artifact_gone_has_no_name"),
        CheckConstraint("(gone_at IS NULL) = (blob_id IS NOT NULL)", name="artifact_gone_has_no_bytes"),
        CheckConstraint("(gone_at IS NULL) = (cause IS NULL)", name="artifact_gone_has_a_cause"),
        *_label_checks("artifact"),
        Index("artifact_by_blob", "org_id", "blob_id"),
        Index("artifact_by_project", "org_id", "project_id"),
        Index("artifact_by_task", "org_id", "source_task"),
        Index("artifact_ends", "org_id", "expires_at", postgresql_where=sql("gone_at IS NULL AND NOT pinned")),
        _keeping(holds="workspace.artifact", eraser="sandbox.sweep"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    project_id: UUID
    thread_id: UUID
    session_id: UUID | None = Field(default=None, nullable=True)
    author: UUID | None = Field(default=None, nullable=True)
    name: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    generation: int = 0
    blob_id: UUID | None = Field(default=None, nullable=True)
    size: int = Field(sa_type=BigInteger)
    media_type: str = Field(sa_type=Text)
    pinned: bool = False
    created_at: datetime = _time()
    expires_at: datetime = _time()
    gone_at: datetime | None = _time(optional=True)
    cause: str | None = Field(default=None, sa_type=Text, nullable=True)
    source_task: UUID
    decision_id: UUID


class ArtifactRuleRow(SQLModel, table=True):
    """How long what comes out of sandboxes is kept in an organisation; without a row, as long as the operator set."""

    __tablename__ = "artifact_rule"
    __table_args__ = (
        CheckConstraint("hours BETWEEN 1 AND 2160", name="artifact_rule_hours"),
        _of_organisation("privacy.erase_organisation"),
    )

    org_id: UUID = Field(primary_key=True)
    hours: int
    set_by: UUID | None = Field(default=None, nullable=True)
    updated_at: datetime = _time()
    decision_id: UUID


class SandboxChoiceRow(SQLModel, table=True):
    """Which kind of sandbox an organisation's code runs in; without a row, the one the operator set."""

    __tablename__ = "sandbox_choice"
    __table_args__ = (
        CheckConstraint("backend ~ '^[a-z][a-z0-9_]{0,40}$'", name="sandbox_choice_backend"),
        _of_organisation("sandbox.choose_backend"),
    )

    org_id: UUID = Field(primary_key=True)
    backend: str = Field(sa_type=Text)
    set_by: UUID | None = Field(default=None, nullable=True)
    updated_at: datetime = _time()
    decision_id: UUID


class OutsideHostRow(SQLModel, table=True):
    """A host that code in this organisation's sandboxes may reach, through the proxy alone.

    `name` is sealed, `name_key` a keyed hash of name and port. `header` and `secret` are what the proxy attaches to
    each request, if anything: sealed, and never in a sandbox.
    """

    __tablename__ = "outside_host"
    __table_args__ = (
        CheckConstraint("octet_length(name_key) = 32", name="outside_host_name_key"),
        CheckConstraint("port BETWEEN 1 AND 65535", name="outside_host_port"),
        CheckConstraint("(header IS NULL) = (secret IS NULL)", name="outside_host_secret"),
        Index("outside_host_once", "org_id", "name_key", unique=True),
        _of_organisation("sandbox.remove_outside_host"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: bytes = Field(sa_type=BYTEA)
    name_key: bytes = Field(sa_type=BYTEA)
    port: int
    header: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    secret: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    generation: int = 0
    added_by: UUID | None = Field(default=None, nullable=True)
    added_at: datetime = _time()
    decision_id: UUID
