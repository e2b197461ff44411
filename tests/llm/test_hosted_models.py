"""The real partner package against a provider on loopback: what is sent, to whom, and what comes back."""

import asyncio
import json
import logging
import subprocess
import sys
import textwrap
import traceback
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from joule.kernel.errors import JouleError, Misconfigured
from joule.kernel.settings import ModelSettings
from joule.llm._answer import MAX_ANSWER_CHARS, Answer
from joule.llm.actions import Generation, Message, ToolCall, ToolSpec
from joule.llm.errors import (
    ContextTooLong,
    MalformedAnswer,
    ModelRefusedKey,
    ModelRefusedRequest,
    ModelUnavailable,
    ProviderNotInstalled,
    ProviderUnknown,
    StreamTruncated,
)
from joule.llm.providers.base import ChatModel, ModelRequest
from joule.llm.providers.registry import chosen, open_model
from tests.llm.conftest import KEY, settings_for
from tests.support.openai_server import BreaksOff, Calls, Fails, Garbage, Hangs, OpenAIServer, Reply, Says

SECRET = "the launch is called Nightjar"
ASKED = ModelRequest(messages=(Message(role="system", text="Be brief."), Message(role="user", text=SECRET)))


async def answer(model: ChatModel, request: ModelRequest = ASKED) -> Generation:
    whole = Answer(provider=model.provider, model=model.model)
    async with aclosing(model.stream(request)) as pieces:
        async for piece in pieces:
            whole.add(piece)
    return whole.whole(label=Generation(model="", provider="").label, spend_micros=0)


async def failure(model: ChatModel, request: ModelRequest = ASKED) -> JouleError:
    with pytest.raises(JouleError) as caught:
        await answer(model, request)
    return caught.value


async def test_an_answer_comes_in_pieces_and_with_its_tokens(provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies.append(Says(pieces=("Good ", "morning", ".")))
    texts = []

    async with aclosing(model.stream(ASKED)) as pieces:
        got = [piece async for piece in pieces]
    texts = [piece.text for piece in got if piece.text]

    assert texts == ["Good ", "morning", "."]
    assert max(piece.input_tokens for piece in got) == 11
    assert max(piece.output_tokens for piece in got) == 7
    assert [piece.finish for piece in got if piece.finish] == ["stop"]


async def test_the_conversation_is_sent_as_it_is_and_the_same_each_time(
    provider: OpenAIServer, model: ChatModel
) -> None:
    talk = (
        Message(role="system", text="Be brief."),
        Message(role="user", text="List"),
        Message(role="assistant", tool_calls=(ToolCall.of("call_1", "list_files", {"b": 1, "a": "x"}),)),
        Message(role="tool", text='{"files":[]}', call_id="call_1", name="list_files"),
        Message(role="user", text="Again"),
    )
    tool = ToolSpec(name="list_files", description="Lists.", parameters='{"type":"object","properties":{}}')
    provider.replies += [Says(pieces=("a",)), Says(pieces=("a",))]

    await answer(model, ModelRequest(messages=talk, tools=(tool,)))
    await answer(model, ModelRequest(messages=talk, tools=(tool,)))

    first, second = provider.requests
    assert first.raw == second.raw
    assert first.path == "/v1/chat/completions"
    assert [each["role"] for each in first.body["messages"]] == ["system", "user", "assistant", "tool", "user"]
    assert first.body["messages"][0]["content"] == "Be brief."
    assert first.body["messages"][2]["tool_calls"][0]["id"] == "call_1"
    assert json.loads(first.body["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {"a": "x", "b": 1}
    assert first.body["messages"][3]["tool_call_id"] == "call_1"
    assert first.body["tools"][0]["function"]["name"] == "list_files"
    assert first.body["stream"] is True
    assert first.body["max_tokens"] == 4096


async def test_tool_calls_in_fragments_are_put_together(provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies.append(
        Says(
            calls=(
                Calls(id="c1", name="read_file", fragments=('{"na', 'me":"a.', 'md"}')),
                Calls(id="c2", name="list_files", fragments=()),
            )
        )
    )

    got = await answer(model)

    assert [(each.id, each.name, each.values()) for each in got.tool_calls] == [
        ("c1", "read_file", {"name": "a.md"}),
        ("c2", "list_files", {}),
    ]
    assert got.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("fragments", "reason"),
    [
        (('{"name": ', "oops"), "the arguments are not valid JSON"),
        (("[1, 2]",), "the arguments are not a JSON object"),
        (('{"n": NaN}',), "the arguments are not valid JSON"),
        (("[" * 5000,), "the arguments are not valid JSON"),
    ],
)
async def test_a_misshapen_call_is_told_not_performed(
    provider: OpenAIServer, model: ChatModel, fragments: tuple[str, ...], reason: str
) -> None:
    good = Calls(id="c1", name="list_files", fragments=("{}",))
    provider.replies.append(Says(calls=(good, Calls(id="c2", name="read_file", fragments=fragments))))

    got = await answer(model)

    assert [each.id for each in got.tool_calls] == ["c1"]
    assert [(each.id, each.name, each.reason) for each in got.invalid_calls] == [("c2", "read_file", reason)]
    assert [each.id for each in got.as_message().tool_calls] == ["c1", "c2"]


async def test_an_answer_cut_at_its_limit_says_so(provider: OpenAIServer, model: ChatModel) -> None:
    call = Calls(id="c1", name="write_file", fragments=('{"text": "half',))
    provider.replies.append(Says(pieces=("Well",), calls=(call,), finish="length"))

    got = await answer(model)

    assert got.finish_reason == "length"
    assert got.tool_calls == ()
    assert got.invalid_calls[0].reason == "the answer ended inside the arguments"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Fails(status=401, message=f"Incorrect API key provided: {KEY}"), ModelRefusedKey),
        (Fails(status=403, message=SECRET), ModelRefusedKey),
        (Fails(status=404, message=f"no model for {SECRET}"), ModelRefusedRequest),
        (Fails(status=400, message=f"bad request: {SECRET}"), ModelRefusedRequest),
        (
            Fails(
                status=400,
                message=f"This model's maximum context length is 8 tokens: {SECRET}",
                code="context_length_exceeded",
            ),
            ContextTooLong,
        ),
        (Fails(status=429, message=SECRET, headers={"retry-after": "7"}), ModelUnavailable),
        (Fails(status=500, message=SECRET), ModelUnavailable),
        (Fails(status=503, message=SECRET), ModelUnavailable),
        (Fails(status=302, message=SECRET, headers={"location": "http://127.0.0.1:9/"}), ModelRefusedRequest),
        (BreaksOff(), StreamTruncated),
        (Says(pieces=("Half an ",), ends_well=False), StreamTruncated),
        (Says(pieces=("Half an ",), finish="a reason nobody knows"), StreamTruncated),
        (Says(ends_well=False), StreamTruncated),
        (Garbage(), MalformedAnswer),
        (Garbage(events=(b'data: {"error": {"message": "overloaded"}}\n\n',)), ModelUnavailable),
    ],
)
async def test_each_failure_has_its_error_and_tells_nothing_it_should_not(
    provider: OpenAIServer,
    model: ChatModel,
    reply: Reply,
    kind: type[JouleError],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.replies.append(reply)

    problem = await failure(model)

    assert type(problem) is kind
    told = "".join(traceback.format_exception(problem)) + problem.advice() + repr(problem) + caplog.text
    assert KEY not in told
    assert SECRET not in told
    assert problem.__context__ is None
    assert problem.__cause__ is None
    assert len(provider.requests) == 1  # nothing below us tries again
    assert SECRET in provider.requests[0].raw.decode()  # control: it was really sent


async def test_how_long_to_wait_is_heard(provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies.append(Fails(status=429, headers={"retry-after": "7"}))

    problem = await failure(model)

    assert isinstance(problem, ModelUnavailable)
    assert problem.retry_after == 7.0


async def test_a_provider_that_is_not_there_is_unavailable() -> None:
    async with OpenAIServer().running() as gone:
        settings = settings_for(gone)

    assert type(await failure(open_model(settings))) is ModelUnavailable


async def test_an_endless_answer_is_given_up(provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies.append(Says(pieces=["x" * 50_000] * (MAX_ANSWER_CHARS // 50_000 + 2)))

    assert type(await failure(model)) is MalformedAnswer


async def test_only_the_named_provider_gets_bytes(provider: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAIServer().running() as other:
        for variable in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_PROXY", "LANGSMITH_ENDPOINT"):
            monkeypatch.setenv(variable, other.url)
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, other.url.removesuffix("/v1"))
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_x")
        provider.replies.append(Says(pieces=("Hi",)))

        got = await answer(open_model(settings_for(provider)))
        await asyncio.sleep(0.3)

    assert got.text == "Hi"
    assert len(provider.requests) == 1
    assert other.connections == 0


@pytest.mark.parametrize("is_loaded", [True, False])
def test_tracing_is_off_whatever_the_environment_says(is_loaded: bool) -> None:
    """In a process of its own, since tracing is switched off for a whole process. The control leaves it on.

    The tracer may be loaded before the model is opened, or after it, by the graph's library.
    """
    script = f"""
        import os, sys
        for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2"):
            os.environ[name] = "true"
        if {is_loaded}:
            import langsmith.utils
            before = langsmith.utils.tracing_is_enabled()
        else:
            before = "langsmith" not in sys.modules
        from joule.kernel.settings import ModelSettings
        from joule.llm.providers.registry import open_model
        open_model(ModelSettings(name="offline"))
        import langsmith.utils
        print(bool(before), bool(langsmith.utils.tracing_is_enabled()))
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)

    assert run.stdout.split() == ["True", "False"]


async def test_a_call_that_is_dropped_closes_its_connection(provider: OpenAIServer, model: ChatModel) -> None:
    provider.replies.append(Hangs(pieces=("One ",)))

    async with aclosing(model.stream(ASKED)) as pieces:
        first = await anext(pieces)
        while not first.text:
            first = await anext(pieces)

    assert first.text == "One "


@pytest.mark.parametrize("name", ["", "gpt-5", "openai:", "openai", "mistral:large", "openai:a b", "openai:\n"])
def test_a_name_nobody_knows_is_advice(name: str) -> None:
    with pytest.raises(ProviderUnknown) as caught:
        chosen(ModelSettings(name=name))

    assert "openai:MODEL" in caught.value.advice()


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example.com/v1",
        "http://10.0.0.1/v1",
        "ftp://127.0.0.1/v1",
        "https://user:pw@models.example.com/v1",
        "https://models.example.com/v1?key=abc",
        "models.example.com",
        "http://localhost.example.com/v1",
    ],
)
def test_an_unsafe_address_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured):
        open_model(ModelSettings(name="openai:m", api_key=SecretStr(KEY), base_url=url))


@pytest.mark.parametrize(
    ("url", "recipient"),
    [
        ("https://models.example.com/v1", "models.example.com"),
        ("http://127.0.0.1:1234/v1", "127.0.0.1:1234"),
        ("http://localhost:1234/v1", "localhost:1234"),
        (None, "api.openai.com"),
    ],
)
def test_a_safe_address_is_taken_and_named(url: str | None, recipient: str) -> None:
    model = open_model(ModelSettings(name="openai:m", api_key=SecretStr(KEY), base_url=url))

    assert model.recipient == recipient
    assert KEY not in repr(model)


def test_without_a_key_there_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    with pytest.raises(Misconfigured) as caught:
        open_model(ModelSettings(name="openai:m"))

    assert "JOULE_MODEL_API_KEY" in caught.value.advice()


async def test_the_key_of_one_provider_is_not_given_to_another_server(
    provider: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    provider.replies.append(Says(pieces=("Hi",)))

    await answer(open_model(ModelSettings(name="openai:m", base_url=provider.url)))

    assert KEY not in str(provider.requests[0].headers)


@pytest.mark.parametrize("extra", ["anthropic", "google", "bedrock"])
def test_a_missing_package_is_named(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {"anthropic": "langchain_anthropic", "google": "langchain_google_genai", "bedrock": "langchain_aws"}
    monkeypatch.setitem(sys.modules, packages[extra], None)
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    key = None if extra == "bedrock" else SecretStr(KEY)

    with pytest.raises(ProviderNotInstalled) as caught:
        open_model(ModelSettings(name=f"{extra}:m", api_key=key))

    assert f"pip install 'joule-agent[{extra}]'" in caught.value.advice()
