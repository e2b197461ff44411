"""The tables of every room, gathered here because no room may import them all."""

from importlib import import_module

from sqlalchemy import MetaData
from sqlmodel import SQLModel

ROOMS = (
    "joule.vault",
    "traces",
    "traces.ending",
    "traces.proof",
    "traces.otel",
    "traces.grants",
    "joule.identity",
    "memory",
    "memory.items",
    "memory.entries",
    "memory.knowledge",
    "joule.llm",
    "joule.governance",
    "joule.governance.rules",
    "joule.replay",
    "joule.privacy",
    "joule.tasks",
    "integrations",
    "integrations.mcp",
    "sandbox",
)


def all_tables() -> MetaData:
    """The metadata that the migrated schema must equal."""
    for room in ROOMS:
        import_module(f"{room}.tables")
    return SQLModel.metadata
