"""`joule memory`: documents brought in and found, what is remembered shown and exported; in words and as JSON."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from joule.cli.main import main
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from memory.items.actions import GiveTrainingConsent, Remember
from memory.items.kinds import DataClass
from memory.knowledge import queries
from memory.knowledge.actions import IndexDocument
from tests.support.house import Home, home

Joule = Callable[..., Result]


@pytest.fixture
def joule(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Joule:
    """Runs a command line against this test's own home and database, in which somebody lives."""
    assert settings.database.url is not None
    monkeypatch.setenv("JOULE_HOME", str(settings.home))
    monkeypatch.setenv("JOULE_DATABASE_URL", settings.database.url.get_secret_value())
    monkeypatch.setenv("JOULE_VAULT_KEY_FILE", str(settings.key_file))
    monkeypatch.setenv("JOULE_ENVIRONMENT", settings.environment)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ("memory", *arguments), prog_name="joule")

    return run


async def read_all(found: Home) -> None:
    """Does a worker's work."""
    system = Principal(org=found.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
    async with found.house.database.read(found.org) as session:
        keyring = await found.house.vault.keyring(session, found.org)
        documents = await queries.list_documents(session, keyring, found.project, reader=found.owner.person)
    for each in documents:
        await found.house.commands.perform(
            IndexDocument(principal=system, project=found.project, document=each.document)
        )


def test_documents_are_brought_in_once_and_found_with_their_place(
    joule: Joule, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "prices.md").write_text("# Prices\n\nOat latte costs 4 euros.\n")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))

    async def scene() -> tuple[Result, Result, Result]:
        async with home(settings) as found:
            brought = await asyncio.to_thread(
                joule, "ingest", str(tmp_path / "prices"), str(tmp_path / "logo.png"), "--json"
            )
            again = await asyncio.to_thread(joule, "ingest", str(tmp_path / "prices"), "--json")
            await read_all(found)
            return brought, again, await asyncio.to_thread(joule, "search", "oat latte", "--json")

    brought, again, searched = asyncio.run(scene())

    kept, refused = json.loads(brought.stdout)["documents"]
    assert brought.exit_code == 1  # one of them is no document
    assert (kept["file"], kept["state"], kept["duplicate"]) == ("prices.md", "queued", False)
    assert (refused["state"], refused["code"]) == ("refused", "memory.not_a_document")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["documents"][0]["duplicate"] is True
    (passage,) = json.loads(searched.stdout)["passages"]
    assert passage["title"] == "prices.md"
    assert "4 euros" in passage["text"]


def test_what_is_remembered_is_shown_with_where_it_came_from_and_exported(joule: Joule, settings: Settings) -> None:
    async def scene() -> list[Result]:
        async with home(settings) as found:
            made = await found.house.commands.perform(
                Remember(principal=found.owner, project=found.project, text="We never shout")
            )
            look = [("show", str(made.item)), ("export", "--json"), ("list", "--proposed", "--json")]
            return [await asyncio.to_thread(joule, *each) for each in look]

    shown, exported, proposed = asyncio.run(scene())

    assert "We never shout" in shown.stdout
    assert "your team's" in shown.stdout
    (item,) = json.loads(exported.stdout)["items"]
    assert (item["text"], item["label"]["training"]) == ("We never shout", "denied")
    assert json.loads(proposed.stdout)["items"] == []


def test_nothing_leaves_for_training_but_what_an_owner_has_let_go(joule: Joule, settings: Settings) -> None:
    async def scene() -> tuple[Result, Result]:
        async with home(settings) as found:
            await found.house.commands.perform(
                Remember(principal=found.owner, project=found.project, text="We never shout")
            )
            before = await asyncio.to_thread(joule, "export", "--for-training", "--json")
            for each in DataClass:
                await found.house.commands.perform(GiveTrainingConsent(principal=found.owner, data_class=each))
            return before, await asyncio.to_thread(joule, "export", "--for-training", "--json")

    before, after = asyncio.run(scene())

    assert before.exit_code == 3
    assert "We never shout" not in before.output
    told = json.loads(after.stdout)
    assert after.exit_code == 0
    assert [each["text"] for each in told["items"]] == ["We never shout"]
