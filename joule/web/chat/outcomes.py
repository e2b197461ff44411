"""Says in words what was asked for and what came of it: the arguments and results of the agent's steps. Pure."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from joule.agent.citing import sources as cited
from joule.web.chat.views import Fact, Saved
from joule.web.rendering import byte_size
from joule.web.wording import counted

LONG = 90  # characters; longer values get a box of their own
MOST_SOURCES = 4
MOST = 4000  # characters of a result on a card

_ARGUMENTS = {
    "file_name": "File",
    "text": "Text",
    "query": "Words",
    "find": "Find",
    "replace": "Replace with",
    "group_by": "Grouped by",
    "columns": "Columns",
    "numerator": "Divide",
    "denominator": "by",
    "start_line": "From line",
    "lines": "Lines",
    "item": "Item",
    "kind": "Kind",
    "code": "Code",
    "command": "Command",
    "files": "Files it may read",
    "path": "Path",
    "spec": "Chart",
    "limit": "At most",
    "document": "Document",
    "page": "Page",
}
_PLAIN = {"start_line": 1, "lines": 2000, "limit": 10, "kind": "fact"}  # defaults say nothing
_SUBJECTS = ("file_name", "query", "path", "command", "text", "item")


def asked(arguments: Mapping[str, Any]) -> tuple[Fact, ...]:
    """The arguments of a step, less those that say nothing."""
    facts = []
    order = list(_ARGUMENTS)
    for name, value in sorted(arguments.items(), key=lambda each: order.index(each[0]) if each[0] in order else 99):
        if name in {"project", "thread"} or value in (None, "", [], _PLAIN.get(name, "")):
            continue
        shown = _value(value)
        is_long = len(shown) > LONG or "\n" in shown
        facts.append(Fact(name=_ARGUMENTS.get(name, name.replace("_", " ").capitalize()), value=shown, is_long=is_long))
    return tuple(facts)


def subject(arguments: Mapping[str, Any]) -> str:
    """The one argument that tells this step from others of its kind."""
    for name in _SUBJECTS:
        value = arguments.get(name)
        if isinstance(value, str) and value:
            flat = " ".join(value.split())
            return flat if len(flat) <= 60 else f"{flat[:57]}…"
    return ""


def came_of(action: str, result: Any) -> tuple[str, str]:
    """What came of a step: one sentence, and what there is to look at."""
    if not isinstance(result, Mapping):
        return "", ""
    say = _SAY.get(action)
    try:
        sentence, shown = say(result) if say else ("Done.", "")
    except (KeyError, TypeError):  # a record of an older release: shown as it is
        sentence, shown = "Done.", json.dumps(dict(result), ensure_ascii=False, indent=1)
    return sentence, shown if len(shown) <= MOST else f"{shown[:MOST]}\n… cut here; the record holds all of it"


def saved(action: str, result: Any, project: UUID) -> Saved | None:
    """What the person can now find in the project, if anything."""
    if not isinstance(result, Mapping):
        return None
    if action in {"memory.write_file", "memory.edit_file"} and "file" in result:
        title = f"{result.get('name', 'file')}, version {result.get('version', 1)}"
        return Saved(icon="file", title=title, href=f"/projects/{project}/files/{result['file']}")
    if action in {"memory.remember", "memory.propose_item"} and "item" in result:
        text = " ".join(str(result.get("text", "")).split())
        done = "Waits for your agreement" if result.get("state") == "proposed" else "Remembered"
        title = f"{done}: {text if len(text) <= 80 else text[:77] + '…'}"
        if result.get("state") == "proposed":
            return Saved(icon="hand", title=title, href=f"/projects/{project}/memory#proposal-{result['item']}")
        return Saved(icon="mind", title=title, href=f"/projects/{project}/memory#item-{result['item']}")
    if action.startswith("sandbox.") and (made := _artifacts(result)):
        names = ", ".join(str(each["name"]) for each in made)
        title = names if len(names) <= 80 else f"{names[:77]}…"
        only = f"/{made[0]['artifact']}" if len(made) == 1 else ""
        return Saved(icon="table", title=title, href=f"/projects/{project}/artifacts{only}")
    return None


def sources(action: str, result: Any, project: UUID) -> tuple[Saved, ...]:
    """The pages of documents that a search gave to the agent, best first: where a person can check the answer."""
    if action != "memory.search_knowledge" or not isinstance(result, Mapping):
        return ()
    try:
        found = cited(project, [each for each in result["passages"] if "hidden" not in each.get("marks", ())])
    except (KeyError, TypeError, ValueError):  # a record of another release
        return ()
    return tuple(Saved(icon="book", title=title, href=href) for title, href in found[:MOST_SOURCES])


def _artifacts(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What came out just now, without what an earlier run had left already."""
    made = [
        *result.get("artifacts", ()),
        *([result["artifact"]] if isinstance(result.get("artifact"), Mapping) else ()),
    ]
    return [each for each in made if not each.get("unchanged")]


def _value(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"length"}:
        return f"{counted(int(value['length']), 'character')}; the record keeps a commitment, not the text"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)


def _files(result: Mapping[str, Any]) -> tuple[str, str]:
    lines = [f"{each['name']}  {byte_size(each['size'])}" for each in result["files"]]
    return f"There {'is' if len(lines) == 1 else 'are'} {counted(len(lines), 'file')}.", "\n".join(lines)


def _read(result: Mapping[str, Any]) -> tuple[str, str]:
    total = result["total_lines"]
    more = "; there is more below" if result.get("truncated") else ""
    return f"Read version {result['version']}, {counted(total, 'line')} in all{more}.", str(result["text"])


def _hits(result: Mapping[str, Any]) -> tuple[str, str]:
    lines = [f"{each['name']}:{each['line']}  {each['snippet']}" for each in result["hits"]]
    return f"{counted(len(lines), 'line')} {'fits' if len(lines) == 1 else 'fit'}.", "\n".join(lines)


def _table(result: Mapping[str, Any]) -> tuple[str, str]:
    lines = [_column(each) for each in result["columns"]]
    for group in result.get("groups", ()):
        measures = ", ".join(f"{each['column']} {each['sum']}" for each in group.get("measures", ()))
        ratio = f", ratio {group['ratio']}" if group.get("ratio") else ""
        lines.append(f"{group['value']}: {counted(group['rows'], 'row')}, {measures}{ratio}")
    lines += result.get("notes", ())
    size = f"{counted(result['rows'], 'row')} and {counted(result['total_columns'], 'column')}"
    return f"Computed from {size}.", "\n".join(lines)


def _column(column: Mapping[str, Any]) -> str:
    measures = (("sum", "sum"), ("mean", "mean"), ("minimum", "from"), ("maximum", "to"))
    told = [f"{word} {column[name]}" for name, word in measures if column.get(name) is not None]
    return f"{column['name']} ({column['kind']}): " + (
        ", ".join(told) or counted(column["distinct"], "different value")
    )


def _written(result: Mapping[str, Any]) -> tuple[str, str]:
    if result.get("unchanged"):
        return "The file said exactly this already; nothing was added.", ""
    return f"Saved as version {result['version']}, {byte_size(result['size'])}.", ""


def _gone(result: Mapping[str, Any]) -> tuple[str, str]:
    return f"Deleted. It can be restored until {str(result['restorable_until'])[:10]}.", ""


def _passages(result: Mapping[str, Any]) -> tuple[str, str]:
    found = result["passages"]
    how = "by words and by meaning" if result.get("how") == "hybrid" else "by words only"
    texts = [f"{each['title']}{_page(each)}\n{' '.join(str(each['text']).split())}" for each in found]
    fit = "fits" if len(found) == 1 else "fit"
    return f"{counted(len(found), 'passage')} {fit}, searched {how}.", "\n\n".join(texts)


def _page(passage: Mapping[str, Any]) -> str:
    return f", page {passage['page']}" if passage.get("page") is not None else ""


def _document(result: Mapping[str, Any]) -> tuple[str, str]:
    more = "; there is more below" if result.get("truncated") else ""
    return f"Read characters {result['start']:,} to {result['end']:,} of {result['total']:,}{more}.", str(
        result["text"]
    )


def _documents(result: Mapping[str, Any]) -> tuple[str, str]:
    lines = [f"{each['title']}  {each['state']}" for each in result["documents"]]
    return f"There {'is' if len(lines) == 1 else 'are'} {counted(len(lines), 'document')}.", "\n".join(lines)


def _remembered(result: Mapping[str, Any]) -> tuple[str, str]:
    if result.get("state") == "proposed":
        return "Kept apart until a person agrees; until then it is used for nothing.", result["text"]
    return ("This was remembered already." if result.get("existing") else "Remembered for this project."), result[
        "text"
    ]


def _recalled(result: Mapping[str, Any]) -> tuple[str, str]:
    texts = [str(each["text"]) for each in result["items"]]
    return f"{counted(len(texts), 'item')} came to mind.", "\n".join(texts)


def _forgotten(result: Mapping[str, Any]) -> tuple[str, str]:
    return f"Forgotten: {counted(result['items'], 'item')}.", ""


def _answered(result: Mapping[str, Any]) -> tuple[str, str]:
    more = " There is more than this." if result.get("next_page") else ""
    said = str(result["data"])
    with suppress(ValueError):  # text that is no JSON is shown as it is
        said = json.dumps(json.loads(said), ensure_ascii=False, indent=1)
    return f"The account answered.{more}", said


_KILLED = {
    "wall": "It took too long and was ended.",
    "cpu": "It used too much processor time and was ended.",
    "memory": "It used too much memory and was ended.",
    "disk": "It wrote too much and was ended.",
    "inodes": "It made too many files and was ended.",
    "output": "It printed too much and was ended.",
}


def _ran(result: Mapping[str, Any]) -> tuple[str, str]:
    code, killed = result["exit_code"], result["killed_by"]
    if killed:
        sentence = _KILLED.get(killed, "It was ended.")
    else:
        sentence = "It ran." if code == 0 else f"It ended with an error ({'a signal' if code is None else code})."
    if made := _artifacts(result):
        sentence += f" {counted(len(made), 'artifact')} came out."
    refused = [f"not kept: {each['name'] or 'a file'}: {each['reason']}" for each in result["refused"]]
    return sentence, "\n".join(filter(None, [str(result["output"]), *refused]))


def _put(result: Mapping[str, Any]) -> tuple[str, str]:
    return f"Written, {byte_size(result['size'])}; it is there until the session ends.", ""


def _got(result: Mapping[str, Any]) -> tuple[str, str]:
    return "Read.", str(result["text"])


def _plotted(result: Mapping[str, Any]) -> tuple[str, str]:
    return "The chart is kept.", ""


_SAY: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, str]]] = {
    "memory.list_files": _files,
    "memory.read_file": _read,
    "memory.search_files": _hits,
    "memory.table_statistics": _table,
    "memory.write_file": _written,
    "memory.edit_file": _written,
    "memory.delete_file": _gone,
    "memory.search_knowledge": _passages,
    "memory.read_document": _document,
    "memory.list_documents": _documents,
    "memory.remember": _remembered,
    "memory.propose_item": _remembered,
    "memory.recall": _recalled,
    "memory.list_items": _recalled,
    "memory.forget_item": _forgotten,
    "integrations.read_from_provider": _answered,
    "integrations.draft_at_provider": _answered,
    "integrations.send_to_provider": _answered,
    "integrations.spend_at_provider": _answered,
    "sandbox.run_python": _ran,
    "sandbox.run_shell": _ran,
    "sandbox.write_workspace": _put,
    "sandbox.read_workspace": _got,
    "sandbox.plot": _plotted,
}
