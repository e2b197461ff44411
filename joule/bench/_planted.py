"""Strings that stand nowhere else in the world, and where they are found again, in whatever form."""

import base64
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote


def forms_of(words: bytes) -> tuple[bytes, ...]:
    """The ways in which bytes stand in a dump, a log or a page: as they are, in hex, in base64, in UTF-16."""
    found = [words, words.hex().encode(), words.decode().encode("utf-16-le"), quote(words, safe="").encode()]
    for before in range(3):  # in base64 it matters how many bytes went before
        encoded = base64.b64encode(b"\0" * before + words)
        found.append(encoded[4 if before else 0 : -4])
    return tuple(dict.fromkeys(found))


# Letters alone: sixteen figures in a row are a card number by chance, now and then, and those are refused or covered.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def _drawn(size: int) -> str:
    return secrets.token_hex(size).translate(_LETTERS)


@dataclass(kw_only=True)
class Planted:
    """What was put in, by what it was put in as."""

    mark: str = field(default_factory=lambda: f"canary{_drawn(4)}", repr=False)
    words: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: set[str] = field(default_factory=set, repr=False)  # which of them nobody at all may see

    def word(self, what: str) -> str:
        """A fresh string to put in as `what`; the same again when asked again."""
        return self.words.setdefault(what, f"{self.mark}{_drawn(8)}")

    def note(self, what: str, secret: str) -> str:
        """Look for a string that was not made here, such as the token of a session."""
        return self.words.setdefault(what, secret)

    def secret(self, what: str) -> str:
        """A fresh string like `word`, that not even whoever may read everything is shown: a token, a code, a key."""
        self.secrets.add(what)
        return self.word(what)

    def note_secret(self, what: str, secret: str) -> str:
        """Look for a string that was not made here, that nobody is shown."""
        self.secrets.add(what)
        return self.note(what, secret)

    def found_in(self, text: bytes, *, only_secrets: bool = False) -> set[str]:
        """What of it stands in `text`, in whatever form and letter case."""
        lowered = text.lower()
        marked = any(_stands(form, text, lowered) for form in forms_of(self.mark.encode()))
        return {
            what
            for what, word in self.words.items()
            if (what in self.secrets or not only_secrets)
            and (marked or not word.startswith(self.mark))
            and any(_stands(form, text, lowered) for form in forms_of(word.encode()))
        }

    def found_under(self, folders: Iterable[Path]) -> dict[str, set[str]]:
        """What of it stands in the files under these folders, or in their names."""
        found: dict[str, set[str]] = {}
        for path in (each for folder in folders for each in folder.rglob("*")):
            try:
                text = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            except OSError:  # the server removes files of its own while we look
                continue
            if what := self.found_in(str(path).encode() + b"\0" + text):
                found[str(path)] = what
        return found


def _stands(form: bytes, text: bytes, lowered: bytes) -> bool:
    return form in text or form.lower() in lowered
