"""The invented company's campaign briefs: documents to bring into a knowledge base."""

from typing import Any

from integrations.demo.customers import NoSuchThing

_HARBOUR = """# Back to the harbour

## Audience

People who bought rainwear two years ago or earlier and live within fifty kilometres of the coast.

## Offer

Old coats are taken back at the harbour shop. Whoever brings one gets thirty percent off a new one until the end of October.

## Tone

Warm and dry, like the coats. Never a joke about the weather forecast.
"""
_SPRING = """# Spring collection

## Budget

Five thousand euros in all; no more than four hundred on any one day. Half of it is kept for the last two weeks.

## Channels

Search and newsletter. Nothing is shown on video before the film is approved by Marin.
"""
_VOICE = """# How we speak

We say "coat", never "outerwear". We name the price in the first sentence. Exclamation marks are for lighthouses.
"""


class Briefs:
    """All of them, in memory."""

    def __init__(self) -> None:
        self.texts = {
            "b-1": {"title": "Back to the harbour", "updated_at": "2026-08-14T09:30:00Z", "text": _HARBOUR},
            "b-2": {"title": "Spring collection", "updated_at": "2026-02-03T16:05:00Z", "text": _SPRING},
            "b-3": {"title": "How we speak", "updated_at": "2025-11-20T11:45:00Z", "text": _VOICE},
        }

    def listed(self, word: str | None) -> dict[str, Any]:
        """Those whose title holds the word, without their text."""
        return {
            "briefs": [
                {"id": name, "title": each["title"], "updated_at": each["updated_at"]}
                for name, each in self.texts.items()
                if (word or "").casefold() in each["title"].casefold()
            ]
        }

    def one(self, wanted: str) -> dict[str, Any]:
        """One, with its text. Raises `NoSuchThing`."""
        if wanted not in self.texts:
            raise NoSuchThing()
        return {"id": wanted, **self.texts[wanted]}
