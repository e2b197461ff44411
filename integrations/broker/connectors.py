"""Operations that need code: what a connector is, and which ones are installed.

A connector is found by the entry point group `joule.connectors`. Installing one changes nothing: it arrives switched off,
and one that cannot be loaded is told with its reason. Whatever it sends goes through the broker, to its own provider.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from integrations.catalogue._checking import check
from integrations.catalogue.load import shipped
from integrations.catalogue.model import Operation, Provider, frozen
from integrations.catalogue.render import OutgoingRequest, render
from joule.kernel.errors import JouleError

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


def told_of(enabled: Collection[str], *, found: Iterable[EntryPoint] | None = None) -> tuple[Installed, ...]:
    """As `installed`, with those that were enabled and cannot be used saying why, also when they are not there at all."""
    there = [_shelved(each) for each in installed(enabled=enabled, found=found)]
    missing = sorted(set(enabled) - {each.name for each in there})
    absent = "no package brings it: install one, or take it out of JOULE_INTEGRATIONS_CONNECTORS"
    return (*there, *(Installed(name=each, package="", version="", connector=None, problem=absent) for each in missing))


def providers_of(usable: Iterable[Installed]) -> tuple[Provider, ...]:
    """What the enabled connectors add to the catalogue."""
    return tuple(
        replace(each.connector.provider, operations=frozen(dict(each.connector.operations())))
        for each in usable
        if each.connector is not None
    )


def version_of(usable: Iterable[Installed]) -> str:
    """Which connectors in which versions."""
    return " ".join(f"{each.name}={each.package}-{each.version}" for each in usable if each.connector is not None)


def _shelved(one: Installed) -> Installed:
    """The same, switched off when its provider would not pass as a file of the catalogue, or takes the name of one."""
    if one.connector is None:
        return one
    try:
        (provider,) = providers_of([one])
        check(provider)
    except Exception as wrong:  # noqa: BLE001 - somebody else's code may raise anything
        problem = str(wrong) if isinstance(wrong, JouleError) else f"its operations fail: {type(wrong).__name__}"
        return replace(one, connector=None, enabled=False, problem=problem)
    if one.name in shipped().providers:
        return replace(one, connector=None, enabled=False, problem="Joule has a provider of this name: it keeps it")
    return one


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
