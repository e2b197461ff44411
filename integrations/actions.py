"""All that can be done with connected accounts.

Beginning and finishing a consent speak with the provider, so they are outside effects: their INTENT is durable before
anything leaves, and no transaction is held while it does. What only changes who may do what is internal, and commits
together with its journal rows. A call of an operation is one of four actions by the worst it could do, so that the
policy can tell reading from drafting, sending and spending; the handler refuses an operation of another kind.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Operation
from integrations.results import (
    AllowListSet,
    Answer,
    ClientSet,
    Connected,
    Connections,
    ConsentPage,
    ExtraSecretGiven,
    ProviderTold,
    Refreshed,
    Revoked,
    RuleSet,
    Secret,
)
from joule.kernel.action import Action, Effect, content
from joule.kernel.errors import NotFound
from joule.kernel.label import Purpose


@dataclass(frozen=True, kw_only=True)
class SetProviderClient(Action[ClientSet]):
    """Say who Joule is at a provider: the client id and secret of the app an admin registered there.

    An empty `client_id` forgets what was set. `extra` are the further secrets the catalogue names, if any. With `keep_former` the former secret is tried when the new one is
    refused, so that a secret can be replaced without a gap.
    """

    name: ClassVar[str] = "integrations.set_provider_client"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    provider: str
    client_id: str
    client_secret: Secret | None = content(default=None)  # noqa: RUF009 - a field
    extra: tuple[ExtraSecretGiven, ...] = content(default=())
    keep_former: bool = False
    private_key: Secret | None = content(default=None)  # noqa: RUF009 - a field; PEM, for providers that want assertions
    key_id: str = ""
    key_algorithm: str = "ES256"


@dataclass(frozen=True, kw_only=True)
class SetProviderRule(Action[RuleSet]):
    """Let the organisation use a provider, or not; and which of its scopes. `scopes` None: all of them.

    `members_to` is the gravest class of permission (R1P, R2 or R3) that members may add to an account a task of their own
    waits for; None: that is up to owners and admins.
    """

    name: ClassVar[str] = "integrations.set_provider_rule"
    effect: ClassVar[Effect] = Effect.ACCESS
    idempotent: ClassVar[bool] = True

    provider: str
    allowed: bool
    scopes: tuple[str, ...] | None = None
    members_to: str | None = None


@dataclass(frozen=True, kw_only=True)
class SetAllowList(Action[AllowListSet]):
    """Allow only the providers and scopes that the organisation names, or again all but those it forbids.

    With `keep_connected`, the providers of the accounts that are connected are named along with it, with the scopes they
    were granted; the accounts of all others are refused from now on.
    """

    name: ClassVar[str] = "integrations.set_allow_list"
    effect: ClassVar[Effect] = Effect.ACCESS
    idempotent: ClassVar[bool] = True

    only_listed: bool
    keep_connected: bool = True


@dataclass(frozen=True, kw_only=True)
class BeginConnection(Action[ConsentPage]):
    """Begin a consent at a provider and say where to send the browser. Good once, for ten minutes, in this session.

    `products` names further providers of the same family that the one consent should cover. `connection` is one that
    exists and shall get more `scopes`; it goes on as it is until the new consent succeeds. `task` is the run that
    waits for it. `return_to` is a path within Joule.
    """

    name: ClassVar[str] = "integrations.begin_connection"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    provider: str
    scopes: tuple[str, ...]
    session: UUID
    redirect_uri: str
    products: tuple[str, ...] = ()
    read_only: bool = False
    tenant_host: str | None = None
    return_to: str | None = None
    connection: UUID | None = None
    task: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class BeginStepUp(Action[ConsentPage]):
    """Begin a consent for exactly the permission that a task of one's own waits for: `question` is what it asked.

    The account, the provider and the scopes are those of the question. Members may, as far as the organisation's rule
    for the provider lets them.
    """

    name: ClassVar[str] = "integrations.begin_step_up"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    question: UUID
    session: UUID
    redirect_uri: str


@dataclass(frozen=True, kw_only=True)
class FinishConnection(Action[Connected]):
    """Take what the browser brought back from the provider. Whoever finishes must be who began, in the same session."""

    name: ClassVar[str] = "integrations.finish_connection"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    provider: str
    session: UUID
    state: Secret = content()  # noqa: RUF009 - a field
    code: Secret | None = content(default=None)  # noqa: RUF009 - a field
    issuer: str | None = None
    error: str | None = None
    returned: Secret | None = content(default=None)  # noqa: RUF009 - a field; the whole query, which some providers sign


@dataclass(frozen=True, kw_only=True)
class RevokeConnection(Action[Revoked]):
    """Disconnect an account: dead for every worker when this returns; the provider is told by a job that follows.

    Where one consent covers several connections, only this one ends, unless `whole_grant`. With `delete_synced` what
    was kept from this account goes too.
    """

    name: ClassVar[str] = "integrations.revoke_connection"
    effect: ClassVar[Effect] = Effect.ACCESS
    purpose: ClassVar[Purpose] = Purpose.SECURITY

    connection: UUID
    whole_grant: bool = False
    delete_synced: bool = False


@dataclass(frozen=True, kw_only=True)
class TellProvider(Action[ProviderTold]):
    """Tell a provider that a grant is over, and write down what became of each token. Telling twice does no harm."""

    name: ClassVar[str] = "integrations.tell_provider"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.SECURITY
    idempotent: ClassVar[bool] = True

    revocation: UUID


@dataclass(frozen=True, kw_only=True)
class RefreshGrant(Action[Refreshed]):
    """Renew a grant's tokens ahead of need. Does nothing when somebody else just did."""

    name: ClassVar[str] = "integrations.refresh_grant"
    effect: ClassVar[Effect] = Effect.SEND
    purpose: ClassVar[Purpose] = Purpose.OPERATIONS
    idempotent: ClassVar[bool] = True

    grant: UUID


@dataclass(frozen=True, kw_only=True)
class DescribeConnections(Action[Connections]):
    """Say which accounts are connected, and what may be asked of each."""

    name: ClassVar[str] = "integrations.describe_connections"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class CallOperation(Action[Answer]):
    """Ask something of a connected account. `inputs` is the JSON object of the operation's arguments.

    Use the subclass of the operation's kind: `kind_of(operation)`.
    """

    connection: UUID
    provider: str
    operation: str
    inputs: str

    def relevant(self) -> Mapping[str, str]:
        """The account, and every argument that decides where something goes or what it costs."""
        return {"connection": str(self.connection), **_relevant(self.provider, self.operation, self.inputs)}


@dataclass(frozen=True, kw_only=True)
class ReadFromProvider(CallOperation):
    """An operation that changes nothing at the provider."""

    name: ClassVar[str] = "integrations.read_from_provider"
    effect: ClassVar[Effect] = Effect.READ
    idempotent: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class DraftAtProvider(CallOperation):
    """An operation that creates or changes drafts and internal things at the provider."""

    name: ClassVar[str] = "integrations.draft_at_provider"
    effect: ClassVar[Effect] = Effect.SEND


@dataclass(frozen=True, kw_only=True)
class SendToProvider(CallOperation):
    """An operation that publishes, or sends to people."""

    name: ClassVar[str] = "integrations.send_to_provider"
    effect: ClassVar[Effect] = Effect.SEND


@dataclass(frozen=True, kw_only=True)
class SpendAtProvider(CallOperation):
    """An operation that spends, deletes or administers at the provider."""

    name: ClassVar[str] = "integrations.spend_at_provider"
    effect: ClassVar[Effect] = Effect.SPEND


def kind_of(operation: Operation) -> type[CallOperation]:
    """The action an operation is called by: the graver of what it says it does and what it risks."""
    if operation.effect == "spend" or operation.risk.value == "R4":
        return SpendAtProvider
    if operation.effect == "send" or operation.risk.value == "R3":
        return SendToProvider
    if operation.effect == "write_draft" or operation.risk.value == "R2":
        return DraftAtProvider
    return ReadFromProvider


def _relevant(provider: str, operation: str, inputs: str) -> dict[str, str]:
    """Arguments by name, as text. Where the catalogue does not know the operation, every argument counts."""
    try:
        given = json.loads(inputs)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return {"inputs": inputs}
    try:
        known = catalogue().operation(provider, operation)
    except NotFound:
        return {str(name): _text(value) for name, value in given.items()}
    return {each: _text(given[each]) for each in (*known.destinations, *known.amounts) if given.get(each) is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
