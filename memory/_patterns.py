"""The patterns of what should not stand about in clear, and the checks that tell one number from another.

Pure. Each finder gives (start, end). Each first looks for a sign its finding cannot do without (an @, a prefix, a
word), by plain search, and only then looks around it: ordinary text costs next to nothing.
"""

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

Spans = Iterator[tuple[int, int]]


def places(text: str, signs: Iterable[str]) -> Spans:
    """Where each of the signs stands."""
    for sign in signs:
        at = text.find(sign)
        while at >= 0:
            yield at, at + len(sign)
            at = text.find(sign, at + 1)


# --- keys ---------------------------------------------------------------------------------------------------------

_KEYS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (sign, re.compile(pattern))
    for sign, pattern in (
        ("AKIA", r"\bAKIA[0-9A-Z]{16}\b"),
        ("ASIA", r"\bASIA[0-9A-Z]{16}\b"),
        ("sk-", r"\bsk-[A-Za-z0-9_-]{20,}"),
        ("k_live_", r"\b[sr]k_live_[0-9A-Za-z]{16,}"),
        ("k_test_", r"\b[sr]k_test_[0-9A-Za-z]{16,}"),
        ("gh", r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
        ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
        ("glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),
        ("xox", r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
        ("AIza", r"\bAIza[0-9A-Za-z_-]{35}"),
        ("ya29.", r"\bya29\.[0-9A-Za-z_-]{20,}"),
        ("SG.", r"\bSG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{40,46}"),
        ("EAA", r"\bEAA[A-Za-z0-9]{60,}"),
        ("npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("hf_", r"\bhf_[A-Za-z0-9]{30,}"),
        ("shp", r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b"),
        ("eyJ", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
        (
            "PRIVATE KEY",
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----(?:[A-Za-z0-9+/=\s:,.]|-(?!----))*-----END [A-Z ]{0,60}-----",
        ),
    )
)
_IN_ADDRESS = re.compile(r"://[^\s/:@]{1,64}:([^\s/@]{3,128})@")  # postgres://user:secret@host
_SPOKEN = ("secret", "token", "passwor", "passwd", "pwd", "kennwort", "mot de passe", "bearer", "key")
_OF_A_LOCK = re.compile(r"(?:api|access|secret|private|auth|account|encryption|license)[ _-]?key$", re.IGNORECASE)
_NAMED = re.compile(r"""[dt]?s?["']?[ \t]*(?:[:=]|is\b|ist\b|est\b)?[ \t]*["']?([^\s"',;<>]{8,256})""", re.IGNORECASE)
_LONG = re.compile(r"\S{32,}")
_BARE = re.compile(r"(?<![A-Za-z0-9+/_=.-])[A-Za-z0-9+/_-]{32,512}={0,2}(?![A-Za-z0-9+/_=-])")
_BITS_NAMED = 2.7  # of entropy a character: less is a word, not a secret
_BITS_BARE = 4.2


def keys(text: str, *, bare: bool = True) -> Spans:
    """Keys, tokens and passwords. Without `bare` only those that say what they are, or are said to be."""
    for sign, pattern in _KEYS:
        if sign in text:
            yield from (found.span() for found in pattern.finditer(text))
    yield from (found.span(1) for at, _ in places(text, ("://",)) if (found := _IN_ADDRESS.match(text, at)))
    low = text.lower()
    for _, at in places(low if len(low) == len(text) else text, _SPOKEN):
        if text[at - 3 : at].lower() == "key" and not _OF_A_LOCK.search(text, max(0, at - 20), at):
            continue
        named = _NAMED.match(text, at)
        if named and _is_random(named.group(1)):
            yield named.span(1)
    if not bare or max(map(len, text.split()), default=0) < 32:
        return
    for long in _LONG.finditer(text):
        for found in (
            () if "://" in long.group() else _BARE.finditer(text, *long.span())
        ):  # long ids in links open nothing
            word = found.group()
            shapes = all(re.search(shape, word) for shape in ("[a-z]", "[A-Z]", "[0-9]"))
            if shapes and entropy(word) >= _BITS_BARE:
                yield found.span()


def entropy(word: str) -> float:
    """Bits a character, by how often each stands in the word."""
    return -sum(n / len(word) * math.log2(n / len(word)) for n in Counter(word).values())


def _is_random(word: str) -> bool:
    """Whether a word after "password" is one: digits mixed with something else, not a word of the language."""
    other = re.search(r"[^0-9.,:/-]", word)
    return bool(re.search("[0-9]", word) and other) and entropy(word) >= _BITS_NAMED


# --- how to reach a person ----------------------------------------------------------------------------------------

_MAIL_NAME = re.compile(r"[\w.+'’-]{1,64}$")
_MAIL_HOST = re.compile(r"@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}(?<=\w)")
_DIGITS = re.compile(r"[+(\d](?:[ ./()-]{0,3}\d){6,20}")
_PHONE = re.compile(
    r"""(?:
        \+\d{1,3}(?:[ ./-]{0,2}\(?\d{1,5}\)?){2,6}                 # +49 (0)30 1234-567
      | 00\d{1,3}(?:[ ./-]\(?\d{1,5}\)?){2,6}                      # 0049 30 1234567
      | \(?0\d{2,5}\)?[ /-]{1,3}\d{2,8}(?:[ -]\d{2,6}){0,3}        # 030 / 1234567
      | \(\d{3}\)\ ?\d{3}[ .-]\d{4} | \d{3}([.-])\d{3}\1\d{4}      # (415) 555-0132, 415-555-0132
    )(?![\w]|[.,/-]\d)""",
    re.VERBOSE,
)
_DATE = re.compile(r"\(?\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\)?")
_IBAN = re.compile(r"[A-Z][A-Z]\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_IP4 = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w-]|\.\d)")
_NOT_BEFORE_IP4 = re.compile(r"(?:[\w.-]|\bv\.? ?|ersion )$")
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")


def mails(text: str) -> Spans:
    """E-mail addresses."""
    for at, _ in places(text, ("@",)):
        host = _MAIL_HOST.match(text, at)
        name = _MAIL_NAME.search(text[max(0, at - 64) : at]) if host else None
        if host and name and (kept := name.group().lstrip(".'’-")):
            yield at - len(kept), host.end()


def phones(text: str) -> Spans:
    """Telephone numbers as people write them: with a country, a leading zero and a gap, or the American way."""
    for digits in _DIGITS.finditer(text):
        at = digits.start()
        while at < digits.end():
            found = None if text[at] not in "+(0123456789" or _joins(text, at) else _PHONE.match(text, at)
            if found and 7 <= sum(map(str.isdigit, found.group())) <= 15 and not _DATE.fullmatch(found.group()):
                yield found.span()
                break
            at += 1


def _joins(text: str, at: int) -> bool:
    before = text[at - 1 : at]
    return before.isalnum() or before in {"_", ".", ",", "+", "/", "-"}


def ibans(text: str) -> Spans:
    """Account numbers whose check digits are right (ISO 13616)."""
    for found in _IBAN.finditer(text):
        compact = found.group().replace(" ", "")
        fits = 15 <= len(compact) <= 34 and compact.isascii() and not text[found.start() - 1 : found.start()].isalnum()
        if fits and int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1:
            yield found.span()


def addresses(text: str) -> Spans:
    """Internet addresses of machines, both versions."""
    for found in _IP4.finditer(text):
        before = text[max(0, found.start() - 10) : found.start()]
        if all(int(part) < 256 for part in found.group().split(".")) and not _NOT_BEFORE_IP4.search(before):
            yield found.span()
    if "::" in text or text.count(":") >= 7:
        for found in _IP6.finditer(text):
            try:
                ipaddress.IPv6Address(found.group())
            except ValueError:
                continue
            if found.group().count(":") > 2:  # fewer stand in program text and odds
                yield found.span()


_STREETS = (
    *(" Street", " St", " Avenue", " Ave", " Road", " Rd", " Boulevard", " Blvd", " Lane", " Drive"),
    *(" Court", " Terrace", " Square", " Highway"),
)
_NUMBER_AND_NAME = re.compile(r"(?<![\w.,-])\d{1,5}[A-Za-z]?(?: [A-Z][\w'’.-]{1,30}){1,3}$")
_RUES = tuple(f"{kind} " for kind in ("rue", "avenue", "boulevard", "allée", "chemin", "quai"))
_NUMBER = re.compile(r"(?<!\w)\d{1,5}(?: ?(?:bis|ter))?,? $")
_NAME = re.compile(
    r"(?:(?:de|du|des|la|le|les) |l['’]|d['’]){0,3}[A-ZÀ-Þ][\w'’-]{1,40}(?:[ -][A-ZÀ-Þ][\w'’-]{1,40}){0,3}"
)
_STRASSEN = tuple(
    f"{form} "
    for kind in ("straße", "strasse", "str.", "weg", "platz", "allee", "gasse", "damm", "ufer")
    for form in (kind, kind.capitalize())
)
_HAUSNUMMER = re.compile(r"\d{1,4}(?: ?[a-z]\b)?\b")
_STRASSENNAME = re.compile(r"(?:(?<!\w)[A-ZÄÖÜ][\wäöüß.-]{0,40}[ -]){0,2}(?<!\w)[A-ZÄÖÜ][\wäöüß-]{0,40}[ -]?$")


def streets(text: str) -> Spans:
    """A street and a number, as written in English, French and German."""
    for at, end in places(text, _STREETS):
        name = _NUMBER_AND_NAME.search(text, max(0, at - 100), at)
        if name and not text[end : end + 1].isalnum():
            yield name.start(), end
    for at, end in places(text, _RUES):
        number, name = _NUMBER.search(text, max(0, at - 12), at), _NAME.match(text, end)
        if number and name:
            yield number.start(), name.end()
    for at, end in places(text, _STRASSEN):
        number = _HAUSNUMMER.match(text, end)
        name = _STRASSENNAME.search(text, max(0, at - 80), at) if number else None
        if number and name:
            yield name.start(), number.end()
