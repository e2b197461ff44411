"""Opens the LangChain chat model of each provider; each partner package is imported only when it is asked for.

Everything that decides who receives the conversation is stated here, so that no variable of a partner package
(OPENAI_BASE_URL, OPENAI_PROXY, a tracing gateway) can send it elsewhere. Nothing is retried below us.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from joule.kernel.errors import Misconfigured
from joule.kernel.settings import ModelSettings
from joule.llm.errors import ProviderNotInstalled
from joule.llm.providers._address import host_of, stays_here
from joule.llm.providers.base import ChatModel
from joule.llm.providers.langchain import LangChainModel
from joule.llm.providers.quiet import silence

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"
GOOGLE_HOST = "generativelanguage.googleapis.com"

KEY_VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "bedrock": "AWS_ACCESS_KEY_ID",
    "google": "GOOGLE_API_KEY",
}


def open_partner(provider: str, model: str, settings: ModelSettings) -> ChatModel:
    """The model `model` of a hosted provider. Raises `ProviderNotInstalled` or `Misconfigured`."""
    opener = {"openai": _openai, "anthropic": _anthropic, "bedrock": _bedrock, "google": _google}[provider]
    chat, recipient = opener(model, settings)
    silence()  # the partner package may have set up its own loggers when it was imported
    return LangChainModel(
        chat=chat, provider=provider, model=model, recipient=recipient, key_variable=KEY_VARIABLES[provider]
    )


def _openai(model: str, settings: ModelSettings) -> tuple[BaseChatModel, str]:
    with _extra("openai"):
        import langchain_openai
        import openai
    url = settings.base_url or OPENAI_URL
    limit: dict[str, Any] = {"max_completion_tokens": settings.max_output_tokens}
    if settings.base_url is not None:  # servers that only speak the format know the older word
        limit = {"extra_body": {"max_tokens": settings.max_output_tokens}}
    chat = langchain_openai.ChatOpenAI(
        model=model,
        base_url=url,
        api_key=_key("openai", settings, needed=settings.base_url is None),
        http_async_client=openai.DefaultAsyncHttpxClient(
            # A redirect would hand the conversation to a host nobody chose; a proxy has no business on loopback.
            follow_redirects=False,
            trust_env=not stays_here(url),
            timeout=settings.timeout_seconds,
        ),
        openai_proxy="",
        timeout=settings.timeout_seconds,
        stream_chunk_timeout=None,
        max_retries=0,
        stream_usage=True,
        use_responses_api=False,
        cache=False,
        verbose=False,
        **limit,
    )
    return chat, host_of(url)


def _anthropic(model: str, settings: ModelSettings) -> tuple[BaseChatModel, str]:
    with _extra("anthropic"):
        import langchain_anthropic  # type: ignore[import-not-found,unused-ignore]
    url = settings.base_url or ANTHROPIC_URL
    chat = langchain_anthropic.ChatAnthropic(
        model=model,
        base_url=url,
        api_key=_key("anthropic", settings),
        max_tokens=settings.max_output_tokens,
        timeout=settings.timeout_seconds,
        max_retries=0,
        stream_usage=True,
        cache=False,
        verbose=False,
    )
    return chat, host_of(url)


def _bedrock(model: str, settings: ModelSettings) -> tuple[BaseChatModel, str]:
    if settings.api_key is not None:
        raise Misconfigured(
            "JOULE_MODEL_API_KEY does not apply to bedrock",
            advice="Unset it; Bedrock uses the AWS credentials of this process and AWS_REGION.",
        )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise Misconfigured("bedrock needs a region", advice="Set AWS_REGION to the region your models are enabled in.")
    with _extra("bedrock"):
        import langchain_aws  # type: ignore[import-not-found,unused-ignore]
    host = f"bedrock-runtime.{region}.amazonaws.com"
    chat = langchain_aws.ChatBedrockConverse(
        model=model,
        region_name=region,
        endpoint_url=f"https://{host}",
        max_tokens=settings.max_output_tokens,
        cache=False,
        verbose=False,
    )
    return chat, host


def _google(model: str, settings: ModelSettings) -> tuple[BaseChatModel, str]:
    with _extra("google"):
        import langchain_google_genai  # type: ignore[import-not-found,unused-ignore]
    chat = langchain_google_genai.ChatGoogleGenerativeAI(
        model=model,
        google_api_key=_key("google", settings),
        max_output_tokens=settings.max_output_tokens,
        timeout=settings.timeout_seconds,
        max_retries=1,  # this package counts the first try
        cache=False,
        verbose=False,
    )
    return chat, GOOGLE_HOST


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """Turns the absence of a partner package into the advice to install it."""
    absent = False
    try:
        yield
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith(("langchain_", "openai")):
            raise
        absent = True
    if absent:
        raise ProviderNotInstalled(name, extra=name)


def _key(provider: str, settings: ModelSettings, *, needed: bool = True) -> SecretStr:
    """The key from our own setting, else from the provider's variable.

    The provider's variable is not used for another server's address: that key was not meant for it.
    """
    if settings.api_key is not None:
        return settings.api_key
    variable = KEY_VARIABLES[provider]
    if settings.base_url is None and (found := os.environ.get(variable)):
        return SecretStr(found)
    if needed:
        raise Misconfigured(
            f"there is no key for the model provider {provider}",
            advice=f"Set JOULE_MODEL_API_KEY or {variable}, or set JOULE_MODEL=offline to work without a provider.",
        )
    return SecretStr("none")
