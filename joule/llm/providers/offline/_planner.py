"""Decides the next step: which tools to call now, or what to answer.

Pure, and a function of the conversation alone: wishes come from the person's last message, facts from the results that
came back since. Nothing in a result can add a wish.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from joule.llm.actions import Message, ToolCall, ToolSpec
from joule.llm.providers.offline import _account_work, _changing, _charting, _knowledge, _reading
from joule.llm.providers.offline._accounts import Account, accounts_of
from joule.llm.providers.offline._desk import Desk, Pending, Turn, Want, turn_of
from joule.llm.providers.offline._reading import Finding
from joule.llm.providers.offline._requests import parse, wants_voice
from joule.llm.providers.offline._speech import closing, help_text, opening
from joule.llm.providers.offline._wishes import (
    AskAccount,
    AskKnowledge,
    Chart,
    DeleteFile,
    DoAtAccount,
    EditFile,
    Forget,
    Help,
    ListAccounts,
    ListDocuments,
    ListFiles,
    ProposeThat,
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
from joule.llm.providers.offline._words import plain


@dataclass(frozen=True, kw_only=True)
class Step:
    """What to say and which tools to call; without calls it is the answer."""

    text: str
    calls: tuple[ToolCall, ...] = ()


def plan(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Step:
    """The next step of the conversation. Never raises, whatever the messages say."""
    turn = turn_of(messages)
    accounts = accounts_of(messages, tools)
    wishes = _possible(parse(turn.request, accounts), tools)
    if not wishes or isinstance(wishes[0], Help):
        return Step(text=help_text(understood=bool(wishes)))
    findings: dict[int, Finding] = {}
    reached: dict[int, int] = {}
    wants: list[Want] = []
    for place, wish in enumerate(wishes):
        first = _needed(place, wishes)
        if not first <= findings.keys():
            continue
        desk = Desk(turn=turn, tools=tools, since=max((reached[each] for each in first), default=0))
        try:
            findings[place] = _fulfil(wish, desk, turn, wishes, [findings[each] for each in sorted(first)], accounts)
        except Pending as pending:
            wants += [each for each in pending.wants if each not in wants]
        reached[place] = desk.reached
    if wants:
        desk = Desk(turn=turn, tools=tools)
        calls = tuple(desk.call(each, turn.made + number) for number, each in enumerate(wants))
        return Step(text=opening(wishes) if turn.is_first else "", calls=calls)
    return Step(text=closing([findings[each] for each in sorted(findings)]))


def _fulfil(
    wish: Wish,
    desk: Desk,
    turn: Turn,
    wishes: Sequence[Wish],
    before: Sequence[Finding],
    accounts: Sequence[Account],
) -> Finding:
    match wish:
        case ListFiles():
            return _reading.list_files(wish, desk)
        case SearchFiles():
            return _reading.search_files(wish, desk)
        case ReadFile():
            return _or_known(_reading.read_file(wish, desk), wish.question, desk)
        case Summarise():
            own = tuple(each.text for each in wishes if isinstance(each, Remember))
            return _reading.summarise(wish, desk, in_voice=wants_voice(turn.request), own_rules=own)
        case Statistics():
            return _or_known(_reading.statistics(wish, desk), wish.question, desk)
        case Chart():
            return _charting.chart(wish, desk)
        case SaveThat():
            return _changing.save(wish, desk, before=before, last_answer=turn.last_answer)
        case WriteFile():
            return _changing.write_file(wish, desk)
        case EditFile():
            return _changing.edit_file(wish, desk)
        case DeleteFile():
            return _changing.delete_file(wish, desk)
        case Remember():
            return _changing.remember(wish, desk)
        case Recall():
            return _reading.recall(wish, desk)
        case Forget():
            return _changing.forget(wish, desk)
        case AskKnowledge():
            return _knowledge.ask(wish, desk)
        case ProposeThat():
            return _knowledge.propose(desk, before=before)
        case ListDocuments():
            return _knowledge.list_documents(desk)
        case ListAccounts():
            return _account_work.list_accounts(accounts)
        case AskAccount():
            return _account_work.ask(wish, desk, accounts)
        case DoAtAccount():
            return _account_work.do(wish, desk, accounts)
        case Help():
            return Finding(text=help_text(understood=True))


def _or_known(found: Finding, question: str, desk: Desk) -> Finding:
    """What was found, or what the knowledge base says where no file can be meant."""
    if not found.is_elsewhere or not desk.has(_knowledge.TOOL):
        return found
    known = _knowledge.ask(AskKnowledge(question=question), desk)
    return known if known.is_good else found


def _possible(wishes: Sequence[Wish], tools: Sequence[ToolSpec]) -> Sequence[Wish]:
    """Without a knowledge base, a question nothing else understands is not understood."""
    if any(each.name == _knowledge.TOOL for each in tools):
        return wishes
    return [each for each in wishes if not isinstance(each, AskKnowledge) or each.named]


def _needed(place: int, wishes: Sequence[Wish]) -> set[int]:
    """The earlier wishes that have to be done before this one: what it saves, and what touches the same thing."""
    wish = wishes[place]
    if isinstance(wish, ProposeThat):
        return {at for at in range(place) if _makes_text(wishes[at])}
    if isinstance(wish, SaveThat):
        return {at for at in range(place) if _makes_text(wishes[at]) or _clash(wishes[at], wish)}
    return {at for at in range(place) if _clash(wishes[at], wish)}


def _makes_text(wish: Wish) -> bool:
    return isinstance(
        wish, Summarise | Statistics | Chart | ListFiles | SearchFiles | ReadFile | Recall | AskAccount | _KNOWING
    )


def _clash(earlier: Wish, later: Wish) -> bool:
    if isinstance(earlier, Remember | Forget) or isinstance(later, Remember | Forget):
        both_add = isinstance(earlier, Remember) and isinstance(later, Remember)
        return not both_add and isinstance(earlier, _MEMORY) and isinstance(later, _MEMORY)
    if not isinstance(earlier, _CHANGES) and not isinstance(later, _CHANGES):
        return False
    if isinstance(earlier, _CHANGES) and isinstance(later, ListFiles | SearchFiles):
        return True
    return bool(_touched(earlier) & _touched(later))


_KNOWING = AskKnowledge | ListDocuments
_MEMORY = Remember | Recall | Forget
_CHANGES = SaveThat | WriteFile | EditFile | DeleteFile


def _touched(wish: Wish) -> set[str]:
    match wish:
        case ReadFile() | SaveThat() | WriteFile() | EditFile() | DeleteFile() | Statistics() | Chart():
            return {plain(wish.file)}
        case Summarise():
            return {plain(each) for each in wish.files}
    return set()
