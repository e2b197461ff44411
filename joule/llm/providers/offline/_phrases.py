"""The phrases inside a request: file names, quoted texts, politeness, the brand's voice.

Pure. What stands in quotes is taken word for word.
"""

import re

EXT = r"(?:csv|tsv|md|markdown|txt|text|json|html?|pdf|docx?|pptx?|xlsx?|ya?ml|log)"
QUOTED = r"(?:\"([^\"]+)\"|“([^”]+)”|`([^`]+)`|'([^']+)'|‘([^’]+)’)"
FILE = re.compile(rf"(?<![\w/])([\w][\w.\-()/]{{0,120}}\.{EXT})(?![\w])|{QUOTED}", re.IGNORECASE)
_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey)(?:\s+(?:joule|there))?\b[,.!]?|joule[,:]|please|kindly|(?:can|could|would|will)\s+you"
    r"|i(?:'d|’d| would)\s+like\s+(?:you\s+)?to|i\s+(?:want|need)\s+(?:you\s+)?to|let(?:'s|’s| us)|now|then|also|and"
    r"|go\s+ahead\s+and|help\s+me(?:\s+to)?)\s+",
    re.IGNORECASE,
)
VOICE = re.compile(
    r"[,\s]*\b(?:(?:in|with|using|following|and\s+follow|according\s+to)\s+(?:our|my|the)\s+(?:own\s+)?"
    r"(?:(?:brand|company|house|usual)(?:'s|’s)?\s+)?(?:voice|tone|style|brand\s+guide(?:lines?)?|style\s+guide)"
    r"(?:\s+of\s+voice|\s+guide(?:lines?)?)?|on[- ]brand)\b",
    re.IGNORECASE,
)


def without_politeness(said: str) -> str:
    """The request without its politeness."""
    said = said.strip()
    while (polite := _POLITE.match(said)) is not None:
        said = said[polite.end() :].lstrip()
    return said


def speaks_of_voice(text: str) -> bool:
    """Whether the person asks for their own voice."""
    return VOICE.search(text) is not None


def opens(pattern: str, said: str) -> re.Match[str] | None:
    """Whether `said` begins like this, in any letter case and over any number of lines."""
    return re.match(pattern, said, re.IGNORECASE | re.DOTALL)


def file_names(text: str) -> tuple[str, ...]:
    """The file names in a text, each once: those with an ending, and whatever stands in quotes."""
    names = [next(part for part in match.groups() if part is not None) for match in FILE.finditer(text)]
    return tuple(dict.fromkeys(names))


def bare(text: str) -> str:
    """Without the quotes and the punctuation around it."""
    said = text.strip().rstrip(".!?,; ").strip()
    inside = re.fullmatch(QUOTED, said, re.DOTALL)
    return next((part for part in inside.groups() if part is not None), said) if inside else said


def named_file(text: str) -> str:
    """A file as the person names it: its file name if there is one, else the words for it."""
    said = bare(VOICE.sub("", text))
    if re.fullmatch(QUOTED, text.strip(" .!?,;")):  # a name in quotes is the name
        return said
    names = file_names(said)
    if names and len(names[0]) >= len(said) - 40:
        return names[0]
    return re.sub(r"^(?:(?:the|my|our|a|this|that)\s+|file\s+(?:called\s+|named\s+)?)+", "", said, flags=re.IGNORECASE)


def text_of(said: str) -> str:
    """The text meant: what is inside the quotes if it is quoted as a whole, else all of it."""
    inside = re.fullmatch(QUOTED, said.strip(), re.DOTALL)
    return next((part for part in inside.groups() if part is not None), said) if inside else said.strip()
