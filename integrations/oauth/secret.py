"""A value nobody sees by accident: printing, formatting, pickling and JSON all refuse or show nothing.

Only `reveal` gives the plain text; every call of it is a place to look at in a review.
"""

import hmac
from typing import Any, NoReturn, final

_SHOWN = "Secret(…)"


@final
class Secret:
    """Holds one secret string. Two are equal when their texts are, compared in constant time."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The plain text, for the wire or the vault and nothing else."""
        return self.__text

    def __repr__(self) -> str:
        return _SHOWN

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return _SHOWN

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__text.encode(), other.__text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret is a handle on it

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret does not leave the process")
