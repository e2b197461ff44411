"""pgvector's half-precision vectors as a column type."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.engine import Dialect
from sqlalchemy.types import UserDefinedType


class HalfVector(UserDefinedType[Sequence[float]]):
    """`halfvec(n)`. Written and read as text, so no driver has to know the type."""

    cache_ok = True

    def __init__(self, dimensions: int | str | None = None) -> None:
        self.dimensions = None if dimensions is None else int(dimensions)

    def get_col_spec(self, **_: Any) -> str:
        return "halfvec" if self.dimensions is None else f"halfvec({self.dimensions})"

    def bind_processor(self, dialect: Dialect) -> Callable[[Sequence[float] | None], str | None]:
        return lambda value: None if value is None else as_text(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], tuple[float, ...] | None]:
        return lambda value: None if value is None else tuple(map(float, value.strip("[]").split(",")))


def as_text(vector: Sequence[float]) -> str:
    """How PostgreSQL reads a vector; in statements written by hand: `CAST(:vector AS halfvec)`."""
    return "[" + ",".join(f"{part:.6g}" for part in vector) + "]"


# So that a reflected schema can be compared with ours: the dialect has never heard of the type.
ischema_names.setdefault("halfvec", HalfVector)
