"""What a command said, as it is shown: its beginning and its end, in order, without characters that steer a terminal."""

import codecs
import unicodedata

HEAD, TAIL = 12_000, 8_000  # characters
_MARK = "\n[… {left:,} characters left out …]\n"


def visible(text: str) -> str:
    """Without control characters but line breaks and tabs."""
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(each if each in "\n\t" or unicodedata.category(each) not in {"Cc", "Cs"} else "·" for each in text)


class Heard:
    """Takes bytes as they come; never holds more than is shown."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._head, self._tail, self._length = "", "", 0

    def more(self, data: bytes, *, last: bool = False) -> str:
        """The text of some more bytes: what can be shown of it now."""
        text = visible(self._decoder.decode(data, final=last))
        self._length += len(text)
        room = HEAD - len(self._head)
        self._head += text[:room]
        self._tail = (self._tail + text[room:] if room < len(text) else self._tail)[-TAIL:]
        return text

    @property
    def is_cut(self) -> bool:
        return self._length > len(self._head) + len(self._tail)

    @property
    def text(self) -> str:
        left = self._length - len(self._head) - len(self._tail)
        return self._head + (_MARK.format(left=left) if left else "") + self._tail
