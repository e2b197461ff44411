"""A table of the tests' own, and servers that may be killed."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from joule.database.engine import Database
from joule.database.server import ServerAddress
from tests.support.postgres import roomy_folder

NOTE = """
CREATE TABLE note (org_id uuid NOT NULL, id uuid NOT NULL DEFAULT uuidv7(), body text NOT NULL,
                   PRIMARY KEY (org_id, id));
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
ALTER TABLE note FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON note USING (org_id = NULLIF(current_setting('joule.org', true), '')::uuid)
    WITH CHECK (org_id = NULLIF(current_setting('joule.org', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON note TO joule_app;
"""


def as_role(url: str, statement: str) -> None:
    """Runs a statement outside the application, committed at once."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def noted(address: ServerAddress) -> ServerAddress:
    """The test's database with a table `note`."""
    as_role(address.owner_url, NOTE)
    return address


@pytest.fixture
def notes(noted: ServerAddress, database: Database) -> Database:
    """Sessions on a database with a table `note`."""
    return database


@pytest.fixture
def new_home() -> Iterator[Callable[[], Path]]:
    """Makes home folders for servers; they are gone after the test, which stops its own servers."""
    made: list[Path] = []

    def make() -> Path:
        made.append(roomy_folder())
        made[-1].chmod(0o711)
        return made[-1]

    yield make
    for home in made:
        shutil.rmtree(home, ignore_errors=True)
