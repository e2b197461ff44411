"""Opens the embedding model the settings name."""

from joule.kernel.settings import Settings
from memory.knowledge.embedding.base import Embedder


def opened(settings: Settings) -> Embedder | None:
    """The model, or None when there is none: then search goes by words alone, and says so."""
    raise NotImplementedError
