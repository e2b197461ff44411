"""The repository's paraphrase set: whether questions in other words than a passage's own find it."""

from joule.bench._library import Library
from joule.bench.answers import TARGETS, paraphrases
from joule.database.engine import Database
from joule.kernel.ids import OrgId
from joule.kernel.label import Label
from joule.vault.vault import Vault
from memory.knowledge.embedding.minilm import installed
from memory.knowledge.retrieval import asked, search

EVERY = 5  # of the questions, over all of the passages: `joule bench answers` asks them all


def test_the_set_is_large_enough_to_tell_and_asks_nothing_twice() -> None:
    asks = paraphrases()

    for column in ([each.passage for each in asks], [each.question for each in asks], [each.distant for each in asks]):
        assert len(set(column)) == len(asks) >= 100


async def test_questions_in_other_words_find_their_passages(database: Database, vault: Vault, org: OrgId) -> None:
    model = installed()
    assert model is not None
    library = Library(database=database, vault=vault, org=org, embedder=model)
    asks = paraphrases()
    project = await library.project()
    _, chunks = await library.shelve(project, [each.passage for each in asks])
    places = []
    for each, chunk in list(zip(asks, chunks, strict=True))[::EVERY]:
        question = await asked(each.question, embedder=model, principal=library.system, label=Label())
        async with database.read(org) as session:
            found = await search(session, await vault.keyring(session, org), project, None, question, limit=3)
        ids = [hit.chunk for hit in found.hits]
        places.append(ids.index(chunk) if chunk in ids else len(ids))
    await model.close()

    assert sum(place == 0 for place in places) / len(places) >= TARGETS["hit1_hybrid"]["min"]
    assert sum(place < 3 for place in places) / len(places) >= TARGETS["hit3_hybrid"]["min"]
