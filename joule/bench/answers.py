"""Whether the right passage is found for questions put in other words than its own.

The repository's own paraphrase set is searched three times: by words alone, by meaning alone, and by both, through the
search the product uses and its own embedding model. hit@k: the share of questions whose passage is among the first k.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from uuid import UUID

import yaml

from joule.bench._ground import ground
from joule.bench._library import Library
from joule.bench.report import Report
from joule.database.engine import Database
from joule.kernel.clock import SystemClock
from joule.kernel.errors import Unavailable
from joule.kernel.ids import OrgId, ProjectId, new_id
from joule.kernel.label import Label
from joule.vault.configured import wrapper_of
from joule.vault.vault import Vault
from memory.knowledge.embedding.minilm import MiniLM, installed
from memory.knowledge.retrieval import Question, asked, search

TARGETS = {"hit1_hybrid": {"min": 0.75}, "hit3_hybrid": {"min": 0.95}}


@dataclass(frozen=True, kw_only=True)
class Paraphrase:
    """A passage, a question it answers, and the same one in words as far from the passage's as can be."""

    passage: str
    question: str
    distant: str


def paraphrases() -> tuple[Paraphrase, ...]:
    """The set that is in the repository."""
    written = files("joule.bench").joinpath("sample/answers.yaml").read_text(encoding="utf-8")
    return tuple(Paraphrase(**each) for each in yaml.safe_load(written))


async def run(*, quick: bool, **_: object) -> Report:
    """`quick` changes nothing: the whole set takes seconds."""
    model = installed()
    if model is None:
        raise Unavailable("the embedding model")
    asks = paraphrases()
    figures = {"questions": float(len(asks)), "passages": float(len(asks))}
    async with ground() as here:
        database = Database(here.address.app_url)
        vault = Vault(wrapper=wrapper_of(here.settings), clock=SystemClock(), environment="test", cache_seconds=60)
        try:
            library = Library(database=database, vault=vault, org=OrgId(new_id()), embedder=model)
            project = await library.project()
            _document, chunks = await library.shelve(project, [each.passage for each in asks])
            usual = list(zip([each.question for each in asks], chunks, strict=True))
            distant = list(zip([each.distant for each in asks], chunks, strict=True))
            figures |= _hits(await _places(library, project, model, usual), "")
            figures |= _hits(await _places(library, project, model, distant), "_distant")
        finally:
            await database.close()
            await model.close()
    return Report(
        name="answers",
        figures=figures,
        targets=TARGETS,
        notes=f"{len(asks)} questions over as many passages, in other words than theirs; `distant` asks the same while "
        f"avoiding every word of the passage on purpose. Model {model.model}; words: keyed hashes of English stems. That words "
        "count from about half of the question on was chosen on this very set",
    )


def _hits(places: Mapping[str, Sequence[int]], kind: str) -> dict[str, float]:
    return {
        f"hit{depth}{kind}_{way}": round(sum(place <= depth for place in found) / len(found), 4)
        for way, found in places.items()
        for depth in (1, 3)
    }


async def _places(
    library: Library, project: ProjectId, model: MiniLM, asks: Sequence[tuple[str, UUID]]
) -> dict[str, list[int]]:
    """At which place each passage came, by way of searching; far below everything when it did not."""
    found: dict[str, list[int]] = {"text": [], "vector": [], "hybrid": []}
    for text, chunk in asks:
        both = await asked(text, embedder=model, principal=library.system, label=Label())
        for way, question in {"text": Question(text=text), "vector": replace(both, text=""), "hybrid": both}.items():
            found[way].append(await _place(library, project, question, chunk))
    return found


async def _place(library: Library, project: ProjectId, question: Question, chunk: UUID) -> int:
    async with library.database.read(library.org) as session:
        keyring = await library.vault.keyring(session, library.org)
        hits = (await search(session, keyring, project, None, question, limit=3)).hits
    return next((place for place, hit in enumerate(hits, 1) if hit.chunk == chunk), 1_000_000)
