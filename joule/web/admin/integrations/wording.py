"""Says in plain words what a provider allows, how long its tokens live and what ends them. Pure.

Reading is ticked and everything else is not: whoever wants Joule to write, publish or spend says so by their own hand.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from integrations.catalogue import implied
from integrations.catalogue.model import Provider, Revocation, Risk, Scope
from joule.web.admin.integrations.views import Ability, Known, MembersLine, OperationLine, ScopeLine

# key → title, tone, the risks it holds
_ABILITIES: tuple[tuple[str, str, str, frozenset[Risk]], ...] = (
    ("read", "Read", "ok", frozenset({Risk.R0, Risk.R1, Risk.R1P})),
    ("write", "Write", "ask", frozenset({Risk.R2})),
    ("publish", "Publish or send", "ask", frozenset({Risk.R3})),
    ("spend", "Spend, delete or administer", "no", frozenset({Risk.R4})),
)
_MEMBERS = (
    (Risk.R1P, "To read"),
    (Risk.R2, "To read, and to write drafts and notes"),
    (Risk.R3, "To read, to write, and to publish or send"),
)
_KINDS = {
    "read": ("Reads", "ok"),
    "write_draft": ("Writes", "ask"),
    "send": ("Sends", "ask"),
    "spend": ("Spends", "no"),
}
_PKCE = {
    "required": "Required, and always used",
    "accepted": "Used",
    "off": "The provider does not take it: state and the bound browser protect the way back",
    "none": "The provider does not know it: state and the bound browser protect the way back",
}
_FIELDS = {
    "revocation": "How it is revoked",
    "refresh": "How tokens are renewed, and how long they live",
    "token_life_words": "How long tokens live",
    "settings_url": "Where Joule is removed in the provider's settings",
    "registers_at": "Where an app is registered",
    "scopes": "What the permissions allow",
    "operations": "The operations",
    "rate": "How many calls it allows",
    "errors": "What its error codes mean",
    "pkce": "Protection of the way back (PKCE)",
    "granted_from": "How it says what was granted",
    "account": "How it says whose account it is",
}
_ASSUMED = "The provider does not say what was granted, so Joule takes it that all it asked for was."
_TOLD = {
    "response": "The provider says so when it connects.",
    "introspection": "Joule asks the provider about the token.",
    "permissions_call": "Joule asks the provider for the list after connecting.",
    "assumed": _ASSUMED,
}


def could(provider: Provider) -> tuple[Ability, ...]:
    """What Joule could read, write, publish or spend at most, one line each; nothing is left out."""
    return tuple(
        Ability(key=key, title=title, words=provider.could.get(key) or "Nothing.", tone=tone, scopes=())
        for key, title, tone, _ in _ABILITIES
    )


def abilities(
    provider: Provider, *, ticked: Collection[str] | None, allowed: Collection[str] | None
) -> tuple[Ability, ...]:
    """The permissions to choose from, by what they let Joule do.

    `ticked`: those chosen already, or None for the beginning: reading alone. `allowed`: None when the organisation has
    set no limit.
    """
    found = []
    numbered = list(enumerate(provider.scopes.values()))
    for key, title, tone, risks in _ABILITIES:
        lines = tuple(
            _line(scope, number, ticked=ticked, allowed=allowed) for number, scope in numbered if scope.risk in risks
        )
        if lines:
            found.append(Ability(key=key, title=title, words=provider.could.get(key, ""), tone=tone, scopes=lines))
    return tuple(found)


def _line(scope: Scope, number: int, *, ticked: Collection[str] | None, allowed: Collection[str] | None) -> ScopeLine:
    permitted = allowed is None or scope.name in allowed
    chosen = scope.name in ticked if ticked is not None else reads(scope)
    return ScopeLine(
        id=f"scope-{number}",
        name=scope.name,
        words=scope.words,
        ticked=permitted and (chosen or scope.always),
        always=scope.always,
        by_joule=not scope.sent,
        allowed=permitted,
    )


def members(provider: Provider, chosen: str) -> tuple[MembersLine, ...]:
    """How far members may be let give permissions themselves; as far as the provider has any, never to spending."""
    there = max((each.risk.rank for each in provider.scopes.values()), default=0)
    lines, before = [MembersLine(value="", words="No: owners and admins give them", chosen=not chosen)], 0
    for risk, words in _MEMBERS:
        if there >= before:
            lines.append(MembersLine(value=risk.value, words=words, chosen=chosen == risk.value))
        before = risk.rank + 1
    return tuple(lines)


def reads(scope: Scope) -> bool:
    """Whether a permission lets Joule do no more than read."""
    return scope.risk in _ABILITIES[0][3]


def for_reading(provider: Provider, ticked: Collection[str]) -> tuple[str, ...]:
    """The scopes to ask for when Joule is to read and no more: those ticked that only read.

    Where the provider gives one permission for reading and writing, what reading needs is asked for all the same; Joule
    itself then keeps the connection to reading.
    """
    chosen = {each.name for each in provider.scopes.values() if reads(each) and each.name in ticked}
    if not provider.splits_read_from_write:
        for operation in provider.operations.values():
            if operation.effect == "read":
                chosen |= set(implied.missing(provider, operation, chosen))
    return tuple(name for name in provider.scopes if name in chosen)


def facts(provider: Provider) -> tuple[Known, ...]:
    """What is good to know before connecting. Each fact says by itself when it was not seen in a source."""
    lines = (
        (
            "Reading apart from writing",
            "Yes: what may only read cannot write."
            if provider.splits_read_from_write
            else "No: the provider gives one permission for both. Joule's own gate is the only limit on writing.",
            ("splits_read_from_write",),
        ),
        ("How long tokens live", provider.token_life_words, ("token_life_words", "refresh")),
        ("Can it be revoked from here?", revocable(provider.revocation), ("revocation",)),
        ("What revoking ends", provider.revocation.kills or "Not said by the provider.", ("revocation",)),
        ("Protection of the way back (PKCE)", _PKCE[provider.pkce], ("pkce",)),
        ("How Joule learns what was granted", _TOLD[provider.granted_from], ("granted_from",)),
    )
    known = tuple(
        Known(name=name, value=value, unverified=_is_unverified(provider, marks)) for name, value, marks in lines
    )
    if not provider.settings_url:
        return known
    removed = Known(
        name="Where you remove Joule yourself",
        value=provider.settings_words,
        href=web_address(provider.settings_url),
        link=f"Settings at {provider.title}",
        unverified=_is_unverified(provider, ("settings_url", "settings_words")),
    )
    return (*known, removed)


def _is_unverified(provider: Provider, fields: Iterable[str]) -> bool:
    return any(provider.is_unverified(each) for each in fields)


def doubts(provider: Provider) -> tuple[str, ...]:
    """What was not seen in a source, in words."""
    return tuple(_doubt(provider, *each.partition(":")[::2]) for each in provider.unverified)


def _doubt(provider: Provider, field: str, what: str) -> str:
    name, _, part = field.partition(".")
    words = _FIELDS.get(name, name.replace("_", " ").capitalize())
    if name == "operations" and part in provider.operations:
        words = f"The operation “{provider.operations[part].title}”"
    return f"{words}: {what.strip()}" if what else words


def web_address(url: str) -> str:
    """`url` when a browser may follow it; empty for a pattern or anything that is not a web address."""
    return url if url.startswith(("https://", "http://127.0.0.1")) and "{" not in url else ""


def revocable(revocation: Revocation) -> str:
    """Whether Joule can end a grant at the provider itself, in words."""
    return f"{'Yes' if revocation.possible else 'No'}: {told_there(revocation)}"


def told_there(revocation: Revocation, *, shared_app: bool = False) -> str:
    """What the provider hears of a disconnection. `shared_app`: other organisations use the app too."""
    if not revocation.possible:
        return "Joule stops using it at once and destroys its copy, but the provider has no way to be told."
    told = "Joule tells the provider, and shows for each token what came of it."
    if not shared_app:
        return told
    return (
        f"{told} The app is shared by every organisation on this Joule: where another one has connected the very same "
        "account, the provider ends that too."
    )


def worst(provider: Provider) -> str:
    """The gravest thing any of its permissions allows, as the catalogue says it."""
    if not provider.scopes:
        return ""
    words = provider.worst.words
    return words[:1].upper() + words[1:]


def operations(provider: Provider, granted: Collection[str] | None) -> tuple[OperationLine, ...]:
    """What the agent may be asked for; with `granted`, also what each of them still lacks."""
    return tuple(
        OperationLine(
            title=each.title,
            words=each.words,
            kind=_KINDS[each.effect][0],
            tone=_KINDS[each.effect][1],
            unverified=provider.is_unverified(f"operations.{each.id}"),
            needs="" if granted is None else ", ".join(implied.missing(provider, each, granted)),
        )
        for each in provider.operations.values()
    )


def chosen_again(lines: Iterable[Ability], names: Collection[str]) -> tuple[Ability, ...]:
    """The same choice with what a person had ticked, so that a mistake costs no choosing again."""
    return tuple(
        replace(
            ability,
            scopes=tuple(
                replace(each, ticked=each.allowed and (each.always or each.name in names)) for each in ability.scopes
            ),
        )
        for ability in lines
    )
