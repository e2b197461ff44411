"""Says amounts and names of the inside as people would. Pure."""

import re
from datetime import timedelta

TOOLS: dict[str, tuple[str, str]] = {  # tool or action → icon, what it does in words
    "list_files": ("folder", "List the files"),
    "read_file": ("file", "Read"),
    "search_files": ("search", "Search the files for"),
    "table_statistics": ("table", "Compute statistics of"),
    "write_file": ("pen", "Write"),
    "edit_file": ("pen", "Edit"),
    "delete_file": ("trash", "Delete"),
    "remember": ("mind", "Remember"),
    "recall": ("mind", "Look in memory for"),
    "forget": ("trash", "Forget"),
    "propose_memory": ("mind", "Propose to remember"),
    "search_knowledge": ("book", "Search the knowledge base for"),
    "read_document": ("book", "Read the document"),
    "list_documents": ("book", "List the documents"),
    "run_python": ("spark", "Run Python"),
    "run_shell": ("spark", "Run in the shell"),
    "write_workspace": ("pen", "Write in the workspace"),
    "read_workspace": ("file", "Read in the workspace"),
    "plot": ("table", "Plot"),
}

FACTS: dict[str, str] = {  # facts of a decision → words; a fact not listed is shown under its own name
    "role": "Role",
    "via": "Whose hand",
    "effect": "Kind of effect",
    "purpose": "Purpose",
    "integrity": "What it was made from",
    "training": "Training",
    "provenance": "Where the values come from",
    "approved": "Approved by a person",
}

_SERVED = re.compile(r"mcp_.+_[0-9a-f]{8}")  # a tool of an MCP server, as the agent's room names it

_VALUES: dict[str, str] = {
    "provenance=words": "your own words",
    "provenance=minted": "this task's own results",
    "provenance=nothing": "it has no values that matter",
    "provenance=elsewhere": "neither your words nor this task's results",
    "via=agent": "the agent's, for you",
    "via=person": "a person's own",
    "integrity=trusted": "trusted values only",
    "integrity=untrusted": "includes text from outside",
    "training=denied": "denied",
    "approved=True": "yes",
    "approved=False": "no",
    "purpose=essential.service": "providing the service",
}


def tool(name: str) -> tuple[str, str]:
    """The icon and the words for a tool; for one of an MCP server without the end of its id."""
    if _SERVED.fullmatch(name):
        return "plug", f"MCP: {name[4:-9].replace('_', ' ')}"
    return TOOLS.get(name, ("spark", name.replace("_", " ").replace(".", ": ").capitalize()))


def fact(name: str, value: object) -> tuple[str, str]:
    """A fact of a decision, and its value, in words."""
    words = _VALUES.get(f"{name}={value}", str(value).replace("_", " "))
    return FACTS.get(name, name.replace("_", " ").capitalize()), words


def duration(took: timedelta) -> str:
    """How long something took, in the unit a person would choose."""
    seconds = took.total_seconds()
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def spend(micros: int) -> str:
    """An amount in the billing currency, which the operator's prices define."""
    return f"{micros / 1_000_000:,.4f}".rstrip("0").rstrip(".") if micros else "0"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
