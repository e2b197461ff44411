"""Reads questions to the knowledge base: those that speak of it, and those that nothing else understands.

Pure. A question is handed on in the person's own words; what a document says never adds to it.
"""

import re

from joule.llm.providers.offline._phrases import bare, opens, without_politeness
from joule.llm.providers.offline._wishes import AskKnowledge, ListDocuments, ProposeThat, Wish
from joule.llm.providers.offline._words import key_words

MOST_CHARS = 400  # of a question
_BASE = r"(?:the\s+|our\s+|my\s+)?(?:knowledge(?:\s*base)?|uploaded\s+documents?|reference\s+documents?)"
_LISTING = (
    rf"(?:(?:list|show|display)\s+(?:me\s+)?(?:all\s+)?(?:the\s+)?(?:documents?\s+(?:in|of)\s+)?{_BASE}"
    rf"|(?:what|which)(?:\s+documents?)?\s+(?:is|are)\s+(?:there\s+)?in\s+{_BASE}"
    rf"|(?:what|which)\s+documents?\s+does\s+{_BASE}\s+have)\W*$"
)
_SEEKING = (
    rf"(?:search|look\s+(?:it\s+)?up|look|check|consult|ask)\s+(?:(?:in|into|through)\s+)?{_BASE}\s*(?:for|about|on|whether|:|,)?\s*(\S.*)$",
    rf"(?:what|anything|something)\s+(?:does|do|is)\s+(?:there\s+)?(?:in\s+)?{_BASE}\s+(?:says?|tells?\s+(?:me|us)|has|have|know)?\s*(?:about|on|of)?\s*(\S.*)$",
    rf"(?:according\s+to|from|in|using|per)\s+{_BASE}\s*[,:]?\s*(\S.*)$",
)
_QUESTION = re.compile(
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|can|could|may|must|should|will|has|have"
    r"|tell\s+(?:me|us)\s+(?:about|what|which|who|when|where|why|how|whether))\b",
    re.IGNORECASE,
)


_PROPOSING = (
    r"(?:propose|suggest)\s+(?:to\s+(?:remember|keep)\s+|remembering\s+|keeping\s+)?(?:it|that|this|the\s+(?:answer|passage|quote|best\s+one))"
    r"(?:\s+(?:for|to)\s+(?:the\s+|our\s+)?memory|\s+to\s+be\s+remembered)?\W*$"
)


def knowledge_wish(said: str) -> Wish | None:
    """A wish that names the knowledge base, or what it just answered; None when it is not spoken of."""
    if opens(_PROPOSING, said):
        return ProposeThat()
    if opens(_LISTING, said):
        return ListDocuments()
    found = next((hit for pattern in _SEEKING if (hit := opens(pattern, said)) is not None), None)
    return AskKnowledge(question=bare(found[1])[:MOST_CHARS], named=True) if found is not None else None


def question_in(text: str) -> AskKnowledge | None:
    """The whole message, when it is a question about something; None for anything else."""
    said = " ".join(without_politeness(text[:4_000]).split())
    if _QUESTION.match(said) is None or not key_words(said):
        return None
    return AskKnowledge(question=said[:MOST_CHARS])
