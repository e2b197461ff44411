"""The settings of the sandbox and of what comes out of it, and how every section of the settings reads its variables."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def section(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=prefix, frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True
    )


class SandboxSettings(BaseSettings):
    """Where code runs that nobody here wrote, and how much it may take."""

    model_config = section("JOULE_SANDBOX_")

    backend: Annotated[
        Literal["local", "gvisor", "e2b"],
        Field(description="Kind of sandbox for organisations that chose none; see docs/sandbox.md."),
    ] = "local"
    offered: Annotated[
        str, Field(description="Kinds of sandbox an organisation may choose, by name, separated by commas.")
    ] = "local,gvisor,e2b"
    cpu_seconds: Annotated[int, Field(ge=1, le=600, description="Most processor time of one command.")] = 20
    wall_seconds: Annotated[int, Field(ge=1, le=900, description="Longest time one command may take.")] = 60
    memory_mb: Annotated[
        int,
        Field(ge=64, le=65_536, description="Most memory of one sandbox, all processes and files together, in MiB."),
    ] = 768
    processes: Annotated[int, Field(ge=8, le=1024, description="Most processes and threads in one sandbox.")] = 64
    disk_mb: Annotated[int, Field(ge=8, le=16_384, description="Most room in one workspace, in MiB; it is memory.")] = (
        256
    )
    file_mb: Annotated[int, Field(ge=1, le=4_096, description="Largest single file in a workspace, in MiB.")] = 64
    inodes: Annotated[int, Field(ge=100, le=1_000_000, description="Most files in one workspace.")] = 20_000
    output_kb: Annotated[int, Field(ge=16, le=16_384, description="Most a command may print, in KiB.")] = 1024
    ttl_seconds: Annotated[
        int, Field(ge=30, le=86_400, description="A sandbox ends this long after it was last used, with its files.")
    ] = 900
    warm: Annotated[
        int,
        Field(
            ge=0, le=8, description="Sandboxes with the data pack loaded that each worker keeps ready; ~100 MiB each."
        ),
    ] = 1
    outside_port: Annotated[
        int,
        Field(
            ge=0,
            le=65535,
            description="Port on loopback that may be listed as a host code can reach, for trying; 0: none.",
        ),
    ] = 0
    packs: Annotated[
        Path | None, Field(description="Folder of the data packs; empty: `packs` under the home folder.")
    ] = None


class E2bSettings(BaseSettings):
    """Sandboxes at E2B, or at a server of one's own that speaks as E2B does."""

    model_config = section("JOULE_E2B_")

    api_key: Annotated[SecretStr | None, Field(description="Key of the E2B account; empty: E2B_API_KEY.")] = None
    template: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9._/-]{1,100}$", description="Template of its sandboxes; it needs bash and python3."),
    ] = "base"
    installation: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9-]{1,40}$",
            description="Name of this Joule at E2B; two that share an account need two, or each ends the other's sandboxes.",
        ),
    ] = "joule"
    domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,200}$", description="Domain of the E2B service.")] = "e2b.app"
    api_url: Annotated[str | None, Field(description="Address of another control plane; https unless on loopback.")] = (
        None
    )
    sandbox_url: Annotated[
        str | None, Field(description="Address of that server's sandboxes; https unless on loopback.")
    ] = None


class ArtifactSettings(BaseSettings):
    """What comes out of sandboxes: where it lies, sealed, how much of it there may be, and for how long."""

    model_config = section("JOULE_ARTIFACTS_")

    folder: Annotated[
        Path | None, Field(description="Where artifacts lie; empty: `artifacts` under the home folder.")
    ] = None
    bucket: Annotated[
        str | None, Field(description="Name of a bucket that speaks S3; set, it is used in place of the folder.")
    ] = None
    endpoint: Annotated[
        str | None, Field(description="Address of the bucket's server when it is not AWS; https unless on loopback.")
    ] = None
    hours: Annotated[int, Field(ge=1, le=2160, description="How long an artifact is kept unless somebody pins it.")] = (
        168
    )
    file_mb: Annotated[int, Field(ge=1, le=200, description="Largest artifact, in MiB.")] = 25
    per_run: Annotated[int, Field(ge=1, le=500, description="Most artifacts of one run.")] = 50
    run_mb: Annotated[int, Field(ge=1, le=2000, description="Most artifacts of one run together, in MiB.")] = 100
    total_mb: Annotated[
        int, Field(ge=1, description="Most artifacts of all organisations together, as they lie in the store, in MiB.")
    ] = 10_240
    organisation_mb: Annotated[
        int, Field(ge=1, description="Most artifacts of one organisation at a time, pinned ones too, in MiB.")
    ] = 1024


class OtelSettings(BaseSettings):
    """Where the journal's spans and metrics are sent, as OpenTelemetry: metadata alone, never content."""

    model_config = section("JOULE_OTEL_")

    endpoint: Annotated[
        str | None,
        Field(description="Base address of an OTLP/HTTP receiver; https unless on loopback. Empty: nothing is sent."),
    ] = None
    headers: Annotated[
        SecretStr | None,
        Field(description="Headers the receiver wants, as `name=value,name=value`; may hold its key."),
    ] = None
    metrics: Annotated[
        bool,
        Field(description="Whether metrics are sent too; a backend for spans alone, such as Phoenix, refuses them."),
    ] = True
    service: Annotated[str, Field(description="What this installation is called there.")] = "joule"
    every_seconds: Annotated[
        int, Field(ge=1, le=3600, description="How often what was sealed since the last time is sent.")
    ] = 30


class ProofSettings(BaseSettings):
    """Signed heads over the journal, and where they are sent so that others hold them too."""

    model_config = section("JOULE_PROOF_")

    seal_seconds: Annotated[
        int, Field(ge=1, le=3600, description="How often what has moved in the journal is sealed under a signed head.")
    ] = 60
    bucket: Annotated[
        str | None,
        Field(description="Bucket that speaks S3 into which every signed head is put; empty: none. Lock its objects."),
    ] = None
    endpoint: Annotated[
        str | None, Field(description="Address of that bucket's server when it is not AWS; https unless on loopback.")
    ] = None
    webhook_port: Annotated[
        int, Field(ge=0, le=65535, description="Port on loopback where a webhook may be, for trying one; 0: none.")
    ] = 0
