"""A token is on the wire and nowhere else: not in an answer, an error, a traceback, a log or a repr."""

import asyncio
import base64
import io
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from integrations.broker._echo import without
from integrations.broker.guard import LOGGERS
from integrations.errors import ProviderBusy
from joule.kernel.errors import JouleError
from tests.integrations.broker.conftest import FRESH, TOKEN, Bench, operation, sending
from tests.support.provider_server import Answers, CutShort, Echo, Endless, HangsUp, Json, Raw, Silent

FORMS = (TOKEN, quote(TOKEN, safe=""), base64.b64encode(TOKEN.encode()).decode(), FRESH)
FAULTS = [
    *(Echo(status=status) for status in (400, 401, 403, 404, 429, 500, 503)),
    *(Silent(), CutShort(), HangsUp(), Endless(total=3 * 2**20)),
    Raw(body=b"", status=302, headers={"location": "http://169.254.169.254/"}),
    Json(headers={"x-long": "y" * 40_000}),
    Raw(body=b"HTTP nonsense \x00"),
]


@pytest.fixture
def heard() -> Iterator[io.StringIO]:
    """Everything any logger says, with every level open."""
    told = io.StringIO()
    ear = logging.StreamHandler(told)
    root = logging.getLogger()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield told
    root.removeHandler(ear)
    root.setLevel(before)


def shown(problem: BaseException) -> str:
    """All an error reporter could print: the chain of causes, every frame with its local values, the attributes."""
    found = []
    todo: list[BaseException | None] = [problem]
    while todo:
        one = todo.pop()
        if one is None:
            continue
        found += ["".join(traceback.TracebackException.from_exception(one, capture_locals=True).format())]
        found += [repr(vars(one)), repr(one.args), str(one)]
        frame = one.__traceback__
        while frame is not None:
            if "/tests/" not in frame.tb_frame.f_code.co_filename:
                found += [repr(value) for value in frame.tb_frame.f_locals.values()]
                found += [repr(getattr(each, "__dict__", "")) for each in frame.tb_frame.f_locals.values()]
            frame = frame.tb_next
        todo += [one.__cause__, one.__context__]
    return "\n".join(found)


def clean(text: str) -> bool:
    return not any(form in text for form in FORMS)


@pytest.mark.parametrize("answer", FAULTS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("asked", [operation(), sending()], ids=["reading", "sending"])
async def test_no_failure_shows_the_token(bench: Bench, heard: io.StringIO, answer: Answers, asked: object) -> None:
    bench.answers(answer)

    with pytest.raises(JouleError) as failed:
        await bench.call(asked)  # type: ignore[arg-type]

    bench.keeper.current = ""  # the test's own copy
    assert TOKEN in bench.server.requests[0].headers["authorization"]  # it really was on the wire
    assert clean(shown(failed.value))
    assert clean(heard.getvalue())


async def test_a_call_that_is_cancelled_shows_no_token(bench: Bench, heard: io.StringIO) -> None:
    bench.answers(Silent())
    going = asyncio.create_task(bench.call())
    while not bench.server.requests:
        await asyncio.sleep(0.01)

    going.cancel()
    with pytest.raises(asyncio.CancelledError) as stopped:
        await going

    bench.keeper.current = ""
    assert clean(shown(stopped.value))
    assert clean(heard.getvalue())


async def test_a_deadline_of_the_caller_still_ends_a_call(bench: Bench) -> None:
    bench.answers(Silent())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await bench.call()


async def test_a_client_library_error_by_itself_would_show_it() -> None:
    import httpx2

    request = httpx2.Request("GET", "http://127.0.0.1/", headers={"X-Token": TOKEN})

    assert not clean(repr(vars(httpx2.ReadTimeout("late", request=request))["_request"].headers))


async def test_a_token_the_provider_repeats_is_taken_out(bench: Bench, heard: io.StringIO) -> None:
    bench.answers(Echo())

    reply = await bench.call()

    assert "[removed]" in json.loads(reply.data)["headers"]["authorization"]
    assert clean(reply.data)
    assert clean(heard.getvalue())
    assert clean(repr(reply))


@pytest.mark.parametrize("form", FORMS[:3])
def test_every_way_of_writing_it_is_recognised(form: str) -> None:
    left = without({f"k{form}": [f"a {form} b", {"deep": form}], "plain": "words"}, (TOKEN,))

    assert form not in json.dumps(left)
    assert left["plain"] == "words"


def test_a_token_hidden_in_json_escapes_is_found_too() -> None:
    hidden = json.loads('"' + "".join(f"\\u{ord(letter):04x}" for letter in TOKEN) + '"')

    assert without(hidden, (TOKEN,)) == "[removed]"


async def test_nothing_of_the_broker_can_be_pickled_with_a_token_in_it(bench: Bench) -> None:
    found = await bench.keeper.usable(bench.account.org, bench.account.connection, decision=bench.decision)

    with pytest.raises(TypeError):
        pickle.dumps(found)
    assert clean(repr(found) + repr(found.tokens) + f"{found.tokens.access_token}" + repr(bench.broker))


async def test_the_busy_error_has_no_trace_of_the_wire(bench: Bench) -> None:
    bench.answers(Silent())

    with pytest.raises(ProviderBusy) as busy:
        await bench.call()

    files = [frame.filename for frame in traceback.extract_tb(busy.value.__traceback__)]
    assert not any("httpx2" in name or "httpcore2" in name or name.endswith("_sending.py") for name in files)
    assert busy.value.__context__ is None
