"""Reads the providers' files once, checks them and hands them out frozen.

One file a provider: `providers/<id>.yaml`, shaped by `provider.schema.json`. A file whose name begins with `_` holds what
several share (`like: _google`). Nothing that fails a check is ever in the catalogue: loading raises `BadCatalogue`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from integrations.catalogue._checking import check
from integrations.catalogue.account import AccountClue
from integrations.catalogue.errors import BadCatalogue, OperationUnknown, ProviderUnknown
from integrations.catalogue.model import (
    ErrorRules,
    ExtraSecret,
    Operation,
    Paging,
    Provider,
    Rate,
    Refresh,
    Revocation,
    Risk,
    Scope,
    frozen,
)

SHELF = "integrations.catalogue"


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All providers by id, and a digest of the files they came from."""

    providers: Mapping[str, Provider]
    version: str

    def provider(self, provider: str) -> Provider:
        """Raises `ProviderUnknown`."""
        if provider not in self.providers:
            raise ProviderUnknown()
        return self.providers[provider]

    def operation(self, provider: str, operation: str) -> Operation:
        """Raises `ProviderUnknown` or `OperationUnknown`."""
        operations = self.provider(provider).operations
        if operation not in operations:
            raise OperationUnknown()
        return operations[operation]

    def search(self, words: str = "") -> tuple[Provider, ...]:
        """The providers in which every word occurs, those with it in their name first; all of them for no words."""
        wanted = words.casefold().split()
        found = [one for one in self.providers.values() if all(word in _everything(one) for word in wanted)]
        return tuple(sorted(found, key=lambda one: (-_named(one, wanted), one.demo, one.title.casefold())))

    def family(self, provider: str) -> tuple[Provider, ...]:
        """The providers whose consent at their company is one and the same grant, this one included."""
        name = self.provider(provider).family
        return tuple(one for one in self.providers.values() if one.family == name)


def catalogue() -> Catalogue:
    """The catalogue of this process: what came with this version of Joule, and what `including` has added."""
    return _opened[-1] if _opened else shipped()


_opened: list[Catalogue] = []  # those of `including`, the innermost last


@contextmanager
def including(providers: Iterable[Provider], *, version: str) -> Iterator[None]:
    """Have the whole process know more providers for a while: those of connectors its operator enabled.

    `version` says which, for what is recorded beside a consent. Raises `BadCatalogue` for a name that is taken.
    """
    more, ours = {each.id: each for each in providers}, shipped()
    taken = sorted(set(more) & set(ours.providers))
    if taken:
        raise BadCatalogue(taken[0], "a provider of this name is there already")
    if not more:
        yield
        return
    named = hashlib.sha256(f"{ours.version}\x00{version}".encode()).hexdigest()[:16]
    whole = Catalogue(providers=frozen({**ours.providers, **more}), version=named)
    _opened.append(whole)
    try:
        yield
    finally:
        _opened.remove(whole)


def provider_from(name: str, text: str) -> Provider:
    """One provider from a file like those of the catalogue: for connectors. Raises `BadCatalogue`."""
    return build({f"{name}.yaml": text}).providers[name]


@cache
def shipped() -> Catalogue:
    """The catalogue that came with this version of Joule. Read at the first call, then always the same object."""
    folder = files(SHELF).joinpath("providers")
    texts = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".yaml")}
    return build(texts)


def build(texts: Mapping[str, str]) -> Catalogue:
    """A catalogue from files by name. Raises `BadCatalogue` for the first thing that is wrong."""
    read = {name.removesuffix(".yaml"): _read(name, texts[name]) for name in sorted(texts)}
    shape = Draft202012Validator(json.loads(files(SHELF).joinpath("provider.schema.json").read_text("utf-8")))
    providers = {}
    for name, own in read.items():
        if not name.startswith("_"):
            providers[name] = _provider(name, _with_shared(name, own, read), shape)
            check(providers[name])
    digest = hashlib.sha256("\x00".join(f"{name}\x00{texts[name]}" for name in sorted(texts)).encode())
    return Catalogue(providers=frozen(providers), version=digest.hexdigest()[:16])


class _Reader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain YAML in which no key may stand twice."""


def _once(reader: _Reader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    keys = [reader.construct_object(key, deep=deep) for key, _ in node.value]
    if len(keys) != len(set(keys)):
        raise yaml.YAMLError("a key stands twice")
    return {key: reader.construct_object(value, deep=True) for key, (_, value) in zip(keys, node.value, strict=True)}


_Reader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _once)


def _read(name: str, text: str) -> dict[str, Any]:
    try:
        read = yaml.load(text, Loader=_Reader)  # noqa: S506 - a SafeLoader that is stricter still
    except (yaml.YAMLError, TypeError) as error:
        raise BadCatalogue(name, "it is not YAML that can be read, or a key stands twice") from error
    if not isinstance(read, dict):
        raise BadCatalogue(name, "it is empty")
    return read


def _with_shared(name: str, own: dict[str, Any], read: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    like = own.get("like")
    if like is None:
        return own
    if not str(like).startswith("_") or like not in read:
        raise BadCatalogue(name, f"it is like {like}, which is not there")
    shared = read[like]
    lists: dict[str, Any] = {
        key: [*shared[key], *own[key]] for key in ("notes", "unverified", "sources") if key in shared and key in own
    }
    scopes = {"scopes": {**shared["scopes"], **own["scopes"]}} if "scopes" in shared and "scopes" in own else {}
    return {**shared, **own, **lists, **scopes}


def _provider(name: str, read: dict[str, Any], shape: Any) -> Provider:
    told = {key: value for key, value in read.items() if key != "like"}
    for error in shape.iter_errors(told):
        raise BadCatalogue(name, f"{'.'.join(map(str, error.absolute_path)) or 'the file'}: {error.message[:200]}")
    shared = {key: told.pop(key, {}) for key in ("errors", "rate", "headers")}
    plain = {key: frozen(value) for key, value in told.items() if key not in _BUILT}
    scopes = {scope: Scope(name=scope, **_scope(of)) for scope, of in told["scopes"].items()}
    operations = {key: _operation(key, of, shared) for key, of in told.get("operations", {}).items()}
    return Provider(
        id=name,
        family=told.get("family", name),
        scopes=frozen(scopes),
        operations=frozen(operations),
        refresh=Refresh(**told["refresh"]),
        revocation=Revocation(**told["revocation"]),
        extra_secrets=tuple(ExtraSecret(**one) for one in told.get("extra_secrets", [])),
        account=tuple(
            AccountClue(**{key: frozen(value) for key, value in one.items()}) for one in told.get("account", [])
        ),
        **plain,
    )


_BUILT = {"scopes", "operations", "refresh", "revocation", "extra_secrets", "account", "family"}


def _scope(of: dict[str, Any]) -> dict[str, Any]:
    return {**of, "risk": Risk(of["risk"]), "implies": tuple(of.get("implies", ()))}


def _operation(name: str, of: dict[str, Any], shared: dict[str, Any]) -> Operation:
    told = {key: frozen(value) for key, value in of.items() if key != "required"}
    arguments: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": of["arguments"],
        "required": of.get("required", []),
    }
    rate = of.get("rate") or shared["rate"]
    errors = {**shared["errors"], **of.get("errors", {})}
    made: dict[str, Any] = {
        "id": name,
        "arguments": frozen(arguments),
        "risk": Risk(of["risk"]),
        "headers": frozen({**shared["headers"], **of.get("headers", {})}),
        "paging": Paging(**of["paging"]) if "paging" in of else None,
        "rate": Rate(**rate) if rate else None,
        "errors": ErrorRules(**{key: frozen(value) for key, value in errors.items()}),
        "idempotency": of.get("idempotency", "safe" if of["method"] == "GET" else "none"),
    }
    return Operation(**{**told, **made})


def _everything(provider: Provider) -> str:
    """All words a person might look for it by."""
    operations = (f"{one.title} {one.words}" for one in provider.operations.values())
    scopes = (scope.words for scope in provider.scopes.values())
    parts = (provider.id, provider.title, provider.group, provider.what_it_is, *provider.could.values())
    return " ".join((*parts, *operations, *scopes)).casefold()


def _named(provider: Provider, wanted: list[str]) -> int:
    return sum(word in provider.title.casefold() for word in wanted)
