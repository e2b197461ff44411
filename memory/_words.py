"""Checks and normalises what people and the agent write: names, titles, short texts, whole texts.

Pure. Raises a leaf of `Invalid` that says what would work; never quotes what was given.
"""

import re
import unicodedata

from memory._cards import refuse_card_numbers
from memory.errors import BadName, BadText, TooMuch

MAX_NAME_BYTES = 200
MAX_TITLE = 200
MAX_ITEM = 2_000
MAX_SUBJECT = 120

_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9]|\.+)(\..*)?$", re.IGNORECASE)
# Marks that make a name look like another one: text direction, zero-width space, line and paragraph separators.
_DISGUISE = re.compile("[\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def file_name(given: str) -> str:
    """A name that is safe to keep, show and download anywhere: NFC, no path, nothing invisible."""
    name = unicodedata.normalize("NFC", given).strip()
    _must_encode(name)
    if not name:
        raise BadName("a file needs a name", advice="Give it a name such as summary.md.")
    if "/" in name or "\\" in name:
        raise BadName("a file name cannot contain a path", advice="Use a plain name without / or \\.")
    if any(unicodedata.category(sign) == "Cc" for sign in name) or _DISGUISE.search(name):
        raise BadName("a file name cannot contain invisible characters", advice="Type the name again by hand.")
    if _RESERVED.match(name) or name.endswith("."):
        raise BadName("this name is reserved on some computers", advice="Choose another name, such as summary.md.")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise BadName(f"a file name has at most {MAX_NAME_BYTES} bytes", advice="Choose a shorter name.")
    refuse_card_numbers(name)
    return name


def title(given: str) -> str:
    """A project's title: one visible line."""
    line = " ".join(unicodedata.normalize("NFC", given).split())
    _must_encode(line)
    if not line:
        raise BadName("a project needs a title", advice="Give it a title such as Spring launch.")
    if any(unicodedata.category(sign) == "Cc" for sign in line) or _DISGUISE.search(line):
        raise BadName("a title cannot contain invisible characters", advice="Type the title again by hand.")
    if len(line) > MAX_TITLE:
        raise BadName(f"a title has at most {MAX_TITLE} characters", advice="Choose a shorter title.")
    refuse_card_numbers(line)
    return line


def item_text(given: str) -> str:
    """What may be remembered: a short text."""
    text = unicodedata.normalize("NFC", given).strip()
    _must_encode(text)
    if not text:
        raise BadText("there is nothing to remember", advice="Say in a sentence what should be remembered.")
    if any(unicodedata.category(sign) == "Cc" and sign not in "\n\t" for sign in text.replace("\r\n", "\n")):
        raise BadText("the text contains control characters", advice="Type it again by hand.")
    if len(text) > MAX_ITEM:
        raise TooMuch(
            f"a remembered item has at most {MAX_ITEM} characters",
            advice="Remember the essence, and keep the long text in a file.",
        )
    refuse_card_numbers(text)
    return text


def subject(given: str) -> str:
    """What an item is about: a few words on one line, or nothing."""
    line = " ".join(unicodedata.normalize("NFC", given).split())
    _must_encode(line)
    if any(unicodedata.category(sign) == "Cc" for sign in line) or _DISGUISE.search(line):
        raise BadText("a subject cannot contain invisible characters", advice="Type it again by hand.")
    if len(line) > MAX_SUBJECT:
        raise TooMuch(f"a subject has at most {MAX_SUBJECT} characters", advice="Name it in a few words.")
    refuse_card_numbers(line)
    return line


def file_text(given: str) -> bytes:
    """The bytes of a text someone wrote here: UTF-8, as it was written."""
    _must_encode(given)
    if "\0" in given:
        raise BadText("the text contains a null character", advice="Remove it and save again.")
    return given.encode()


def sameness(text: str) -> bytes:
    """What two texts have in common when they say the same: letter case and spacing do not count."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split()).encode()


def _must_encode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadText("the text contains half a character", advice="Type it again by hand.") from None
