"""Documents of a connected account: listed there, brought in, found, taken anew, and gone with the account."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlmodel import col, select

from integrations.actions import RevokeConnection
from integrations.shelves import SHELVES, asking_for, found, text_of
from joule.assembly.bringing import Bringing
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import EmbeddingSettings, Settings
from joule.web.app import build_app
from memory.errors import SourceGone
from memory.knowledge.actions import DeleteDocument, IndexDocument, SearchKnowledge
from memory.knowledge.tables import ChunkRow, DocumentRow
from tests.support.connecting import Shop, shop
from tests.support.scripted_model import ScriptedModel
from tests.web.conftest import Site


@dataclass(kw_only=True)
class Office(Site):
    """A site beside the demonstration, with an account there."""

    shop: Shop
    connection: UUID

    @property
    def base(self) -> str:
        return f"/projects/{self.home.project}/knowledge/accounts"

    @property
    def bringing(self) -> Bringing:
        return Bringing(perform=self.home.house.commands.perform, principal=self.home.owner, project=self.home.project)

    async def rows(self) -> list[DocumentRow]:
        async with self.home.house.database.read(self.home.org) as session:
            found = list(await session.scalars(select(DocumentRow).order_by(col(DocumentRow.created_at))))
            session.expunge_all()
        return found

    async def read(self) -> None:
        system = Principal(org=self.home.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        for row in await self.rows():
            action = IndexDocument(principal=system, project=self.home.project, document=row.id)
            await self.home.house.commands.perform(action)

    async def search(self, query: str) -> tuple[str, ...]:
        action = SearchKnowledge(principal=self.home.owner, project=self.home.project, query=query)
        return tuple(each.text for each in (await self.home.house.commands.perform(action)).passages)


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    model = ScriptedModel(script=[])
    plain = settings.model_copy(update={"embedding": EmbeddingSettings(name="none")})
    async with shop(plain, model=model) as beside:
        made = await beside.connect("campaigns.read")
        yield Office(
            app=build_app(beside.home.house),
            home=beside.home,
            model=model,
            shop=beside,
            connection=made.connection,
        )


async def test_a_document_of_an_account_is_brought_in_found_taken_anew_and_goes_with_the_account(
    office: Office,
) -> None:
    there = f"{office.base}/{office.connection}"
    async with office.signed_in() as client:
        assert "Demo CRM" in (await client.get(office.base)).text
        listed = (await client.get(there, params={"q": "harbour"})).text
        assert "Back to the harbour" in listed
        assert "Spring collection" not in listed
        brought = (await client.post(there, data={"document": ["b-1", "b-9"], "q": "harbour"})).text
        assert "It is being read." in brought
        assert "1 of those you ticked was not brought in" in brought
        await office.read()
        passages = await office.search("What happens to old coats?")
        assert any("thirty percent off" in each for each in passages)
        assert "Is here; bringing it in again" in (await client.get(there)).text
        page = (await client.get(f"/projects/{office.home.project}/knowledge/{(await office.rows())[0].id}")).text
        assert "From a connected account" in page

        again = (await client.post(there, data={"document": "b-1"})).text
        assert "It is here already, unchanged." in again
        brief = office.shop.demo.state.briefs.texts["b-1"]
        brief["text"] = brief["text"].replace("thirty", "forty")  # somebody has edited it at the provider
        await client.post(there, data={"document": "b-1"})
        await office.read()
        assert any("forty percent off" in each for each in await office.search("old coats"))

    (row,) = await office.rows()
    assert row.newest == 2
    assert f"connection:{office.connection}" in row.sources
    assert row.integrity == "untrusted"
    source = await office.bringing.source(office.connection)
    (wanted,) = await office.bringing.find(source, "speak")
    answers, label = await office.bringing._whole(source, SHELVES["demo_crm"], wanted.external)  # under way
    await office.home.house.commands.perform(
        RevokeConnection(principal=office.home.owner, connection=office.connection, delete_synced=True)
    )

    assert await office.rows() == []
    async with office.home.house.database.read(office.home.org) as session:
        assert list(await session.scalars(select(ChunkRow))) == []
    assert await office.search("old coats") == ()
    with pytest.raises(SourceGone):  # what was read before it was disconnected comes too late
        await office.bringing.kept(source, wanted, text_of(SHELVES["demo_crm"], answers), label)


async def test_a_document_that_was_deleted_here_is_not_brought_in_again_and_the_page_says_so(office: Office) -> None:
    there = f"{office.base}/{office.connection}"
    async with office.signed_in() as client:
        await client.post(there, data={"document": ["b-2", "b-3"]})
        first, second = await office.rows()
        action = DeleteDocument(principal=office.home.owner, project=office.home.project, document=first.id)
        await office.home.house.commands.perform(action)

        listed = (await client.get(there)).text
        refused = (await client.post(there, data={"document": "b-2"})).text

    assert "Deleted in this project, so it is not brought in again." in listed
    assert "deleted" in refused.split('role="status"')[1].split("</div></div>")[0]
    assert [each.id for each in await office.rows()] == [second.id]


async def test_an_account_without_the_permission_and_no_account_at_all_say_what_to_do(office: Office) -> None:
    less = await office.shop.connect("contacts.read")
    async with office.signed_in() as client:
        page = (await client.get(f"{office.base}/{less.connection}")).text
        await office.shop.revoke(less.connection)
        await office.shop.revoke(office.connection)
        none = (await client.get(office.base)).text
        gone = await client.get(f"{office.base}/{office.connection}")
    async with office.signed_in(Role.MEMBER) as client:
        asks = (await client.get(office.base)).text

    assert "was not given the permission to list and read documents" in page
    assert "No connected account keeps documents" in none
    assert "Connect an account" in none
    assert gone.status_code == 404
    assert "Ask an owner or admin" in asks


def test_what_providers_answer_becomes_titles_and_text() -> None:
    notion, drive = SHELVES["notion"], SHELVES["google_drive_docs_sheets"]
    pages = """{"results": [{"id": "p1", "object": "page", "properties": {"Name": {"title": [{"plain_text": "Plan"}]}}},
                            {"id": "d1", "object": "database", "title": [{"plain_text": "Tasks"}]}]}"""
    blocks = """{"results": [{"type": "paragraph", "paragraph": {"rich_text": [{"plain_text": "One "}, {"plain_text": "two."}]}},
                             {"type": "divider", "divider": {}},
                             {"type": "quote", "quote": {"rich_text": [{"plain_text": "Three."}]}}]}"""
    files = """{"files": [{"id": "f1", "name": "Budget.pdf", "mimeType": "application/vnd.google-apps.document"},
                          {"id": "f2", "name": "Photo", "mimeType": "image/png"}]}"""
    body = """{"body": {"content": [{"paragraph": {"elements": [{"textRun": {"content": "One "}}, {"textRun": {"content": "two.\\n"}}]}},
               {"table": {"tableRows": [{"tableCells": [{"content": [{"paragraph": {"elements": [{"textRun": {"content": "cell"}}]}}]}]}]}}]}}"""

    assert [(each.external, each.title) for each in found(notion, pages)] == [("p1", "Plan")]
    assert text_of(notion, [blocks, blocks]) == "One two.\n\nThree.\n\nOne two.\n\nThree."
    assert [(each.external, each.title) for each in found(drive, files)] == [("f1", "Budget.pdf")]
    assert text_of(drive, [body]) == "One two.\n\ncell"
    for odd in ("null", "[]", '{"files": 7}', '{"files": [7, {"id": 3}]}'):
        assert found(drive, odd) == ()
        assert text_of(drive, [odd]) == ""


def test_every_shelf_asks_for_operations_there_are_in_words_they_take() -> None:
    from integrations.actions import ReadFromProvider, kind_of
    from integrations.catalogue.arguments import checked
    from integrations.catalogue.load import catalogue

    for provider, shelf in SHELVES.items():
        finds, reads = (catalogue().operation(provider, each) for each in (shelf.finds, shelf.reads))
        assert (kind_of(finds), kind_of(reads)) == (ReadFromProvider, ReadFromProvider)
        assert checked(finds, asking_for(shelf, "plan"))
        assert shelf.document in reads.schema()["required"]
