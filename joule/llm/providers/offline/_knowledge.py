"""Answers from the knowledge base by quoting it: the sentences that fit best, word for word, each with its place.

Pure. A passage is an outsider's text: its markup is taken off before it is quoted, hidden text is never quoted, and a
sentence in it that gives orders is a sentence like any other.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joule.llm.providers.offline._desk import Desk, Want
from joule.llm.providers.offline._extract import sentences_of
from joule.llm.providers.offline._reading import Finding, failed
from joule.llm.providers.offline._wishes import AskKnowledge
from joule.llm.providers.offline._words import counted, key_words

TOOL = "search_knowledge"
SOUGHT = 8  # passages
QUOTED = 3  # sentences
_MARKUP = re.compile(r"[*_`#<>|\\~]+")
_BRACKETS = str.maketrans("[]", "()")


@dataclass(frozen=True, kw_only=True)
class _Sentence:
    text: str
    passage: Mapping[str, Any]
    fit: float
    place: tuple[int, int]  # rank of its passage, place within it


def ask(wish: AskKnowledge, desk: Desk) -> Finding:
    """The answer, quoted, with a link to the page each quotation stands on."""
    (found,) = desk.ask(Want(tool=TOOL, arguments={"query": wish.question, "limit": SOUGHT}))
    if not found.is_good:
        return failed("search the knowledge base", found)
    passages = [each for each in found.rows("passages") if "hidden" not in _marks(each)]
    if not passages:
        return Finding(text="Nothing in the knowledge base answers that.", is_good=False)
    chosen = _chosen(wish.question, passages)
    if not chosen:
        lines = "\n".join(f"- {_cited(each)}" for each in _apart(passages)[:QUOTED])
        return Finding(text=f"No sentence in the knowledge base says that. The closest passages are:\n\n{lines}")
    quotes = "\n\n".join(f"> {each.text}\n>\n> {_cited(each.passage)}" for each in chosen)
    text = f"The knowledge base says:\n\n{quotes}"
    if found.values.get("complete") is False:
        text += "\n\nNot everything could be searched; there may be more."
    return Finding(text=text, document=text + "\n", quotes=tuple(map(_quoted, chosen)))


def propose(desk: Desk, *, before: Sequence[Finding]) -> Finding:
    """Put the best sentence of the answer before the person: nothing of it is used until they agree."""
    quotes = [each for finding in before for each in finding.quotes]
    if not quotes:
        return Finding(
            text="There is nothing to propose: ask the knowledge base first, in the same message.", is_good=False
        )
    (done,) = desk.ask(Want(tool="propose_memory", arguments=quotes[0]))
    if not done.is_good:
        return failed("propose that", done)
    if done.values.get("existing") is True:
        return Finding(text="That is remembered, or waiting for you, already.")
    return Finding(
        text=f"I propose to remember: “{quotes[0]['text']}” It waits on the memory page for somebody to agree."
    )


def list_documents(desk: Desk) -> Finding:
    """What the knowledge base holds."""
    (found,) = desk.ask(Want(tool="list_documents"))
    if not found.is_good:
        return failed("list the documents", found)
    lines = [f"- {_plain(each.get('title'))}{_stand(each)}" for each in found.rows("documents")]
    if not lines:
        return Finding(text="The knowledge base has no documents yet. Add some on the Knowledge page of the project.")
    text = f"The knowledge base has {counted(len(lines), 'document')}:\n\n" + "\n".join(lines[:50])
    return Finding(text=text, document=text + "\n")


def _quoted(sentence: _Sentence) -> Mapping[str, Any]:
    where = {name: sentence.passage.get(name) for name in ("document", "start", "end")}
    return {"text": sentence.text, "kind": "fact", **where}


def _chosen(question: str, passages: Sequence[Mapping[str, Any]]) -> list[_Sentence]:
    """The best sentences, in the order of their passages; none when not one shares a word with the question."""
    keys = set(key_words(question))
    weight = _weights(keys, passages)
    found: dict[str, _Sentence] = {}
    for rank, passage in enumerate(passages):
        around = _keys_of(f"{passage.get('title', '')} {_heading(passage)}")
        for at, raw in enumerate(sentences_of(str(passage.get("text", "")))):
            sentence, said = _plain(raw), _keys_of(raw)
            shared = sum(weight[each] for each in keys if _met(each, said))
            if not sentence or shared == 0:
                continue
            named = 0.4 * sum(weight[each] for each in keys - said if _met(each, around))
            fit = (shared + named) / (1 + 0.12 * rank)
            found.setdefault(sentence, _Sentence(text=sentence, passage=passage, fit=fit, place=(rank, at)))
    ranked = sorted(found.values(), key=lambda each: (-each.fit, each.place))
    best = [each for each in ranked[:QUOTED] if each.fit >= 0.6 * ranked[0].fit]
    return sorted(best, key=lambda each: each.place)


def _weights(keys: set[str], passages: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """A word that few passages have says more than one that all have."""
    texts = [_keys_of(f"{each.get('title', '')} {_heading(each)} {each.get('text', '')}") for each in passages]
    return {key: 1.0 / (1 + sum(_met(key, text) for text in texts)) + 0.2 for key in keys}


def _keys_of(text: str) -> set[str]:
    return set(key_words(text))


def _met(key: str, among: set[str]) -> bool:
    """Whether a word, or one that begins with it, is there: `refund` in `refunded`."""
    return key in among or (
        len(key) > 4 and any(each.startswith(key) or key.startswith(each) for each in among if len(each) > 4)
    )


def _cited(passage: Mapping[str, Any]) -> str:
    """`[Refund policy, page 3](…)`; without a link when the result has none."""
    page = passage.get("page")
    heading = _heading(passage)
    parts = [_plain(passage.get("title")) or "Document"]
    if isinstance(page, int):
        parts.append(f"{_plain(passage.get('leaf')) or 'page'} {page}")
    elif heading:
        parts.append(_plain(heading.rsplit(" › ", 1)[-1]))
    if "speaker_notes" in _marks(passage):
        parts.append("speaker notes")
    name, link = ", ".join(parts), str(passage.get("source") or "")
    return f"[{name}]({link})" if link.startswith("/projects/") and not re.search(r"[\s()<>]", link) else name


def _apart(passages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One passage of each page."""
    return list({(str(each.get("document")), each.get("page")): each for each in reversed(passages)}.values())[::-1]


def _heading(passage: Mapping[str, Any]) -> str:
    path = passage.get("heading")
    return " › ".join(str(each) for each in path) if isinstance(path, list) else str(path or "")


def _marks(passage: Mapping[str, Any]) -> Sequence[str]:
    found = passage.get("marks")
    return found if isinstance(found, list) else ()


def _plain(text: object) -> str:
    """Words alone: nothing that could be markup, a link or a tag."""
    return " ".join(_MARKUP.sub(" ", str(text or "")).translate(_BRACKETS).split())[:400]


def _stand(document: Mapping[str, Any]) -> str:
    state = document.get("state")
    return "" if state in {None, "ready"} else f" ({_plain(state)})"
