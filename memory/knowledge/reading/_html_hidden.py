"""Finds the text of a web page that a person looking at it does not see, and takes it out of the page.

Looks at attributes, styles on the element, and simple rules of the page's own style sheets (a class, an id, an
element, in one condition). What needs a script to be hidden is seen; that is the safe side for a reader, and the
label of every page is `untrusted` all the same.
"""

import re
from collections.abc import Iterator
from typing import Any

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"^(?:[a-z][a-z0-9]*)?(?:[.#][A-Za-z_-][\w-]*)?$")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_LENGTH = r"\s*:\s*-?\s*"
_HIDING = re.compile(
    r"""display\s*:\s*none | visibility\s*:\s*(?:hidden|collapse) | content-visibility\s*:\s*hidden
      | (?<![-\w])opacity\s*:\s*0?\.?0*\s*(?:%|;|!|$) | font-size\s*:\s*(?:0|0?\.\d+|1)\s*(?:px|pt|em|rem|%|;|!|$)
      | text-indent\s*:\s*-\d{3,} | clip\s*:\s*rect\(\s*(?:0|1px) | clip-path\s*:\s*(?:inset\((?:50|100)|circle\(0|polygon\(0\s*0\s*\))
      | transform\s*:[^;]*scale[xy]?\(\s*0?\.?0*\s*\) | (?:left|top|right|bottom|margin-left|margin-top)\s*:\s*-\d{3,}
    """,
    re.VERBOSE | re.IGNORECASE,
)
_COLOUR = re.compile(r"(?<![-\w])color\s*:\s*([^;!]+)", re.IGNORECASE)
_BACKGROUND = re.compile(r"background(?:-color|-image)?\s*:\s*([^;!]+)", re.IGNORECASE)
_NO_SIZE = re.compile(r"(?<![-\w])(?:max-)?(?:height|width)\s*:\s*[01](?:px)?\s*(?:;|!|$)", re.IGNORECASE)
_CUT = re.compile(r"overflow(?:-[xy])?\s*:\s*(?:hidden|clip)", re.IGNORECASE)
_WHITES = {"white", "#fff", "#ffffff", "#fefefe", "transparent", "rgb(255,255,255)", "rgba(255,255,255,1)", "#ffff"}
_NEVER_SHOWN = {"template", "noscript"}


def taken_out(page: Any) -> list[str]:
    """The hidden texts, in order; the page no longer has them."""
    rules = list(_rules(page))
    hiding = {selector for selector, style in rules if _hides(style)}
    painted = {selector for selector, style in rules if _paints(style)}
    faint = {selector for selector, style in rules if _is_faint(style)}
    for element in page.xpath("//comment() | //processing-instruction() | //script | //style"):
        if element.getparent() is not None:  # what stands before the page itself has none, and is no text of it
            element.drop_tree()
    found = []
    for element in list(page.iter()):
        if isinstance(element.tag, str) and _is_hidden(element, hiding, faint, painted):
            text = _words(element)
            if element.getparent() is not None and element.tag not in {"html", "body", "head"}:
                element.drop_tree()
            if text:
                found.append(text)
    return found


def _words(element: Any) -> str:
    """The text of it; empty when it went out with another before it."""
    if element.getroottree().getroot().tag != "html":
        return ""
    return " ".join(" ".join(element.itertext()).split())


def _is_hidden(element: Any, hiding: set[str], faint: set[str], painted: set[str]) -> bool:
    if element.tag in _NEVER_SHOWN or element.get("hidden") is not None:
        return True
    style = element.get("style", "")
    selectors = set(_selectors(element))
    if (style and _hides(style)) or selectors & hiding:
        return True
    if not (style and _is_faint(style)) and not selectors & faint:
        return False
    around = [element, *element.iterancestors()]
    return not any(
        _paints(one.get("style", "")) or one.get("bgcolor") or set(_selectors(one)) & painted
        for one in around
        if isinstance(one.tag, str)
    )


def _selectors(element: Any) -> Iterator[str]:
    """How a simple rule may name this element."""
    yield element.tag
    for sign, names in (("#", [element.get("id", "")]), (".", element.get("class", "").split())):
        for name in filter(None, names):
            yield sign + name
            yield element.tag + sign + name


def _rules(page: Any) -> Iterator[tuple[str, str]]:
    for sheet in page.iter("style"):
        for selectors, style in _RULE.findall(_COMMENT.sub("", sheet.text or "")[:500_000]):
            for selector in selectors.split(","):
                if _SIMPLE.match(selector.strip()) and selector.strip():
                    yield selector.strip(), style


def _hides(style: str) -> bool:
    return bool(_HIDING.search(style)) or bool(_NO_SIZE.search(style) and _CUT.search(style))


def _is_faint(style: str) -> bool:
    colour = _COLOUR.search(style)
    return colour is not None and re.sub(r"\s", "", colour.group(1)).lower() in _WHITES


def _paints(style: str) -> bool:
    """Whether it puts something under the text that is not white."""
    said = _BACKGROUND.search(style)
    return said is not None and re.sub(r"\s", "", said.group(1)).lower() not in _WHITES | {"none", "inherit", "initial"}
