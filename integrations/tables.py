"""The rows of this room. Equal to migrations 0009, 0010 and 0020; a test compares them.

Sealed are: tokens (under the key `grant:<id>`, which revoking destroys, or `revocation:<id>`, which ends when the
provider has been told), client ids and secrets, verifiers, hosts and account names (under the organisation's key).
MCP servers have their own, in `integrations.mcp.tables`. In clear stand ids, words from closed lists, scopes as the catalogue writes them, numbers, times and keyed hashes.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import BYTEA
from sqlmodel import Field, SQLModel

from integrations._columns import WORDS, id_words, keeping, one_of, scope_words, sealed, time
from joule.database.keeping import Ends, Owner


class ProviderClientRow(SQLModel, table=True):
    """Who Joule is at one provider, for one organisation. `next_secret` is tried when the other is refused."""

    __tablename__ = "provider_client"
    __table_args__ = (
        id_words("provider_client"),
        UniqueConstraint("org_id", "provider", name="provider_client_one_each"),
        keeping(holds="workspace.credential", ends=Ends.WITH_OWNER, eraser="integrations.set_provider_client"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    provider: str = Field(sa_type=Text)
    client_id: bytes = sealed()
    client_secret: bytes | None = sealed(optional=True)
    next_secret: bytes | None = sealed(optional=True)
    generation: int
    set_by: UUID | None = Field(default=None, nullable=True)
    created_at: datetime = time()
    updated_at: datetime = time()
    decision_id: UUID


class ProviderRuleRow(SQLModel, table=True):
    """Whether the organisation lets a provider be used, and which of its scopes. `scopes` NULL: all of them.

    `members_to` is the gravest permission a member may add for a task of their own; NULL: none.
    """

    __tablename__ = "provider_rule"
    __table_args__ = (
        id_words("provider_rule"),
        CheckConstraint(one_of("members_to", "R1P", "R2", "R3"), name="provider_rule_members"),
        *scope_words("provider_rule", "scopes"),
        keeping(holds="workspace.setting", ends=Ends.WITH_OWNER, eraser="integrations.set_provider_rule"),
    )

    org_id: UUID = Field(primary_key=True)
    provider: str = Field(sa_type=Text, primary_key=True)
    allowed: bool
    scopes: list[str] | None = Field(sa_type=WORDS, default=None, nullable=True)
    members_to: str | None = Field(sa_type=Text, default=None, nullable=True)
    set_by: UUID | None = Field(default=None, nullable=True)
    updated_at: datetime = time()
    decision_id: UUID


class AllowListRow(SQLModel, table=True):
    """Whether only the providers an organisation has allowed by name may be used. No row: all but those it forbids."""

    __tablename__ = "allow_list"
    __table_args__ = (keeping(holds="workspace.setting", ends=Ends.WITH_OWNER, eraser="integrations.set_allow_list"),)

    org_id: UUID = Field(primary_key=True)
    only_listed: bool
    set_by: UUID | None = Field(default=None, nullable=True)
    updated_at: datetime = time()
    decision_id: UUID


class PendingAuthorizationRow(SQLModel, table=True):
    """A consent that was begun: by whom, in which browser, for what. Used once, within ten minutes.

    `state_key` is a keyed hash of the state; `connection_id` is set when an existing connection gets more permissions,
    `task_id` when a run waits for it.
    """

    __tablename__ = "pending_authorization"
    __table_args__ = (
        id_words("pending_authorization"),
        CheckConstraint("octet_length(state_key) = 32", name="pending_authorization_state_key"),
        CheckConstraint("expires_at <= created_at + interval '10 minutes'", name="pending_authorization_brief"),
        *scope_words("pending_authorization", "scopes", "products"),
        UniqueConstraint("org_id", "state_key", name="pending_authorization_state"),
        keeping(
            holds="user.authorization", owner=Owner.PERSON, ends=Ends.BY_DATE, eraser="integrations.begin_connection"
        ),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    provider: str = Field(sa_type=Text)
    state_key: bytes = sealed()
    person_id: UUID
    session_id: UUID
    verifier: bytes = sealed()
    redirect: bytes = sealed()
    tenant: bytes | None = sealed(optional=True)
    return_to: bytes | None = sealed(optional=True)
    products: list[str] = Field(sa_type=WORDS)
    scopes: list[str] = Field(sa_type=WORDS)
    read_only: bool
    connection_id: UUID | None = Field(default=None, nullable=True)
    task_id: UUID | None = Field(default=None, nullable=True)
    created_at: datetime = time()
    expires_at: datetime = time()
    used_at: datetime | None = time(optional=True)
    decision_id: UUID


class OAuthGrantRow(SQLModel, table=True):
    """What a person allowed at a provider in one consent, and the tokens that prove it.

    `account_key` is a keyed hash of the provider's id of the account. `tokens` is NULL once revoked. `generation` counts token sets and stands in the seal's associated data. A set
    `attempt_at` with no lease running is a refresh whose end nobody saw.
    """

    __tablename__ = "oauth_grant"
    __table_args__ = (
        id_words("oauth_grant"),
        id_words("oauth_grant", "family"),
        CheckConstraint(
            one_of("status", "active", "refresh_unknown", "needs_reconnecting", "revoked"), name="oauth_grant_status"
        ),
        CheckConstraint(
            one_of("scope_source", "response", "introspection", "permissions_call", "assumed"),
            name="oauth_grant_scope_source",
        ),
        CheckConstraint("status <> 'revoked' OR tokens IS NULL", name="oauth_grant_revoked_is_empty"),
        CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="oauth_grant_lease"),
        CheckConstraint("problem ~ '^[a-z_.]{1,60}$'", name="oauth_grant_problem"),
        *scope_words("oauth_grant", "requested", "granted"),
        Index("oauth_grant_due", "org_id", "due_at", postgresql_where=sql("due_at IS NOT NULL")),
        Index("oauth_grant_look", "org_id", "look_at", postgresql_where=sql("look_at IS NOT NULL")),
        Index("oauth_grant_name", "org_id", "name_at", postgresql_where=sql("name_at IS NOT NULL")),
        CheckConstraint("octet_length(account_key) = 32", name="oauth_grant_account_key"),
        keeping(holds="workspace.credential", ends=Ends.WITH_OWNER, eraser="integrations.revoke_connection"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    provider: str = Field(sa_type=Text)
    family: str = Field(sa_type=Text)
    granted_by: UUID
    account: bytes | None = sealed(optional=True)
    account_key: bytes | None = Field(sa_type=BYTEA, default=None, nullable=True)
    tenant: bytes | None = sealed(optional=True)
    requested: list[str] = Field(sa_type=WORDS)
    granted: list[str] = Field(sa_type=WORDS)
    scope_source: str = Field(sa_type=Text)
    catalogue_version: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    problem: str | None = Field(sa_type=Text, default=None, nullable=True)
    tokens: bytes | None = sealed(optional=True)
    generation: int
    can_refresh: bool
    expires_at: datetime | None = time(optional=True)
    refresh_expires_at: datetime | None = time(optional=True)
    due_at: datetime | None = time(optional=True)
    look_at: datetime | None = time(optional=True)
    name_at: datetime | None = time(optional=True)
    refreshed_at: datetime = time()
    lease_owner: UUID | None = Field(default=None, nullable=True)
    lease_until: datetime | None = time(optional=True)
    attempt_at: datetime | None = time(optional=True)
    cooldown_until: datetime | None = time(optional=True)
    failures: int = 0
    created_at: datetime = time()
    revoked_at: datetime | None = time(optional=True)
    decision_id: UUID


class ConnectionRow(SQLModel, table=True):
    """One product that Joule may use through a grant. `epoch` rises whenever what was agreed to changes."""

    __tablename__ = "connection"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "grant_id"],
            ["oauth_grant.org_id", "oauth_grant.id"],
            ondelete="CASCADE",
            name="connection_grant",
        ),
        id_words("connection"),
        CheckConstraint(one_of("status", "active", "revoked"), name="connection_status"),
        CheckConstraint("(status = 'revoked') = (revoked_at IS NOT NULL)", name="connection_revoked"),
        Index("connection_of_grant", "org_id", "grant_id"),
        keeping(holds="workspace.integration", ends=Ends.WITH_OWNER, eraser="integrations.revoke_connection"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    grant_id: UUID
    provider: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    epoch: int
    read_only: bool
    connected_by: UUID
    connected_at: datetime = time()
    used_at: datetime | None = time(optional=True)
    revoked_at: datetime | None = time(optional=True)
    revoked_by: UUID | None = Field(default=None, nullable=True)
    decision_id: UUID


class RevocationRow(SQLModel, table=True):
    """A disconnection that the provider has yet to be told of, or was: with what became of each token, and the receipt.

    `shared`: other connections go on through the same consent, so there is nothing to tell.
    `tokens` are sealed under `revocation:<id>`, a key that only telling the provider uses and that ends with it.
    """

    __tablename__ = "revocation"
    __table_args__ = (
        id_words("revocation"),
        CheckConstraint(one_of("state", "pending", "done", "gave_up", "shared"), name="revocation_state"),
        CheckConstraint(one_of("cause", "person", "late_refresh", "unfinished"), name="revocation_cause"),
        CheckConstraint("state = 'pending' OR tokens IS NULL", name="revocation_ended_is_empty"),
        CheckConstraint("array_to_string(outcomes, ' ') ~ '^[a-z_:0-9 ]*$'", name="revocation_outcomes"),
        CheckConstraint("octet_length(signature) = 64", name="revocation_signature"),
        Index("revocation_due", "org_id", "next_at", postgresql_where=sql("state = 'pending'")),
        keeping(holds="workspace.integration", ends=Ends.WITH_OWNER, eraser="privacy.erase_organisation"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    grant_id: UUID
    connection_id: UUID | None = Field(default=None, nullable=True)
    provider: str = Field(sa_type=Text)
    cause: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    tokens: bytes | None = sealed(optional=True)
    tenant: bytes | None = sealed(optional=True)
    outcomes: list[str] = Field(sa_type=WORDS)
    attempts: int
    next_at: datetime = time()
    revoked_by: UUID | None = Field(default=None, nullable=True)
    task_id: UUID
    created_at: datetime = time()
    ended_at: datetime | None = time(optional=True)
    receipt: bytes | None = sealed(optional=True)
    signature: bytes | None = Field(sa_type=BYTEA, default=None, nullable=True)
    decision_id: UUID


class ReceiptKeyRow(SQLModel, table=True):
    """The Ed25519 key an organisation's receipts are signed with. `private` is sealed; the public half is for anybody."""

    __tablename__ = "receipt_key"
    __table_args__ = (
        CheckConstraint("octet_length(public) = 32", name="receipt_key_public"),
        keeping(holds="workspace.credential", ends=Ends.WITH_OWNER, eraser="privacy.erase_organisation"),
    )

    org_id: UUID = Field(primary_key=True)
    private: bytes = sealed()
    public: bytes = Field(sa_type=BYTEA)
    created_at: datetime = time()
    decision_id: UUID


class IssuerPinRow(SQLModel, table=True):
    """What an issuer published about itself when it was first asked. `refused_at`: it has published something else since.

    `issuer_key` is a keyed hash of the issuer, `found` what was accepted of it, sealed.
    """

    __tablename__ = "issuer_pin"
    __table_args__ = (
        id_words("issuer_pin"),
        CheckConstraint("octet_length(issuer_key) = 32", name="issuer_pin_issuer_key"),
        UniqueConstraint("org_id", "provider", "issuer_key", name="issuer_pin_one_each"),
        keeping(holds="workspace.integration", ends=Ends.WITH_OWNER, eraser="integrations.accept_issuer"),
    )

    org_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    provider: str = Field(sa_type=Text)
    issuer_key: bytes = Field(sa_type=BYTEA)
    found: bytes = sealed()
    pinned_at: datetime = time()
    refused_at: datetime | None = time(optional=True)
    decision_id: UUID
