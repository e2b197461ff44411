"""Reads wishes about connected accounts. Only an account that is connected can be meant, by one of its names. Pure."""

import re
from collections.abc import Sequence

from joule.llm.providers.offline._accounts import Account
from joule.llm.providers.offline._phrases import QUOTED, opens
from joule.llm.providers.offline._wishes import AskAccount, DoAtAccount, ListAccounts, Wish

_LOOKS = r"(?:show|list|get|give|read|fetch|display|see|find|look\s+up|view|what|which|who|are|is)\b"
_COUNTS = r"(?:how\s+many|count|(?:what\s+is\s+)?(?:the\s+)?number\s+of)\s+(.*)$"
_DOES = r"(?:add|write|create|leave|make|put|send|publish|post|schedule|boost|spend|update|change|start|pause|run)\b"
_WHICH = (
    r"(?:(?:what|which)\s+(?:accounts?|integrations?|connections?|services?|providers?)\b.*\b(?:connected|have|there|use)\b"
    r"|(?:list|show)\s+(?:me\s+)?(?:the\s+|my\s+|our\s+|all\s+)*(?:connected\s+)?(?:accounts|integrations|connections)\b"
    r"|what\s+(?:is|are|have\s+(?:i|we))\s+connected\b"
    r"|what\s+(?:can|could)\s+you\s+do\s+(?:in|with|at)\s+(?:my\s+|our\s+|the\s+)?(?:connected\s+)?accounts)"
)


def account_wish(said: str, accounts: Sequence[Account]) -> Wish | None:
    """The wish about a connected account that a clause begins with; None when it begins with none."""
    if opens(_WHICH, said):
        return ListAccounts()
    for account in accounts:
        rest = _without(said, account)
        if rest is None:
            continue
        if counted := opens(_COUNTS, rest):
            return AskAccount(account=account.title, question=counted[1], counts=True)
        if opens(_DOES, rest):
            return DoAtAccount(account=account.title, order=rest)
        if opens(_LOOKS, rest):
            return AskAccount(account=account.title, question=rest)
    return None


def _without(said: str, account: Account) -> str | None:
    """The clause without the words for the account; None when it does not name it outside quotes."""
    before_text = re.split(r":\s", said, maxsplit=1)[0]  # what follows is text to be written, whatever it says
    shielded = [match.span() for match in re.finditer(QUOTED, before_text)]
    for name in account.names:
        called = r"\s+".join(map(re.escape, name.split()))
        for found in re.finditer(
            rf"\s*\b(?:(?:from|in|into|of|at|on|with|through|via|using|to|does)\s+)?(?:the\s+|my\s+|our\s+)?(?<!\w){called}(?!\w)"
            r"(?:\s+(?:account|have|has))?",
            before_text,
            re.IGNORECASE,
        ):
            if not any(low <= found.start() < high for low, high in shielded):
                return f"{said[: found.start()]}{said[found.end() :]}".strip()
    return None
