"""What an attacker with the database, another organisation or an unspent wish must not get."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from joule.kernel.errors import JouleError, NotFound, PermitMisused
from joule.kernel.ids import DecisionId, new_id
from joule.kernel.permit import Permit
from memory import queries
from memory.actions import (
    CreateProject,
    DeleteFile,
    DeleteProject,
    EditItem,
    ListFiles,
    ReadFile,
    RenameProject,
    SearchFiles,
)
from tests.memory.conftest import Room

CANARY = "kanarienvogel7351"
TABLES = ("project", "memory_item", "project_file", "file_version")


def _everything(url: str) -> dict[str, bytes]:
    """All rows of all tables as an operator with a dump would have them, by table."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind = 'r'"
        ).fetchall()
        found: dict[str, bytes] = {}
        for (name,) in names:
            with connection.cursor(binary=True) as cursor:
                rows = cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))).fetchall()
            found[name] = b"\n".join(
                value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row
            )
        return found


@pytest.fixture
def dump_url(test_server: Any, app_url: str) -> str:
    """As an operator whom row-level security does not bind."""
    return str(test_server.superuser_url(psycopg.conninfo.conninfo_to_dict(app_url)["dbname"]))


async def _fill(room: Room) -> None:
    await room.ask(RenameProject, title=f"{CANARY} title")
    await room.upload(f"{CANARY}.md", f"# {CANARY} upload".encode())
    await room.write("plain.md", f"{CANARY} text")
    item = await room.remember(f"{CANARY} item")
    await room.ask(EditItem, item=item.item, text=f"{CANARY} edited")
    await room.ask(SearchFiles, query=CANARY)


async def test_nothing_people_wrote_stands_in_clear_in_any_table(room: Room, dump_url: str) -> None:
    await _fill(room)

    found = _everything(dump_url)

    assert all(found[name] for name in TABLES)
    assert [name for name, rows in found.items() if CANARY.encode() in rows.lower()] == []
    # Positive control: the same scan finds what does stand in clear.
    assert str(room.org).encode() in found["memory_item"]
    assert b"text/markdown" in found["file_version"]


async def test_an_error_of_the_database_does_not_quote_what_was_sent(room: Room) -> None:
    with pytest.raises(DBAPIError) as failed:
        async with room.database.write(room.org) as session:
            await session.execute(text("SELECT 1 / :words ::int"), {"words": CANARY})

    shown = str(failed.value).split("invalid input syntax", maxsplit=1)[0]
    assert "parameters" not in shown
    assert "[parameters:" not in str(failed.value)


async def test_deleting_a_project_leaves_no_row_of_it(room: Room, neighbour: Room, dump_url: str) -> None:
    await _fill(room)
    await room.ask(DeleteFile, file_name="plain.md")
    await _fill(neighbour)

    gone = await room.ask(DeleteProject)

    assert (gone.items, gone.files, gone.versions) == (1, 2, 2)
    found = _everything(dump_url)
    for name in TABLES:
        assert room.org.bytes not in found[name]
        assert str(room.org).encode() not in found[name]
        assert str(neighbour.org).encode() in found[name]
    with pytest.raises(NotFound):
        await room.ask(ListFiles)


async def test_another_organisation_sees_and_changes_nothing(room: Room, neighbour: Room) -> None:
    await _fill(room)

    for attempt in (
        neighbour.ask(ListFiles, project=room.project),
        neighbour.ask(ReadFile, project=room.project, file_name="plain.md"),
        neighbour.ask(RenameProject, project=room.project, title="mine"),
        neighbour.ask(DeleteProject, project=room.project),
        neighbour.write("x.md", "x", project=room.project),
        neighbour.query(queries.project_by_id, room.project),
    ):
        with pytest.raises(NotFound):
            await attempt
    async with neighbour.database.read(neighbour.org) as session:
        for name in TABLES:
            orgs = (await session.execute(text(f"SELECT DISTINCT org_id FROM {name}"))).scalars().all()
            assert set(orgs) <= {neighbour.org}

    assert (await room.query(queries.project_by_id, room.project)).title == f"{CANARY} title"
    assert (await room.ask(ReadFile, file_name="plain.md")).text == f"{CANARY} text"


async def test_rows_moved_between_organisations_do_not_open(room: Room, neighbour: Room, dump_url: str) -> None:
    await room.remember("ours")
    await neighbour.remember("theirs")
    with psycopg.connect(dump_url) as connection:
        connection.execute(
            "UPDATE memory_item SET text = (SELECT text FROM memory_item WHERE org_id = %s) WHERE org_id = %s",
            (room.org, neighbour.org),
        )

    with pytest.raises(JouleError):
        await neighbour.query(queries.list_items, neighbour.project, reader=neighbour.person, now=neighbour.clock.now())
    ours = await room.query(queries.list_items, room.project, reader=room.person, now=room.clock.now())
    assert [one.text for one in ours] == ["ours"]


async def test_every_method_refuses_a_permit_nobody_issued(room: Room) -> None:
    action = CreateProject(principal=room.principal(), title="x")
    forged = Permit(action=action, decision=DecisionId(new_id()), task=room.task, issued_at=room.clock.now())

    async with room.database.write(room.org) as session:
        with pytest.raises(PermitMisused):
            await room.handler.create_project(forged, action, session)

    assert len(await room.query(queries.list_projects)) == 1
    await room.do(action)
    assert len(await room.query(queries.list_projects)) == 2


async def test_every_row_names_the_decision_it_stands_on(room: Room, dump_url: str) -> None:
    await _fill(room)

    with psycopg.connect(dump_url) as connection:
        for name in TABLES:
            missing = connection.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE decision_id IS NULL").format(sql.Identifier(name))
            ).fetchone()
            assert missing == (0,)


async def test_two_who_write_the_same_name_at_once_lose_nothing(room: Room) -> None:
    await asyncio.gather(*(room.write("a.md", f"text {n}") for n in range(4)))

    (view,) = await room.query(queries.list_files, room.project, reader=room.person, now=room.clock.now())
    assert sorted(one.version for one in view.versions) == [1, 2, 3, 4]


async def test_two_who_remember_the_same_at_once_keep_it_once(room: Room) -> None:
    kept = await asyncio.gather(*(room.remember("said twice") for _ in range(4)))

    assert len({one.item for one in kept}) == 1
    assert sum(one.existing for one in kept) == 3


async def test_pages_see_projects_files_and_search_with_where_things_came_from(room: Room) -> None:
    await room.upload("guide.md", b"# Voice\nbe brief")
    await room.remember("be brief always")

    (project,) = await room.query(queries.list_projects)
    (file,) = await room.query(queries.list_files, room.project, reader=room.person, now=room.clock.now())
    content = await room.query(queries.file_content, room.project, file.file, reader=room.person)
    found = await room.query(queries.search, room.project, "brief", reader=room.person, now=room.clock.now())

    assert (project.title, project.files, project.items, project.author) == ("Spring launch", 1, 1, room.person)
    assert (file.name, file.newest.author, file.newest.via) == ("guide.md", room.person, "person")
    assert (content.content, content.preview) == (b"# Voice\nbe brief", "# Voice\nbe brief")
    assert [one.text for one in found.items] == ["be brief always"]
    assert [(hit.name, hit.line) for hit in found.hits] == [("guide.md", 2)]
