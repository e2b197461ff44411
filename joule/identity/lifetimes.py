"""How long people stay signed in."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from joule.kernel.settings import WebSettings


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """How long a session lives without use, and at most."""

    idle: timedelta
    longest: timedelta

    @classmethod
    def of(cls, settings: WebSettings) -> Self:
        """As the deployment is set up."""
        return cls(idle=timedelta(hours=settings.session_idle_hours), longest=timedelta(days=settings.session_max_days))
