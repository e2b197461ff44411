"""Reads a partner package's exception and says, in our words, what happened.

Its text is looked at and never repeated: providers quote the request, and some quote the key, in their errors.
"""

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from joule.kernel.errors import JouleError
from joule.llm.errors import (
    ContextTooLong,
    MalformedAnswer,
    ModelRefusedKey,
    ModelRefusedRequest,
    ModelUnavailable,
    StreamTruncated,
)

_TOO_LONG = (
    "context_length_exceeded",
    "contextwindowexceeded",
    "context window",
    "maximum context length",
    "prompt is too long",
    "input is too long",
    "input token count",
    "input tokens exceed",
    "too many input tokens",
)
_AWS_STATUS = {
    "AccessDeniedException": 403,
    "ExpiredTokenException": 401,
    "UnrecognizedClientException": 401,
    "ThrottlingException": 429,
    "ServiceQuotaExceededException": 429,
    "ModelTimeoutException": 503,
    "ModelNotReadyException": 503,
}
_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "NoAuthTokenError"}
_BROKEN_OFF = {"RemoteProtocolError", "ReadError", "IncompleteRead", "ChunkedEncodingError", "ProtocolError"}
_SILENT = {"TimeoutException", "ReadTimeout", "ConnectTimeout", "PoolTimeout", "APITimeoutError", "ReadTimeoutError"}
_AWAY = {"APIConnectionError", "ConnectError", "NetworkError", "EndpointConnectionError", "ConnectionError"}
_GARBLED = {"JSONDecodeError", "ValidationError", "DecodingError", "UnicodeDecodeError"}


def understood(problem: Exception, *, provider: str, model: str, key_variable: str, started: bool) -> JouleError:
    """Our error for theirs. `started`: whether anything of the answer had arrived."""
    chain = list(_chain(problem))
    status = next((found for each in chain if (found := _status(each)) is not None), None)
    if any("overflow" in type(each).__name__.lower() for each in chain) or _is_too_long(chain, status):
        return ContextTooLong(provider, model)
    if status is not None and status >= 300:
        return _by_status(status, chain, provider=provider, model=model, key_variable=key_variable)
    names = {base.__name__ for each in chain for base in type(each).__mro__}
    if names & _CREDENTIALS:
        return ModelRefusedKey(provider, variable=key_variable)
    if names & _SILENT:
        return ModelUnavailable(provider, reason="it did not answer in time")
    if any("No generation chunks" in str(each) for each in chain):  # langchain-core's word for an empty stream
        return StreamTruncated(provider)
    if names & _BROKEN_OFF:
        return StreamTruncated(provider) if started else ModelUnavailable(provider, reason="it dropped the connection")
    if names & _AWAY:
        return ModelUnavailable(provider, reason="it could not be reached")
    if names & _GARBLED:
        return MalformedAnswer(provider, problem="it is not in the provider's own format")
    if "APIError" in names or "EventStreamError" in names:  # an error the provider sent inside the stream
        return ModelUnavailable(provider, reason="it reported an error of its own")
    return MalformedAnswer(provider, problem="its package could not read it")


def _by_status(status: int, chain: list[BaseException], *, provider: str, model: str, key_variable: str) -> JouleError:
    if status in {401, 403}:
        return ModelRefusedKey(provider, variable=key_variable)
    if status == 429:
        wait = next((found for each in chain if (found := _retry_after(each)) is not None), None)
        return ModelUnavailable(provider, reason="it is being asked too often", retry_after=wait)
    if status in {408, 409, 425} or status >= 500:
        wait = next((found for each in chain if (found := _retry_after(each)) is not None), None)
        return ModelUnavailable(provider, reason=f"it answered with status {status}", retry_after=wait)
    return ModelRefusedRequest(provider, model, status=status)


def _chain(problem: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = problem
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _status(problem: BaseException) -> int | None:
    found: Any = getattr(problem, "status_code", None)
    response: Any = getattr(problem, "response", None)
    if found is None and isinstance(response, dict):  # botocore
        code = str(response.get("Error", {}).get("Code", ""))
        found = _AWS_STATUS.get(code) or response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if found is None:
        found = getattr(problem, "code", None)  # google
    return found if isinstance(found, int) and 100 <= found <= 599 else None


def _is_too_long(chain: list[BaseException], status: int | None) -> bool:
    if status not in {None, 400, 413, 422}:
        return False
    return status == 413 or any(mark in str(each).lower() for each in chain for mark in _TOO_LONG)


def _retry_after(problem: BaseException) -> float | None:
    headers: Any = getattr(getattr(problem, "response", None), "headers", None)
    written = headers.get("retry-after") if headers is not None and hasattr(headers, "get") else None
    if not isinstance(written, str):
        return None
    try:
        return max(0.0, float(written))
    except ValueError:
        return _until(written)


def _until(date: str) -> float | None:
    """Retry-After as a date is not turned into seconds: it says 'not now', which is what a long wait says too."""
    try:
        parsedate_to_datetime(date)
    except ValueError:
        return None
    return 3600.0
