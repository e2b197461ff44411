"""Operations that need code: what a connector is, and which ones are installed.

A connector is found by the entry point group `joule.connectors`. Installing one changes nothing: it arrives switched off,
and one that cannot be loaded is told with its reason. Whatever it sends goes through the broker, to its own provider.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from integrations.catalogue.model import Operation, Provider
from integrations.catalogue.render import OutgoingRequest, render

GROUP = "joule.connectors"


class Send(Protocol):
    """One request to the connector's own provider, with the token attached on the way."""

    @property
    def tenant_host(self) -> str | None:
        """The account's shop, data centre or instance, where the provider has such."""
        ...

    async def __call__(self, request: OutgoingRequest) -> Any:
        """The answer's JSON, without a token in it. Raises this room's errors, which a connector lets through."""
        ...


class Connector(Protocol):
    """One provider's operations. Made without arguments; holds nothing from one call to the next."""

    @property
    def provider(self) -> Provider: ...

    def operations(self) -> Mapping[str, Operation]:
        """By id; the same each time."""
        ...

    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        """What the operation gives back, before projection. `arguments` fit its schema. Speaks with nobody but by `send`."""
        ...


class Declared:
    """The connector of a provider whose operations are all data, as those of the catalogue are."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def provider(self) -> Provider:
        return self._provider

    def operations(self) -> Mapping[str, Operation]:
        return self._provider.operations

    async def perform(self, operation: Operation, arguments: Mapping[str, Any], send: Send) -> Any:
        return await send(render(self._provider, operation, arguments, tenant_host=send.tenant_host))


@dataclass(frozen=True, kw_only=True)
class Installed:
    """One entry point. `connector` None: it cannot be used, and `problem` says why in our words."""

    name: str
    package: str
    version: str
    connector: Connector | None
    problem: str = ""
    enabled: bool = False


def installed(*, enabled: Collection[str] = (), found: Iterable[EntryPoint] | None = None) -> tuple[Installed, ...]:
    """Every connector there is, by name. Only those named in `enabled` are loaded at all: others' code is not run.

    A name that two packages claim belongs to neither.
    """
    points = sorted(entry_points(group=GROUP) if found is None else found, key=lambda each: each.name)
    names = [each.name for each in points]
    return tuple(_read(each, enabled=each.name in enabled, twice=names.count(each.name) > 1) for each in points)


def _read(point: EntryPoint, *, enabled: bool, twice: bool) -> Installed:
    def told(connector: Connector | None = None, problem: str = "") -> Installed:
        return Installed(
            name=point.name,
            package=point.dist.name if point.dist is not None else "",
            version=point.dist.version if point.dist is not None else "",
            connector=connector,
            problem=problem,
            enabled=connector is not None,
        )

    if twice:
        return told(problem="two packages bring a connector of this name: uninstall one of them")
    if not enabled:
        return told()
    try:
        made = _made(point.load())
    except Exception as wrong:  # noqa: BLE001 - somebody else's code may raise anything
        return told(problem=f"it cannot be loaded: {type(wrong).__name__}; ask its authors, or reinstall it")
    if made is None:
        return told(problem="it is no connector: it lacks provider, operations or perform")
    if made.provider.id != point.name:
        return told(problem="its provider has another name than its entry point")
    return told(made)


def _made(loaded: Callable[[], Any]) -> Connector | None:
    made = loaded()
    fits = isinstance(getattr(made, "provider", None), Provider) and all(
        callable(getattr(made, name, None)) for name in ("operations", "perform")
    )
    return made if fits else None
