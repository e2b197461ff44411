"""The rows of MCP servers and their tools. Equal to migrations 0009 and 0010; a test compares them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import BYTEA
from sqlmodel import Field, SQLModel

from integrations._columns import keeping, one_of, sealed, time
from joule.database.keeping import Ends


class McpServerRow(SQLModel, table=True):
    """An MCP server that an admin added. `url_key` is a keyed hash of its address: each is added once.

    `sign_in` is what it published about tokens when it asked for one, pinned. A row that was removed stays, unseen, until
    the issuer has been told that the tokens are over.
    """

    __tablename__ = "mcp_server"
    __table_args__ = (
        CheckConstraint("octet_length(url_key) = 32", name="mcp_server_url_key"),
        Index("mcp_server_one_each", "org_id", "url_key", unique=True, postgresql_where=sql("removed_at IS NULL")),
        keeping(holds="workspace.integration", ends=Ends.WITH_OWNER, eraser="integrations.remove_mcp_server"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    url: bytes = sealed()
    url_key: bytes = Field(sa_type=BYTEA)
    title: bytes = sealed()
    sign_in: bytes | None = sealed(optional=True)
    added_by: UUID | None = Field(default=None, nullable=True)
    created_at: datetime = time()
    looked_at: datetime = time()
    removed_at: datetime | None = time(optional=True)
    decision_id: UUID


class McpToolRow(SQLModel, table=True):
    """One tool of an MCP server. `pin` is the hash of all it says of itself; `changed_at`: it changed while it was on.

    `former` is what it said when a person last read it, kept while it counts as changed. `reads_only` is the server's own
    word. A tool that is not `present` is kept, off, to be known again.
    """

    __tablename__ = "mcp_tool"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "server_id"], ["mcp_server.org_id", "mcp_server.id"], ondelete="CASCADE", name="mcp_tool_server"
        ),
        CheckConstraint("octet_length(pin) = 32", name="mcp_tool_pin"),
        CheckConstraint("octet_length(name_key) = 32", name="mcp_tool_name_key"),
        CheckConstraint(one_of("state", "off", "ask", "allow"), name="mcp_tool_state"),
        CheckConstraint("state <> 'allow' OR reads_only", name="mcp_tool_allowed_only_reads"),
        CheckConstraint("state = 'off' OR (present AND changed_at IS NULL)", name="mcp_tool_on_is_known"),
        UniqueConstraint("org_id", "server_id", "name_key", name="mcp_tool_one_each"),
        keeping(holds="workspace.integration", ends=Ends.WITH_OWNER, eraser="integrations.remove_mcp_server"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    server_id: UUID
    name: bytes = sealed()
    name_key: bytes = Field(sa_type=BYTEA)
    about: bytes = sealed()
    generation: int
    former: bytes | None = sealed(optional=True)
    former_generation: int | None = Field(default=None, nullable=True)
    pin: bytes = Field(sa_type=BYTEA)
    state: str = Field(sa_type=Text)
    reads_only: bool
    present: bool
    changed_at: datetime | None = time(optional=True)
    set_by: UUID | None = Field(default=None, nullable=True)
    decision_id: UUID
