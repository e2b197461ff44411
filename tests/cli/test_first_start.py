"""The sample workspace has something to show: a newcomer's first question to the knowledge base has an answer."""

from joule.agent.task import End
from joule.cli._first_start import DOCUMENT, PROJECT, add_sample
from joule.kernel.ids import ProjectId
from joule.kernel.principal import Principal, Role, Via
from joule.kernel.settings import Settings
from memory import queries
from memory.knowledge.actions import IndexDocument, ListDocuments
from tests.support.house import home


async def test_the_sample_document_is_read_and_answers_a_newcomers_question_with_the_place_it_stands(
    settings: Settings,
) -> None:
    async with home(settings) as here:
        await add_sample(here.house, here.owner)
        async with here.house.database.read(here.org) as session:
            keyring = await here.house.vault.keyring(session, here.org)
            projects = await queries.list_projects(session, keyring)
        here.project = ProjectId(next(each.project for each in projects if each.title == PROJECT))
        listed = await here.house.commands.perform(ListDocuments(principal=here.owner, project=here.project))
        (sample,) = listed.documents
        assert sample.title == DOCUMENT
        system = Principal(org=here.org, person=None, role=Role.SYSTEM, via=Via.SYSTEM)
        await here.house.commands.perform(
            IndexDocument(principal=system, project=here.project, document=sample.document)
        )

        outcome = await here.run(here.claim("When are refunds paid?"))

    assert outcome.end is End.DONE
    assert "within five working days" in (outcome.answer or "")
    assert f"/projects/{here.project}/knowledge/{sample.document}?version=1&at=" in (outcome.answer or "")
