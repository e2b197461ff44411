"""Reads one wish out of one clause: a reader for each kind, tried in a fixed order.

Pure. Every pattern is anchored at the clause's beginning, so that a wish inside a sentence is not taken for one.
"""

import re
from collections.abc import Callable, Sequence
from typing import Literal

from joule.llm.providers.offline._account_requests import account_wish
from joule.llm.providers.offline._accounts import Account
from joule.llm.providers.offline._knowledge_requests import knowledge_wish
from joule.llm.providers.offline._phrases import (
    EXT,
    FILE,
    QUOTED,
    VOICE,
    bare,
    file_names,
    named_file,
    opens,
    text_of,
    without_politeness,
)
from joule.llm.providers.offline._wishes import (
    Chart,
    DeleteFile,
    EditFile,
    Forget,
    Help,
    ListFiles,
    ReadFile,
    Recall,
    Remember,
    SaveThat,
    SearchFiles,
    Statistics,
    Summarise,
    Wish,
    WriteFile,
)

_NUMBERS = re.compile(
    r"\b(?:total|sum|overall|how\s+much\s+(?:did|do|does|was|were|have|has|money|revenue|spend)|average|mean"
    r"|median|max(?:imum)?|min(?:imum)?|highest|lowest|best|worst|most|least|top|bottom"
    r"|statistics?|stats|roas|roi|ctr|cpa|cpc|conversion\s+rate|cost\s+per|return\s+on|how\s+many\s+rows"
    r"|number\s+of\s+rows|per\s+\w+|by\s+(?:channel|campaign|region|country|month|week|source|medium|platform|product"
    r"|segment|audience|category))\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:what|which|who|where|how\s+(?:many|much)|calculate|compute|find|show|give|tell|list|get|total|sum|average|mean"
    r"|median|best|worst|top|highest|lowest|statistics?|stats|compare|rank|cost\s+per|conversion|click|open\s+rate|return"
    r"|roas|roi|ctr|cpa|cpc|revenue|spend|sales|overall|max(?:imum)?|min(?:imum)?)\b",
    re.IGNORECASE,
)


def read_wish(clause: str, accounts: Sequence[Account] = ()) -> Wish | None:
    """The wish a clause begins with; None when it begins with none."""
    said = without_politeness(clause)
    if (wish := account_wish(said, accounts)) is not None:
        return wish
    return next((wish for read in _READERS if (wish := read(said)) is not None), None)


# -- one reader for each kind of wish, tried in this order ------------------------------------------------------------


def literal_text(said: str) -> Wish | None:
    """`write notes.md: …` and `create a file notes.md with …`: everything that follows is the text, word for word."""
    opener = opens(
        rf"(?:write|create|make|save|put|start)\s+(?:me\s+)?(?:a\s+|the\s+)?(?:new\s+)?(?:text\s+)?(?:file\s+)?"
        rf"(?:called\s+|named\s+)?([\w][\w.\-()]*\.{EXT}|\"[^\"]+\"|“[^”]+”|`[^`]+`|'[^']+')\s*"
        r"(?::|,?\s+(?:with|containing|that\s+says|saying)(?:\s+the)?(?:\s+(?:text|content|words|lines?))?:?)\s*(\S.*)$",
        said,
    )
    if opener is None:
        return None
    return WriteFile(file=bare(opener[1]), text=text_of(opener[2]))


def _write(said: str) -> Wish | None:
    quoted = opens(
        rf"(write|save|put|store|add|append)\s+{QUOTED}\s+(?:to|into|in|as|at\s+the\s+end\s+of)\s+(\S.*)$", said
    )
    if quoted is None:
        return None
    text = next(part for part in quoted.groups()[1:6] if part is not None)
    adding = quoted[1].lower() in {"add", "append"}
    return WriteFile(file=named_file(quoted[7]), text=text, adding=adding)


def _save(said: str) -> Wish | None:
    that = r"(?:it|that|this|the\s+(?:result|summary|answer|text|analysis|report)s?|everything|the\s+lot)"
    save = opens(
        rf"(?:save|store|write|put|export|keep)\s+(?:{that}\s+)?(?:in|into|to|as|under)\s+(?:a\s+|the\s+)?(?:new\s+)?"
        rf"(?:file\s+)?(?:called\s+|named\s+)?([\"'`“]?[\w][\w .\-()]*?\.{EXT})\b",
        said,
    )
    return SaveThat(file=save[1].lstrip("\"'`“")) if save else None


def _edit(said: str) -> Wish | None:
    inside = opens(r"(?:in|edit|update|change)\s+(\S.{0,120}?)\s*[,:]\s*(?:replace|change|swap)\s+(.+)$", said)
    if inside:
        pair = _pair(inside[2])
        return EditFile(file=named_file(inside[1]), find=pair[0], replace=pair[1]) if pair else None
    after = opens(r"(?:replace|change|swap)\s+(.+)\s+in\s+(?:the\s+file\s+)?(\S.{0,120})$", said)
    if after:
        pair = _pair(after[1])
        return EditFile(file=named_file(after[2]), find=pair[0], replace=pair[1]) if pair else None
    return None


def _pair(said: str) -> tuple[str, str] | None:
    exact = re.fullmatch(rf"\s*{QUOTED}\s+(?:with|by|to|for|into)\s+{QUOTED}[.!?\s]*", said, re.DOTALL | re.IGNORECASE)
    if exact:
        find, replace = (next(p for p in exact.groups()[n : n + 5] if p is not None) for n in (0, 5))
        return find, replace
    loose = re.fullmatch(r"\s*(\S.*?)\s+(?:with|by|to|for)\s+(\S.*?)\s*", said, re.DOTALL | re.IGNORECASE)
    return (bare(loose[1]), bare(loose[2])) if loose else None


def _delete(said: str) -> Wish | None:
    gone = opens(r"(?:delete|remove|erase|throw\s+away|bin)\s+(?:the\s+|my\s+)?(?:file\s+)?(\S.{0,120})$", said)
    if gone is None:
        return None
    named = bare(gone[1])
    whole = FILE.fullmatch(named) or FILE.fullmatch(gone[1].strip().rstrip(".!?"))
    # "remove the emojis from summary.md" is not a wish to lose summary.md.
    about = re.search(r"\b(?:from|in|of|to|with|all|every\w*|about|that|and)\b", named, re.IGNORECASE)
    return DeleteFile(file=named) if whole or (not about and len(named.split()) <= 4) else None


def _remember(said: str) -> Wish | None:
    kept = opens(
        r"(?:remember|note|keep\s+in\s+mind|make\s+a\s+note|don(?:'t|’t)\s+forget)"
        r"(?:\s+that\b|\s+this\b)?\s*:?\s*(\S.*)$",
        said,
    )
    if kept is None or opens(r"(?:remember|note)\s+(?:anything|something|about)\b", said):
        return None
    text = text_of(kept[1]).strip().rstrip(".!").strip()
    return Remember(text=text, kind=_kind(text)) if text else None


def _kind(text: str) -> Literal["rule", "preference", "fact"]:
    if re.search(
        r"\b(?:never|always|must|mustn.t|don.t|do\s+not|avoid|only\s+ever|no\s+\w+\s+(?:marks?|emojis?))\b", text, re.I
    ):
        return "rule"
    if re.search(r"\b(?:prefers?|likes?|loves?|hates?|dislikes?|favou?rites?|would\s+rather|wants?)\b", text, re.I):
        return "preference"
    return "fact"


def _recall(said: str) -> Wish | None:
    asked = opens(
        r"(?:what\s+(?:do|did|have|can)\s+(?:you|we|i)\s+(?:still\s+)?"
        r"(?:remember(?:ed)?|recall|know|told?\s+you|tell\s+you|asked?\s+you\s+to\s+remember)"
        r"|what\s+is\s+remembered|recall|do\s+you\s+remember(?:\s+anything)?|show\s+(?:me\s+)?(?:your|the|our)\s+memor(?:y|ies)"
        r"|list\s+(?:your|the|all)\s+memories)\b\s*(?:about|of|on|regarding)?\s*(.*)$",
        said,
    )
    if asked is None:
        return None
    query = re.sub(r"^(?:me|us|so\s+far|everything|anything|all)\b\s*", "", bare(asked[1]), flags=re.IGNORECASE)
    return Recall(query=query[:200])


def _forget(said: str) -> Wish | None:
    gone = opens(
        r"(?:forget|unlearn|stop\s+remembering)\s+(everything\s+|all\s+)?(?:that\s+|what\s+)?(?:you\s+(?:know|remember)\s+)?"
        r"(?:about\s+|the\s+rule\s+(?:that|about)\s+|that\s+)?(.*)$",
        said,
    )
    return Forget(query=bare(gone[2])[:400], whole=gone[1] is not None) if gone else None


def _list(said: str) -> Wish | None:
    listing = opens(
        r"(?:(?:list|show|display|see|give)\s+(?:me\s+)?(?:all\s+)?(?:of\s+)?(?:the\s+|my\s+|our\s+)?(?:project\s+)?(?:files?|documents?|uploads?)"
        r"|(?:what|which)\s+(?:files?|documents?|uploads?)\s+(?:do|are|have|did|can|exist)\b"
        r"|(?:find|list|show)\s+(?:me\s+)?(?:all\s+)?(?:the\s+|my\s+)?files?\s+(?:called|named|with\s+names?\s+like|about))\s*(.*)$",
        said,
    )
    if listing is None:
        return None
    about = opens(r"(?:.*\b(?:called|named|like|about|matching)\s+)(\S.*)$", said)
    return ListFiles(matching=bare(about[1]) if about else "")


def _search(said: str) -> Wish | None:
    sought = opens(
        r"(?:search|look)\s+(?:(?:in|through)\s+)?(?:(?:all\s+)?(?:the\s+|my\s+|our\s+)?files?\s+)?for\s+(\S.*)$", said
    ) or opens(
        r"(?:find|locate)\s+(?:where\s+)?(\S.*?)\s+(?:in|across)\s+(?:all\s+)?(?:the\s+|my\s+|our\s+)?files?\b", said
    )
    mention = opens(
        r"(?:where|which\s+files?)\s+(?:do|does|did)?\s*(?:we|i|it|they)?\s*(?:mentions?|says?|talks?\s+about|contains?)\s+(\S.*)$",
        said,
    )
    found = sought or mention
    if found is None:
        return None
    query = re.sub(
        r"\s+(?:in|across)\s+(?:all\s+)?(?:the\s+|my\s+|our\s+)?files?\W*$", "", found[1], flags=re.IGNORECASE
    )
    return SearchFiles(query=bare(query)[:200])


def _statistics(said: str) -> Wish | None:
    if _ASKS.match(said) is None or _NUMBERS.search(said) is None or len(said) > 400:
        return None
    tables = [each for each in file_names(said) if re.search(r"\.(?:csv|tsv)$", each, re.IGNORECASE)]
    return Statistics(question=said, file=tables[0] if tables else "")


_WORKBOOK = r"(?:excel|xlsx|spreadsheet|workbook)"


def _chart(said: str) -> Wish | None:
    """`Chart spend against signups per channel`, `Make me a workbook of spend by region`; never what is to be written word for word."""
    drawn = opens(
        r"(?:(?:chart|plot|graph|draw|visuali[sz]e)\s+\S"
        r"|(?:make|create|give|show|build|prepare|do)\s+(?:me\s+|us\s+)?(?:an?|the)\s+(?:\w+\s+)?(?:chart|graph|plot|diagram)\s+\S)",
        said,
    )
    exported = opens(
        rf"(?:make|create|give|build|prepare|export)\s+(?:me\s+|us\s+)?(?:an?\s+|the\s+)?{_WORKBOOK}"
        r"(?:\s+(?:file|sheet|workbook))?\s+(?:of|with|for)\s+.*\b(?:per|by|from|for\s+each)\s+\w",
        said,
    )
    if (drawn is None and exported is None) or len(said) > 400:
        return None
    tables = [each for each in file_names(said) if re.search(r"\.(?:csv|tsv)$", each, re.IGNORECASE)]
    workbook = re.search(rf"\b{_WORKBOOK}\b", said, re.IGNORECASE) is not None
    return Chart(question=said, file=tables[0] if tables else "", chart=drawn is not None, workbook=workbook)


def summary_wish(said: str) -> Wish | None:
    asked = opens(
        r"(?:summari[sz]e|sum\s+up|recap|analy[sz]e|tl;?dr\b|condense|review|explain"
        r"|(?:give|show|write|make|create|prepare|draft)\s+(?:me\s+|us\s+)?(?:an?|the)\s+(?:\w+\s+){0,3}"
        r"(?:summary|overview|recap|analysis|report)(?:\s+(?:of|on|about|for|from))?"
        r"|(?:tell|show)\s+(?:me|us)\s+(?=what\s+(?:worked|happened|went|did))|(?=what\s+(?:worked|did\s*n.t\s+work|went\s+well|performed))"
        r"|(?=how\s+(?:did|have)\s+(?:our|the|my)\s+[\w ]+\s+(?:do|perform|go|done|performed)))\s*(.*)$",
        said,
    )
    if asked is None:
        return None
    object_ = VOICE.sub("", asked[1])
    names = file_names(object_)
    if names:
        return Summarise(files=names)
    place = re.search(r"\b(?:in|of|from)\s+(?:the\s+|my\s+|our\s+)?([\w][\w \-]{1,60})\W*$", object_)
    phrase = place[1] if place else named_file(object_)
    vague = re.fullmatch(
        r"(?:it|this|that|everything|(?:what|how)\b.*|(?:files?|results?|data|table)?)\W*", phrase, re.IGNORECASE
    )
    return Summarise(files=() if vague or len(phrase) > 60 else (bare(phrase),))


def _read(said: str) -> Wish | None:
    asked = opens(
        r"(?:(?:read|open|show|display|print|view|cat)\s+(?:me\s+)?(?:the\s+)?(?:contents?\s+of\s+|file\s+)?(?:out\s+)?(?:the\s+)?(\S.{0,120})"
        r"|what(?:'s|’s|\s+is)\s+in\s+(\S.{0,120})|what\s+does\s+(\S.{0,120}?)\s+say\b.*)$",
        said,
    )
    if asked is None:
        return None
    named = named_file(next(part for part in asked.groups() if part is not None))
    question = "" if asked[1] is not None else said.strip()
    return ReadFile(file=named, question=question) if named else None


def _help(said: str) -> Wish | None:
    asked = opens(r"(?:help|what\s+can\s+(?:you|i)\s+(?:do|ask)|how\s+do\s+you\s+work|hi|hello|hey)\b.{0,60}$", said)
    return Help() if asked else None


_READERS: tuple[Callable[[str], Wish | None], ...] = (
    literal_text,
    _chart,
    knowledge_wish,
    _remember,
    _write,
    _save,
    _edit,
    _recall,
    _forget,
    _list,
    _search,
    summary_wish,
    _statistics,
    _delete,
    _read,
    _help,
)
