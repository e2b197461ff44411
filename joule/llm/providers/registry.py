"""Which model `JOULE_MODEL` names, and how to open it.

A name that is unknown, or a setting that would send the conversation in clear, is advice at the start, never a
fallback: no model is ever used that the operator did not name.
"""

import re
from dataclasses import dataclass

from joule.kernel.settings import ModelSettings
from joule.llm.errors import ProviderUnknown
from joule.llm.providers._address import check_address
from joule.llm.providers.base import ChatModel
from joule.llm.providers.quiet import silence

OFFLINE = "offline"
HOSTED = ("openai", "anthropic", "bedrock", "google")

_MODEL_NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,128}")


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """The model that answers. `is_offline`: a planner of ours, to be labelled as such on every page."""

    provider: str
    model: str

    @property
    def is_offline(self) -> bool:
        return self.provider == OFFLINE


def chosen(settings: ModelSettings) -> ModelChoice:
    """The model the settings name. Raises `ProviderUnknown` with advice; opens and imports nothing."""
    name = settings.name.strip()
    if name == OFFLINE:
        return ModelChoice(provider=OFFLINE, model=OFFLINE)
    provider, colon, model = name.partition(":")
    if provider not in HOSTED or not colon or not _MODEL_NAME.fullmatch(model):
        examples = ", ".join(f"`{each}:MODEL`" for each in HOSTED)
        raise ProviderUnknown(
            "JOULE_MODEL does not name a model Joule can ask",
            advice=f"Set JOULE_MODEL to `offline` or to one of {examples}; see docs/models.md.",
        )
    return ModelChoice(provider=provider, model=model)


def open_model(settings: ModelSettings) -> ChatModel:
    """The model the settings name, ready to be asked. Nothing is sent yet.

    Raises `ProviderUnknown`, `ProviderNotInstalled`, or `Misconfigured` for a missing key or an unsafe address.
    """
    choice = chosen(settings)
    silence()
    if choice.is_offline:
        from joule.llm.providers.offline.model import OfflineModel

        return OfflineModel()
    if settings.base_url is not None:
        check_address(settings.base_url, choice.provider)
    from joule.llm.providers.partners import open_partner

    return open_partner(choice.provider, choice.model, settings)
