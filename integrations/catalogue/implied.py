"""Decides whether what was granted is enough. Pure; only what the catalogue states is implied, nothing is guessed.

A scope that the catalogue does not know grants nothing here, whatever a provider may say it means.
"""

from collections.abc import Collection, Iterable

from integrations.catalogue.model import Operation, Provider


def closure(provider: Provider, granted: Iterable[str]) -> frozenset[str]:
    """The granted scopes with all that the catalogue says they contain, step by step to the end."""
    reached: set[str] = set()
    waiting = [name for name in granted if name in provider.scopes]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(provider.scopes[name].implies)
    return frozenset(reached)


def satisfied(provider: Provider, operation: Operation, granted: Iterable[str]) -> bool:
    """True if at least one alternative of the operation is granted whole."""
    held = closure(provider, granted)
    return any(held.issuperset(alternative) for alternative in operation.any_of)


def missing(provider: Provider, operation: Operation, granted: Iterable[str]) -> tuple[str, ...]:
    """What to ask for so that the operation may run: the least risky alternative's missing scopes; () if none."""
    held = closure(provider, granted)
    if any(held.issuperset(alternative) for alternative in operation.any_of):
        return ()
    lacks = [tuple(name for name in alternative if name not in held) for alternative in operation.any_of]
    return min(lacks, key=lambda names: (max(provider.scopes[name].risk.rank for name in names), len(names)))


def to_ask(provider: Provider, chosen: Iterable[str]) -> tuple[str, ...]:
    """What a connection with these scopes asks for: the known ones of them and what every connection needs, in the
    catalogue's order. This is what is stored as requested."""
    wanted = set(chosen)
    return tuple(scope.name for scope in provider.scopes.values() if scope.always or scope.name in wanted)


def to_send(provider: Provider, requested: Iterable[str]) -> tuple[str, ...]:
    """The part of `requested` that exists at the provider and belongs into the authorization request, in order."""
    wanted = set(requested)
    return tuple(scope.name for scope in provider.scopes.values() if scope.sent and scope.name in wanted)


def read_only(provider: Provider) -> tuple[str, ...]:
    """The scopes to choose that cannot change anything; () where the provider does not split reading from writing."""
    return tuple(scope.name for scope in provider.scopes.values() if scope.risk.rank <= 2 and not scope.always)


def dropped(requested: Collection[str], granted: Collection[str]) -> tuple[str, ...]:
    """What was asked for and not given, in the order asked."""
    return tuple(name for name in requested if name not in granted)
