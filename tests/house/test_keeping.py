"""Nothing is stored without an end: every table says what it holds, whose it is, when it ends and who erases it."""

import importlib

from sqlalchemy import Column, Integer, MetaData, Table
from sqlmodel import SQLModel

from joule.database.keeping import Ends, Keeping, Owner
from tests.house.source import ROOT, modules, shown


def without_an_end(metadata: MetaData) -> list[str]:
    """Tables that do not say how they end."""
    return sorted(
        table.name for table in metadata.tables.values() if not isinstance(table.info.get("keeping"), Keeping)
    )


def house_tables() -> MetaData:
    """Every table of every room, by importing each room's `tables.py`."""
    for path in modules():
        if path.name == "tables.py":
            importlib.import_module(shown(path).removesuffix(".py").replace("/", "."))
    return SQLModel.metadata


def test_every_table_says_how_it_ends() -> None:
    metadata = house_tables()

    assert len(metadata.tables) > 0
    assert without_an_end(metadata) == []


def test_every_eraser_is_named_as_an_action_or_a_sweep() -> None:
    keepings = {table.name: table.info["keeping"] for table in house_tables().tables.values()}

    unnamed = {
        name for name, keeping in keepings.items() if keeping.ends is not Ends.NEVER and "." not in keeping.eraser
    }

    assert unnamed == set()


def test_tables_are_declared_only_where_they_are_looked_for() -> None:
    declaring = [
        shown(path)
        for path in modules()
        if "table=True" in path.read_text(encoding="utf-8") and path.name != "tables.py"
    ]

    assert declaring == []
    assert (ROOT / "memory" / "tables.py").exists()


def test_a_table_without_an_end_is_caught() -> None:
    metadata = MetaData()
    keeping = Keeping(holds="system", owner=Owner.NOBODY, ends=Ends.NEVER, eraser="")
    Table("kept", metadata, Column("id", Integer), info={"keeping": keeping})
    Table("forgotten", metadata, Column("id", Integer))

    assert without_an_end(metadata) == ["forgotten"]
