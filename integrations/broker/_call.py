"""One call on its way: what is asked, and what an outcome means for it. Pure."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from integrations.broker._sending import Came, Failed
from integrations.broker.calls import Account
from integrations.catalogue import implied
from integrations.catalogue.errors import HostRefused
from integrations.catalogue.model import Meaning, Operation, Provider
from integrations.catalogue.render import OutgoingRequest, host_of
from integrations.catalogue.verdict import failure
from integrations.oauth.secret import Secret
from joule.kernel.errors import JouleError, Misconfigured, OutcomeUnknown
from joule.kernel.ids import DecisionId

UNSURE = frozenset({500, 502, 504})  # a gateway or a crash: the call may have been performed all the same
REDIRECTED = "it points elsewhere"
MOST_REQUESTS = 20  # by one call of a connector with code
OURS = ("authorization", "proxy-authorization", "cookie", "host", "content-length", "transfer-encoding", "connection")
_NAMESPACE = UUID("5f0d8c1e-6b7a-4f6e-9c55-0d4b1f7a2e90")
_SCOPE = re.compile(r'\bscope="([^"]{1,500})"')


@dataclass(frozen=True, kw_only=True)
class Call:
    """An operation with everything but the token."""

    account: Account
    decision: DecisionId
    provider: Provider
    operation: Operation
    request: OutgoingRequest
    headers: Mapping[str, str]
    extra: Mapping[str, Secret]  # by header

    @property
    def words(self) -> str:
        return words_of(self.provider, self.operation)

    def may_repeat(self, outcome: Came | Failed) -> bool:
        """Whether trying again does no more than trying once: by its nature, or because nothing was sent."""
        never_sent = isinstance(outcome, Failed) and outcome.unsent
        return never_sent or self.operation.repeatable or self.operation.effect == "read"

    def meaning_of(self, outcome: Came | Failed) -> Meaning | None:
        """What went wrong, or None when the provider did what it was asked."""
        if isinstance(outcome, Failed):
            return "busy" if outcome.kind == "line" else "refused"
        if outcome.status in {401, 403} and "insufficient_scope" in outcome.challenge:
            return "scope"
        meaning = failure(self.operation, outcome.status, outcome.value)
        return "refused" if meaning is None and not outcome.readable else meaning

    def unsure_after(self, outcome: Came | Failed) -> bool:
        """Whether it may have been performed although no good answer came. Of reading nobody needs to know."""
        if self.operation.effect == "read":
            return False
        if isinstance(outcome, Failed):
            return not outcome.unsent and not (outcome.kind == "answer" and outcome.reason == REDIRECTED)
        return outcome.status in UNSURE or (200 <= outcome.status < 300 and not outcome.readable)

    def scopes_named(self, came: Came) -> tuple[str, ...]:
        """The scopes the provider says are missing, as far as the catalogue knows them; else those the operation needs."""
        named = _SCOPE.search(came.challenge)
        known = tuple(each for each in (named[1].split() if named else ()) if each in self.provider.scopes)
        return known or implied.missing(self.provider, self.operation, ())


class Sending:
    """What a connector may send with: to its own provider, a bounded number of times, with no header of its own that counts.

    `status` is that of the last answer. Raises `OutcomeUnknown` for what fails after an earlier part was carried out.
    """

    def __init__(
        self,
        *,
        tenant_host: str | None,
        provider: Provider,
        operation: Operation,
        answered: Callable[[OutgoingRequest, int], Awaitable[Came]],
    ) -> None:
        self._tenant_host, self._provider, self._operation, self._answered = tenant_host, provider, operation, answered
        self.status, self._sent = 0, 0

    @property
    def tenant_host(self) -> str | None:
        return self._tenant_host

    async def __call__(self, request: OutgoingRequest) -> Any:
        """Raises `HostRefused` for anything that is not a plain request to the provider, and what the broker raises."""
        if request.host != self._tenant_host or self._tenant_host is None:
            host_of(self._provider, request.host)
        else:
            host_of(self._provider, "{tenant}", self._tenant_host)
        if request.scheme != self._provider.scheme or not request.path.startswith("/"):
            raise HostRefused("it is not an address of the provider")
        if any(name.lower() in (*OURS, self._provider.token_header.lower()) for name in request.headers):
            raise HostRefused("a connector does not say who it is or where it speaks to")
        if self._sent >= MOST_REQUESTS:
            raise HostRefused("it sends more than one call may")
        before, self._sent = self._sent, self._sent + 1
        try:
            came = await self._answered(request, before)
        except JouleError:
            if before and self._operation.effect != "read":  # an earlier request of this call was carried out
                raise OutcomeUnknown(words_of(self._provider, self._operation)) from None
            raise
        self.status = came.status
        return came.value


def words_of(provider: Provider, operation: Operation) -> str:
    return f"“{operation.title}” at {provider.title}"


def idempotency_key(decision: UUID, part: int = 0) -> str:
    """What the provider is told, so that it carries out each part of one decision once. Says nothing of us."""
    return str(uuid5(_NAMESPACE, f"{decision}/{part}"))


def headers_of(operation: Operation, decision: UUID, part: int = 0) -> Mapping[str, str]:
    name = operation.idempotency_header
    return {} if name is None else {name: idempotency_key(decision, part)}


def extra_of(account: Account, provider: Provider) -> Mapping[str, Secret]:
    """The provider's second secrets by header. Raises `Misconfigured` when one was never given."""
    found = {}
    for each in provider.extra_secrets:
        if each.name not in account.extra:
            raise Misconfigured(
                f"{provider.title} needs a second secret that was never given",
                advice=f"An admin enters it under Integrations: {each.words}",
            )
        found[each.header] = account.extra[each.name]
    return found
