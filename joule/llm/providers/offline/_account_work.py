"""Wishes about connected accounts, done with the tools the accounts offer. What lacks is asked for, never made up."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from joule.llm.providers.offline._account_orders import Missing, filled, narrowing
from joule.llm.providers.offline._accounts import ACCOUNT, Account, AccountTool, tool_for
from joule.llm.providers.offline._desk import Desk, Outcome, Want
from joule.llm.providers.offline._reading import Finding
from joule.llm.providers.offline._wishes import AskAccount, DoAtAccount
from joule.llm.providers.offline._words import counted, listed

MOST_ROWS = 25
MOST_COLUMNS = 8


def list_accounts(accounts: Sequence[Account]) -> Finding:
    if not accounts:
        return Finding(text="No account is connected. An admin can connect one under Integrations.")
    lines = []
    for each in accounts:
        now = [_said(tool) for tool in each.tools if tool.name not in each.lacking]
        later = [_said(tool) for tool in each.tools if tool.name in each.lacking]
        more = f" With another permission: {listed(later)}." if later else ""
        lines.append(f"- **{each.title}**: {listed(now) or 'nothing yet'}.{more}")
    is_one = len(accounts) == 1
    return Finding(
        text=f"{counted(len(accounts), 'account')} {'is' if is_one else 'are'} connected:\n\n" + "\n".join(lines)
    )


def ask(wish: AskAccount, desk: Desk, accounts: Sequence[Account]) -> Finding:
    account = next(each for each in accounts if each.title == wish.account)
    tool = tool_for(account, wish.question, reads=True)
    if tool is None:
        return _no_such(account, reads=True)
    try:
        arguments = narrowing(tool, wish.question)
    except Missing as lacking:
        return Finding(text=lacking.told(account.title), is_good=False)
    (found,) = desk.ask(Want(tool=tool.name, arguments=_for(tool, account, arguments)))
    if not found.is_good:
        return _failed(f"ask {account.title}", found)
    thing, rows = _rows(found)
    if wish.counts:
        return _count(wish, account, found, rows)
    if not rows:
        text = _flat(found) or f"{account.title} has nothing that fits."
        return Finding(text=text, document=text + "\n")
    text = f"{thing.replace('_', ' ').capitalize()} from {account.title}:\n\n{_table(rows)}"
    if len(rows) > MOST_ROWS or found.values.get("next_page"):
        text += "\n\nThere are more than these."
    return Finding(text=text, document=text + "\n")


def do(wish: DoAtAccount, desk: Desk, accounts: Sequence[Account]) -> Finding:
    account = next(each for each in accounts if each.title == wish.account)
    tool = tool_for(account, _before_text(wish.order), reads=False)
    if tool is None:
        return _no_such(account, reads=False)
    try:
        arguments = filled(tool, wish.order, looked_up=lambda name, who: _look_up(name, who, account, desk))
    except Missing as lacking:
        return Finding(text=lacking.told(account.title), is_good=False)
    (done,) = desk.ask(Want(tool=tool.name, arguments=_for(tool, account, arguments)))
    what = _said(tool)
    if not done.is_good:
        return _failed(what, done)
    told = _flat(done)
    return Finding(text=f"Done at {account.title}: {what}." + (f"\n\n{told}" if told else ""))


def _look_up(name: str, who: str, account: Account, desk: Desk) -> str | None:
    """The id of the one entry that is called like this, from the tool that lists such things."""
    tool = tool_for(account, name, reads=True)
    if tool is None or tool.required or tool.name in account.lacking:
        return None
    (found,) = desk.ask(Want(tool=tool.name, arguments=_for(tool, account, {})))
    wanted = who.casefold().strip()
    fits = [
        str(each["id"])
        for each in _rows(found)[1]
        if "id" in each and any(isinstance(value, str) and value.casefold() == wanted for value in each.values())
    ]
    return fits[0] if len(set(fits)) == 1 else None


def _for(tool: AccountTool, account: Account, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    which = tool.properties.get(ACCOUNT)
    offered = which.get("enum") or () if isinstance(which, dict) else ()
    return {**arguments, ACCOUNT: account.title} if account.title in offered else arguments


def _rows(found: Outcome) -> tuple[str, list[Mapping[str, Any]]]:
    """The longest list of records in an answer, and what it is called there."""
    data = found.values.get("data")
    lists: list[tuple[str, Any]] = [("entries", data)] if isinstance(data, list) else []
    if isinstance(data, dict):
        lists = [(str(name), value) for name, value in data.items() if isinstance(value, list)]
    read: list[tuple[str, list[Mapping[str, Any]]]]
    read = [(name, [each for each in value if isinstance(each, dict)]) for name, value in lists]
    return max(read, key=lambda each: len(each[1]), default=("entries", []))


def _count(wish: AskAccount, account: Account, found: Outcome, rows: Sequence[Mapping[str, Any]]) -> Finding:
    data = found.values.get("data")
    total = data.get("total") if isinstance(data, dict) else None
    what = re.split(r"\s+(?:are|is|do|does|did|have|has|there)\b|[?.!]", wish.question, maxsplit=1)[0].strip()
    if isinstance(total, int) and not isinstance(total, bool):
        return Finding(text=f"{account.title} has **{total:,}** {what or 'entries'}.")
    least = "at least " if found.values.get("next_page") else ""
    return Finding(text=f"{account.title} has {least}**{len(rows):,}** {what or 'entries'}.")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(str(name) for row in rows[:MOST_ROWS] for name in row))[:MOST_COLUMNS]
    lines = [f"| {' | '.join(_cell(each.replace('_', ' ')) for each in names)} |", "|" + " --- |" * len(names)]
    lines += [f"| {' | '.join(_cell(row.get(each)) for each in names)} |" for row in rows[:MOST_ROWS]]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    shown = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(str(shown).replace("|", "\\|").split())[:120]


def _flat(found: Outcome) -> str:
    """What an answer says in single values."""
    data = found.values.get("data")
    if not isinstance(data, dict):
        return ""
    simple = {name: value for name, value in data.items() if isinstance(value, str | int | float)}
    return "\n".join(f"- {str(name).replace('_', ' ')}: {_cell(value)}" for name, value in simple.items())


def _no_such(account: Account, *, reads: bool) -> Finding:
    can = [_said(each) for each in account.tools if each.reads is reads]
    return Finding(
        text=f"I do not know how to do that at {account.title}. There I can {listed(can) or 'do nothing of the kind'}.",
        is_good=False,
    )


def _said(tool: AccountTool) -> str:
    """The title a tool's description gives it, as part of a sentence."""
    title = tool.description.split(": ", 1)[-1].split(".", 1)[0].strip() or tool.name.replace("_", " ")
    return title[:1].lower() + title[1:]


def _before_text(order: str) -> str:
    return re.split(r":\s", order, maxsplit=1)[0]


def _failed(what: str, outcome: Outcome) -> Finding:
    return Finding(text=f"I could not {what}: {outcome.problem}.", is_good=False)
