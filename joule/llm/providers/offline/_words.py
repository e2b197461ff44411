"""Small things about English words that several parts of the offline model need."""

import re

_STOP_WORDS = """a about above after again all also am an and any are as at be because been before being but by can could did do
    does doing down each few for from further had has have having he her here hers him his how i if in into is it its
    just let me more most my no nor not now of off on once only or other our ours out over own please same she should so
    some such than that the their them then there these they this those through to too under until up us very was we
    were what when where which while who whom why will with would you your"""
_STOP = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [each.lower() for each in _WORD.findall(text)]


def key_words(text: str) -> list[str]:
    """The words that carry meaning, each cut to a stem."""
    return [stem(each) for each in words(text) if each not in _STOP]


def stem(word: str) -> str:
    """A word without its plural: crude, and the same for both forms."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def plain(name: str) -> str:
    """A name as people say it: lower case, punctuation as spaces (`Brand_Guide` is `brand guide`)."""
    return re.sub(r"[\W_]+", " ", name).strip().lower()


def listed(parts: list[str], joint: str = "and") -> str:
    """`a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {joint} {parts[-1]}"


def counted(number: int, thing: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
