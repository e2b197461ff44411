"""A brand's voice, as far as a program can follow it: a few closed kinds of rules, found in guides and memory.

A guide is data. Nothing in it can ask for a tool, a file or an address; a sentence that fits none of the patterns below
has no effect at all.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from joule.llm.providers.offline._words import listed

MOST_RULES = 40
MOST_CHARS = 60_000  # of a guide that are read

_Q = r"[\"“”'‘’`*_]{1,2}([^\"“”‘’`*_\n]{1,40}?)[\"“”'‘’`*_]{1,2}"
_LIST = rf"{_Q}(?:(?:\s*,\s*|\s*,?\s+(?:or|and)\s+){_Q})?(?:(?:\s*,\s*|\s*,?\s+(?:or|and)\s+){_Q})?"
_SAY_NOT = re.compile(
    rf"\b(?:say|write|use|prefer)\s+(?:the\s+words?\s+)?{_Q}\s*,?\s*(?:\(?\s*)?(?:and\s+)?(?:not|never|instead\s+of|rather\s+than|over)\s+{_Q}",
    re.IGNORECASE,
)
_NOT_SAY = re.compile(
    rf"\b(?:instead\s+of|not|never(?:\s+(?:say|write|use))?|don['’]?t\s+say|avoid)\s+{_Q}\s*[,;:]?\s*(?:but\s+|please\s+)?(?:say|write|use|prefer)\s+{_Q}",
    re.IGNORECASE,
)
_ARROW = re.compile(rf"{_Q}\s*(?:→|->|=>)\s*{_Q}")
_AVOID = re.compile(
    rf"\b(?:never|avoid|don['’]?t|do\s+not|no)\s+(?:ever\s+)?(?:say|write|use|using|saying)?\s*(?:the\s+)?(?:words?|phrases?|terms?)?\s*:?\s*{_LIST}",
    re.IGNORECASE,
)
_NO = r"\b(?:no|never|avoid|without|don['’]?t|do\s+not|zero|ban(?:ned)?)\b[^.\n]{0,40}"
_NO_EXCLAMATION = re.compile(
    _NO + r"\bexclamation|\bexclamation[^.\n]{0,30}\b(?:banned|forbidden|never)", re.IGNORECASE
)
_NO_EMOJI = re.compile(_NO + r"\bemojis?\b", re.IGNORECASE)
_SIGN_OFF = re.compile(
    rf"\b(?:sign\s+off|close|end)\s+(?:every\s+\w+\s+|each\s+\w+\s+)?with\s*:?\s+{_Q}", re.IGNORECASE
)
_TONES = ("warm", "friendly", "plain", "calm", "confident", "playful", "direct", "honest", "formal", "clear", "bold")
_TONE_LINE = re.compile(r"\b(?:tone|voice|sound|we\s+are|personality)\b[^\n]{0,160}", re.IGNORECASE)
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")
_UNSAFE = re.compile(r"https?:|www\.|[<>@/\\]|\w\.\w", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Voice:
    """The rules found, and where. `words` are (to be avoided, to be used); an empty second part only warns."""

    no_exclamation: bool = False
    no_emoji: bool = False
    words: tuple[tuple[str, str], ...] = ()
    tones: tuple[str, ...] = ()
    sign_off: str = ""
    sources: tuple[str, ...] = field(default=())

    @property
    def is_found(self) -> bool:
        return bool(self.no_exclamation or self.no_emoji or self.words or self.tones or self.sign_off)

    def apply(self, text: str) -> str:
        """The text as the brand would put it. Names in backquotes or in bold, and the rows of tables, stay as they are."""
        return "\n".join(line if line.startswith("|") else self._line(line) for line in text.split("\n"))

    def _line(self, line: str) -> str:
        pieces = re.split(r"(`[^`]*`|\*\*[^*]*\*\*)", line)
        return "".join(piece if piece.startswith(("`", "**")) else self._piece(piece) for piece in pieces)

    def _piece(self, text: str) -> str:
        if self.no_exclamation:
            text = re.sub(r"!+(?=\s|$)", ".", text).replace("!", "")
        if self.no_emoji:
            text = _EMOJI.sub("", text)
        for avoided, used in self.words:
            if used:
                pattern = rf"(?<!\w){re.escape(avoided)}(?!\w)"
                text = re.sub(pattern, partial(_cased, to=used), text, flags=re.IGNORECASE)
        return text

    def described(self) -> str:
        """The rules that were followed, in a phrase; empty when there are none."""
        parts = ["no exclamation marks"] if self.no_exclamation else []
        parts += ["no emojis"] if self.no_emoji else []
        parts += [f"“{used}” for “{avoided}”" for avoided, used in self.words[:4] if used]
        parts += [f"without “{avoided}”" for avoided, used in self.words[:6] if not used][:3]
        parts += [f"a {listed(list(self.tones[:3]))} tone"] if self.tones else []
        return listed(parts[:6])


def voice_of(texts: Iterable[tuple[str, str]]) -> Voice:
    """The voice described in (source, text) pairs. What a source says earlier in the list goes before."""
    pairs: dict[str, tuple[str, str]] = {}
    tones: list[str] = []
    sign_off, sources = "", []
    no_exclamation = no_emoji = False
    for source, full in texts:
        text = full[:MOST_CHARS]
        found = _words(text)
        here = bool(found)
        for avoided, used in found:
            pairs.setdefault(avoided.lower(), (avoided, used))
        if _NO_EXCLAMATION.search(text):
            no_exclamation = here = True
        if _NO_EMOJI.search(text):
            no_emoji = here = True
        spoken = " ".join(match[0].lower() for match in _TONE_LINE.finditer(text))
        named = [tone for tone in _TONES if re.search(rf"(?<!not )(?<!never )\b{tone}\b", spoken)]
        closing = _SIGN_OFF.search(text)
        if closing and not sign_off and not _UNSAFE.search(closing[1]):
            sign_off, here = closing[1].strip(), True
        tones += [tone for tone in named if tone not in tones]
        if here or named:
            sources.append(source)
    return Voice(
        no_exclamation=no_exclamation,
        no_emoji=no_emoji,
        words=tuple(pairs.values())[:MOST_RULES],
        tones=tuple(tones),
        sign_off=sign_off,
        sources=tuple(dict.fromkeys(sources)),
    )


def _words(text: str) -> list[tuple[str, str]]:
    found = [(match[2], match[1]) for match in _SAY_NOT.finditer(text)]
    found += [(match[1], match[2]) for pattern in (_NOT_SAY, _ARROW) for match in pattern.finditer(text)]
    found += _word_table(text)
    replaced = {avoided.lower() for avoided, _ in found} | {used.lower() for _, used in found}
    for match in _AVOID.finditer(text):
        found += [(word, "") for word in match.groups() if word and word.lower() not in replaced]
    return [
        (a.strip(), u.strip()) for a, u in found if _is_word(a) and (not u or _is_word(u)) and a.lower() != u.lower()
    ]


def _word_table(text: str) -> list[tuple[str, str]]:
    """A Markdown table with a column to say and a column not to."""
    found: list[tuple[str, str]] = []
    columns: tuple[int, int] | None = None
    for line in text.split("\n"):
        if not line.lstrip().startswith("|"):
            columns = None
            continue
        cells = [cell.strip().strip("\"“”'‘’`*_") for cell in line.strip().strip("|").split("|")]
        if columns is None:
            columns = _columns([cell.lower() for cell in cells])
        elif columns != (-1, -1) and max(columns) < len(cells) and not set(cells[0]) <= set(":- "):
            found.append((cells[columns[0]], cells[columns[1]]))
    return found


def _columns(heads: list[str]) -> tuple[int, int]:
    kinds: list[Literal["avoid", "say", ""]] = [
        "avoid"
        if re.search(r"\b(?:not|avoid|instead of|never|don.t|wrong)\b", head)
        else "say"
        if re.search(r"\b(?:say|use|write|prefer(?:red)?|do|right|we say)\b", head)
        else ""
        for head in heads
    ]
    return (kinds.index("avoid"), kinds.index("say")) if {"avoid", "say"} <= set(kinds) else (-1, -1)


def _is_word(text: str) -> bool:
    return bool(re.search(r"[^\W\d_]", text)) and len(text.split()) <= 4 and not _UNSAFE.search(text)


def _cased(found: re.Match[str], to: str) -> str:
    return to[:1].upper() + to[1:] if found[0][:1].isupper() and to[:1].islower() else to
