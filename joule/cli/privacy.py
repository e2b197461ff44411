"""`joule privacy`: what is stored, from what the tables say about themselves."""

from importlib import import_module

import click

from joule.cli._output import Output, reporting, table

# Every module that declares tables; a test compares this with the source tree.
TABLES = (
    "joule.vault.tables",
    "traces.tables",
    "traces.ending.tables",
    "traces.proof.tables",
    "traces.grants.tables",
    "joule.identity.tables",
    "memory.tables",
    "memory.items.tables",
    "memory.entries.tables",
    "memory.knowledge.tables",
    "joule.llm.tables",
    "joule.governance.tables",
    "joule.governance.rules.tables",
    "joule.replay.tables",
    "joule.tasks.tables",
    "integrations.tables",
    "integrations.mcp.tables",
    "sandbox.tables",
    "joule.privacy.tables",
)


@click.group("privacy")
def command() -> None:
    """Show what is stored, whose it is and when it ends."""


@command.command("data-map")
@reporting
async def data_map(output: Output) -> None:
    """List every table: what it holds, whose it is, when it ends and what erases it."""
    from sqlmodel import SQLModel

    from joule.database.keeping import Keeping

    for name in TABLES:
        import_module(name)
    entries = []
    for found in sorted(SQLModel.metadata.tables.values(), key=lambda each: each.name):
        keeping: Keeping = found.info["keeping"]
        entries.append(
            {
                "table": found.name,
                "holds": keeping.holds,
                "owner": keeping.owner.value,
                "ends": keeping.ends.value,
                "eraser": keeping.eraser,
            }
        )
    heads = ("table", "holds", "owner", "ends", "eraser")
    output.result({"tables": entries}, lambda: table(heads, [[entry[head] for head in heads] for entry in entries]))
