"""Which names a file of the workspace may have. The same rule for what goes in and what comes out."""

import unicodedata

from sandbox.errors import PathRefused

DEEPEST = 32
LONGEST_NAME, LONGEST = 200, 1000  # bytes of one part, of all
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


NO_PLAIN_FILE = "it is a link, a device, or one file under two names"
NO_NAME = "its name cannot be kept"


def claimed(path: str, *, is_plain: bool) -> tuple[str, str | None]:
    """A name that a guest gives a file, and why the file is not given, if it is not: then the name is for showing."""
    try:
        return checked(path), None if is_plain else NO_PLAIN_FILE
    except PathRefused:
        return shown(path), NO_NAME


def shown(path: str) -> str:
    """A name that may be anything, so that people can look at it: in one line, and nothing in it steers anything."""
    flat = "".join(each if each.isprintable() else "\ufffd" for each in path)
    return flat if len(flat) <= 80 else f"{flat[:79]}…"


def checked(path: str) -> str:
    """`path`, if it names one plain file below the folder it is used in. Raises `PathRefused` with the reason."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise PathRefused("the name is no text") from None
    parts = path.split("/")
    if not path or len(encoded) > LONGEST:
        raise PathRefused("the name is empty or too long")
    if len(parts) > DEEPEST:
        raise PathRefused("it is too many folders deep")
    for part in parts:
        if part in {"", ".", ".."}:
            raise PathRefused("it leads out of its folder, or nowhere")
        if len(part.encode()) > LONGEST_NAME:
            raise PathRefused("one of its names is too long")
    if any(unicodedata.category(each) in _FORBIDDEN_CATEGORIES for each in path) or "\\" in path:
        raise PathRefused("the name has characters that cannot be shown")
    if unicodedata.normalize("NFC", path) != path:
        raise PathRefused("the name is written in a way that can be read as another")
    return path
