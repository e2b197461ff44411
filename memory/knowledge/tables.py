"""The rows of the knowledge base. Equal to migration 0011; a test compares them.

Sealed under the organisation's key: a document's title, a version's bytes, whole text and outline, a piece's headings
and text. In clear stand ids, numbers, times, words of ours and keyed hashes, and the vectors, which an index must
compare. `chunk_words.words` holds keyed hashes of stems, so that it can be searched without a word in it.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, TSVECTOR
from sqlmodel import Field, SQLModel

from joule.database.keeping import Ends, Keeping, Owner
from memory.kinds import MediaType
from memory.knowledge.halfvec import HalfVector
from memory.knowledge.states import DocumentState, SourceKind
from memory.tables import LabelColumns, label_checks, one_of

DIMENSIONS = 384

_TIME: Any = DateTime(timezone=True)
_WORDS: Any = ARRAY(Text)
_CODE = "^[a-z_.]{1,60}$"
_MODEL = "^[A-Za-z0-9._@/-]{1,120}$"
_UNDER_WAY = "state IN ('queued', 'reading', 'indexing')"


def _keeping(eraser: str = "memory.delete_document", owner: Owner = Owner.PROJECT) -> dict[str, Any]:
    return {"info": {"keeping": Keeping(holds="workspace.knowledge", owner=owner, ends=Ends.WITH_OWNER, eraser=eraser)}}


class DocumentRow(LabelColumns, table=True):
    """One document. `title` is sealed (field `document.title`, at `generation`); `title_key` finds it again.

    `version` is the one that is searched, 0 before there is any; `newest` the last that was given. `build` is the
    index being made, None while none is; whoever makes it holds it until `lease_until`.
    """

    __tablename__ = "document"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "project_id"], ["project.org_id", "project.id"], ondelete="CASCADE", name="document_project"
        ),
        CheckConstraint(one_of("source_kind", *SourceKind), name="document_source_kind"),
        CheckConstraint("(source_kind = 'connection') = (connection_id IS NOT NULL)", name="document_external"),
        CheckConstraint(one_of("state", *DocumentState), name="document_state"),
        CheckConstraint(f"failure ~ '{_CODE}'", name="document_failure"),
        CheckConstraint("newest >= 1 AND version BETWEEN 0 AND newest", name="document_versions"),
        CheckConstraint("octet_length(title_key) = 32", name="document_title_key"),
        CheckConstraint("octet_length(external_key) = 32", name="document_external_key"),
        UniqueConstraint("org_id", "project_id", "title_key", name="document_one_of_each_title"),
        *label_checks("document"),
        Index(
            "document_one_of_each_external",
            "org_id",
            "project_id",
            "external_key",
            unique=True,
            postgresql_where=sql("external_key IS NOT NULL"),
        ),
        Index("document_due", "org_id", "lease_until", postgresql_where=sql(_UNDER_WAY)),
        _keeping(),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    project_id: UUID
    title: bytes = Field(sa_type=BYTEA)
    title_key: bytes = Field(sa_type=BYTEA)
    generation: int = 0
    source_kind: str = Field(sa_type=Text)
    connection_id: UUID | None = Field(default=None, nullable=True)
    external_key: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    state: str = Field(sa_type=Text)
    failure: str | None = Field(default=None, sa_type=Text, nullable=True)
    version: int = 0
    newest: int = 1
    build: UUID | None = Field(default=None, nullable=True)
    lease_until: datetime | None = Field(default=None, sa_type=_TIME, nullable=True)
    attempts: int = 0
    created_at: datetime = Field(sa_type=_TIME)
    updated_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID


class DocumentVersionRow(LabelColumns, table=True):
    """One state of a document. Sealed with row = document id and the version in the field's name:

    `content` (`document_version.content.<version>`, the bytes as they were given), `text` (the whole text that was read
    from them, masked as the organisation has it) and `outline` (where in it pages, headings and marks are).
    """

    __tablename__ = "document_version"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "document_id"],
            ["document.org_id", "document.id"],
            ondelete="CASCADE",
            name="document_version_document",
        ),
        CheckConstraint("version >= 1", name="document_version_number"),
        CheckConstraint("size >= 0 AND chunks >= 0", name="document_version_size"),
        CheckConstraint(one_of("state", *DocumentState), name="document_version_state"),
        CheckConstraint(f"failure ~ '{_CODE}'", name="document_version_failure"),
        CheckConstraint("array_to_string(warnings, ' ') ~ '^[a-z_. ]*$'", name="document_version_warnings"),
        CheckConstraint("parser ~ '^[A-Za-z0-9._@-]{0,80}$'", name="document_version_parser"),
        CheckConstraint(f"embedding_model ~ '{_MODEL}'", name="document_version_embedding_model"),
        CheckConstraint("octet_length(content_key) = 32", name="document_version_content_key"),
        CheckConstraint(one_of("media_type", *MediaType), name="document_version_media_type"),
        *label_checks("document_version"),
        Index("document_version_by_content", "org_id", "content_key"),
        _keeping(),
    )

    org_id: UUID = Field(primary_key=True)
    document_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    content: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    generation: int = 0
    content_key: bytes = Field(sa_type=BYTEA)
    size: int
    media_type: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    failure: str | None = Field(default=None, sa_type=Text, nullable=True)
    pages: int | None = Field(default=None, nullable=True)
    chunks: int = 0
    warnings: list[str] = Field(sa_type=_WORDS)
    parser: str = Field(default="", sa_type=Text)
    embedding_model: str | None = Field(default=None, sa_type=Text, nullable=True)
    text: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    outline: bytes | None = Field(default=None, sa_type=BYTEA, nullable=True)
    created_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID


class ChunkRow(LabelColumns, table=True):
    """One piece of one version, as one `build` of its index made it. Sealed with row = chunk id: `heading` (`chunk.heading`,
    a JSON list) and `text` (`chunk.text`). Only pieces that are `live` are ever searched.
    """

    __tablename__ = "chunk"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "document_id", "version"],
            ["document_version.org_id", "document_version.document_id", "document_version.version"],
            ondelete="CASCADE",
            name="chunk_version",
        ),
        UniqueConstraint("org_id", "document_id", "build", "ordinal", name="chunk_once_in_a_build"),
        CheckConstraint("ordinal >= 0 AND 0 <= start_at AND start_at <= end_at", name="chunk_span"),
        CheckConstraint("array_to_string(marks, ' ') ~ '^[a-z_ ]*$'", name="chunk_marks"),
        CheckConstraint("octet_length(text_key) = 32", name="chunk_text_key"),
        *label_checks("chunk"),
        Index("chunk_by_project", "org_id", "project_id", "live"),
        _keeping(),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    project_id: UUID
    document_id: UUID
    version: int
    build: UUID
    ordinal: int
    page: int | None = Field(default=None, nullable=True)
    heading: bytes = Field(sa_type=BYTEA)
    text: bytes = Field(sa_type=BYTEA)
    generation: int = 0
    text_key: bytes = Field(sa_type=BYTEA)
    start_at: int
    end_at: int
    marks: list[str] = Field(sa_type=_WORDS)
    live: bool = False
    decision_id: UUID


class ChunkWordsRow(SQLModel, table=True):
    """The words of a piece as keyed hashes (`memory.knowledge.blinding`), apart from it so that an index can find them.

    Nobody can read this table through: besides its organisation, a policy asks for rows that hold the words in
    `joule.words`. A condition of the policy may use the index; one of a query may not, for under row-level security
    the server looks up only by operators that are known to leak nothing, and `@@` is none of them. Whoever erases a
    piece needs nothing of this: its words go with it.
    """

    __tablename__ = "chunk_words"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "chunk_id"], ["chunk.org_id", "chunk.id"], ondelete="CASCADE", name="chunk_words_chunk"
        ),
        Index("chunk_words_found", "words", postgresql_using="gin"),
        _keeping(),
    )

    org_id: UUID = Field(primary_key=True)
    chunk_id: UUID = Field(primary_key=True)
    project_id: UUID
    words: str = Field(sa_type=TSVECTOR)
    decision_id: UUID


class ChunkVectorRow(SQLModel, table=True):
    """Where a piece lies in the space of one `model` (name@version); vectors of two models are never compared.

    `large`: its organisation has so many that they are searched through the approximate index.
    """

    __tablename__ = "chunk_vector"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "chunk_id"], ["chunk.org_id", "chunk.id"], ondelete="CASCADE", name="chunk_vector_chunk"
        ),
        CheckConstraint(f"model ~ '{_MODEL}'", name="chunk_vector_model"),
        Index("chunk_vector_by_project", "org_id", "project_id", "model", "large"),
        Index(
            "chunk_vector_near",
            "vector",
            postgresql_using="hnsw",
            postgresql_ops={"vector": "halfvec_cosine_ops"},
            postgresql_where=sql("large"),
        ),
        _keeping(),
    )

    org_id: UUID = Field(primary_key=True)
    chunk_id: UUID = Field(primary_key=True)
    model: str = Field(primary_key=True, sa_type=Text)
    project_id: UUID
    vector: tuple[float, ...] = Field(sa_type=HalfVector(DIMENSIONS))
    large: bool = False
    live: bool = False
    decision_id: UUID


class GoneRow(SQLModel, table=True):
    """The tombstone of a source (`kind:id`, as labels name it): nothing made from it is ever kept again."""

    __tablename__ = "gone"
    __table_args__ = (
        CheckConstraint("source ~ '^[a-z_]+:[A-Za-z0-9._/-]{1,80}$'", name="gone_source"),
        {
            "info": {
                "keeping": Keeping(
                    holds="system.operations",
                    owner=Owner.ORGANISATION,
                    ends=Ends.WITH_OWNER,
                    eraser="privacy.erase_organisation",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True, sa_type=Text)
    at: datetime = Field(sa_type=_TIME)
    decision_id: UUID


class TextRuleRow(SQLModel, table=True):
    """What an organisation has masked in every text it keeps; without a row, what is masked by default."""

    __tablename__ = "text_rule"
    __table_args__ = (
        CheckConstraint("array_to_string(masked, ' ') ~ '^[a-z_ ]*$'", name="text_rule_masked"),
        {
            "info": {
                "keeping": Keeping(
                    holds="system.operations",
                    owner=Owner.ORGANISATION,
                    ends=Ends.WITH_OWNER,
                    eraser="privacy.erase_organisation",
                )
            }
        },
    )

    org_id: UUID = Field(primary_key=True)
    masked: list[str] = Field(sa_type=_WORDS)
    set_by: UUID | None = Field(default=None, nullable=True)
    updated_at: datetime = Field(sa_type=_TIME)
    decision_id: UUID
