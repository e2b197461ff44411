"""A link to a document's page is followed only where the agent was given that passage. Pure."""

from uuid import UUID

from joule.agent.citing import leaf_of, place_of
from joule.web.chat.citations import Given
from joule.web.markdown import Renderer

PROJECT, READ, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


def link(document: UUID, *, version: int = 1, start: int = 0, end: int = 90) -> str:
    return place_of(PROJECT, document, version=version, start=start, end=end)


def given() -> Given:
    passages = [{"document": str(READ), "version": 1, "start": 0, "end": 90}]
    found = Given()
    found.take("memory.search_knowledge", {"passages": passages, "how": "text"})
    return found


def test_a_passage_that_was_given_leads_to_its_page_and_any_other_does_not() -> None:
    leads = given().leads

    assert leads(link(READ))
    assert leads(link(READ, start=40, end=50))
    assert not leads(link(READ, start=500, end=600))
    assert not leads(link(READ, version=2))
    assert not leads(link(OTHER))
    assert not leads("https://joule.example" + link(OTHER))
    assert leads("https://example.com/")
    assert leads(f"/projects/{PROJECT}/files/{OTHER}")


def test_what_earlier_answers_were_made_from_may_be_cited_again_and_other_tools_give_nothing() -> None:
    found = Given(earlier=[OTHER])
    found.take("integrations.read_from_provider", {"passages": [{"document": str(READ)}]})
    found.take("memory.search_knowledge", None)

    assert found.leads(link(OTHER, start=500, end=600))
    assert not found.leads(link(READ))


def test_a_link_nobody_earned_is_shown_without_its_address() -> None:
    renderer = Renderer().checking(given().leads)

    (block,) = renderer.blocks(f"Paid at once ([policy]({link(READ)}), [made up]({link(OTHER)})).")

    assert str(block.html).count("href=") == 1
    assert "made up" in block.html
    assert str(OTHER) not in block.html


def test_a_slide_is_called_a_slide() -> None:
    assert [leaf_of(each) for each in ("Plan.PPTX", "Prices.xlsx", "Plan.pdf", "Plan")] == [
        "slide",
        "sheet",
        "page",
        "page",
    ]
