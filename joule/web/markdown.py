"""Turns what the agent wrote into safe HTML, block by block.

The text is hostile: it may repeat a web page or a file. HTML in it is shown as text, pictures are not loaded (an address
can carry a secret out), and what the renderer makes is cleaned once more against a short list.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_TAGS = {
    *("p", "br", "strong", "em", "s", "code", "pre", "blockquote", "hr", "ul", "ol", "li", "a"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_LINKS = {"http", "https", "mailto"}


class Renderer:
    """Renders Markdown. Holds no state between texts. A link for which `leads` says no is shown without its address."""

    def __init__(self, *, leads: Callable[[str], bool] = lambda _: True) -> None:
        self._parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
        self._leads = leads

    def checking(self, leads: Callable[[str], bool]) -> "Renderer":
        """One that asks about every link."""
        return Renderer(leads=leads)

    def blocks(self, text: str) -> "tuple[Block, ...]":
        """The paragraphs, lists, tables and so on of a text, in order."""
        tokens = self._parser.parse(text)
        return tuple(self._block(group) for group in _top_level(tokens))

    def _block(self, tokens: list[Token]) -> "Block":
        html = self._parser.renderer.render(tokens, self._parser.options, {})
        clean = nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes=_LINKS,
            link_rel="noopener noreferrer",
            attribute_filter=lambda _, name, value: value if name != "href" or self._leads(value) else None,
        )
        place = tokens[0].map or [0, 0]
        is_table = tokens[0].type == "table_open"
        return Block(line=place[0], html=Markup(clean), is_table=is_table)  # noqa: S704 - cleaned two lines above


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of a text and the line it starts on."""

    line: int
    html: Markup
    is_table: bool  # may be wider than the page


@dataclass(frozen=True, kw_only=True)
class Written:
    """A block that is new, or whose text has grown."""

    index: int
    block: Block
    is_new: bool


@dataclass(kw_only=True)
class LiveText:
    """A text that grows. Only its last block is rendered again, so the cost of a stream grows with its length alone."""

    renderer: Renderer
    settled: int = 0  # blocks that will not change any more
    shown: int = 0  # blocks a reader has seen, the growing one included
    tail: str = field(default="", repr=False)  # the source of the growing block
    whole: str = field(default="", repr=False)

    def grow(self, more: str) -> list[Written]:
        """Takes more text in; tells which blocks to show anew, in order."""
        self.whole += more
        self.tail += more
        blocks = self.renderer.blocks(self.tail)
        written = [
            Written(index=self.settled + at, block=block, is_new=self.settled + at >= self.shown)
            for at, block in enumerate(blocks)
        ]
        if len(blocks) > 1:
            self.settled += len(blocks) - 1
            lines = self.tail.splitlines(keepends=True)
            self.tail = "".join(lines[blocks[-1].line :])
        self.shown = max(self.shown, self.settled + min(len(blocks), 1))
        return written


def _top_level(tokens: list[Token]) -> Iterator[list[Token]]:
    group: list[Token] = []
    for token in tokens:
        group.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield group
            group = []
