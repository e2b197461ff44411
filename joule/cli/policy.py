"""`joule policy`: looks at policies before they are used, and keeps your organisation's own."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from joule.cli._output import Output, reporting
from joule.cli._policies import COMMANDS
from joule.kernel.errors import Invalid

if TYPE_CHECKING:
    from joule.kernel.action import Action

# Every module that declares actions; a test compares this with the source tree.
ACTIONS = (
    "joule.identity.actions",
    "memory.actions",
    "memory.items.actions",
    "memory.entries.actions",
    "memory.knowledge.actions",
    "joule.llm.actions",
    "joule.tasks.actions",
    "joule.replay.actions",
    "joule.privacy.actions",
    "joule.governance.rules.actions",
    "integrations.actions",
    "integrations.care.actions",
    "integrations.mcp.actions",
    "sandbox.actions",
    "sandbox.egress.actions",
    "traces.otel.actions",
    "traces.proof.actions",
    "traces.grants.actions",
)


@click.group("policy")
def command() -> None:
    """Check, draft, try and enforce policies; ask what they would have decided."""


for each_command in COMMANDS:
    command.add_command(each_command)


@command.command("check")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--own", is_flag=True, help="Check them as your organisation's own, beside those Joule comes with.")
@reporting
async def check(output: Output, paths: tuple[Path, ...], own: bool) -> None:
    """Check Cedar files, or all .cedar files of a folder, as Joule does when it starts.

    Without a path the policies that Joule comes with are checked. Exits with 6 when they cannot be used.
    """
    from joule.governance.policy import Policy, shipped

    if own and not paths:
        raise Invalid("nothing was named to check", advice="Name the file of your own policies after --own.")
    actions = every_action()
    text = "\n".join(_read(path) for path in paths) if paths else shipped()
    policy = (
        Policy(shipped(), actions=actions).restricted(text, prefix="own.draft")
        if own
        else Policy(text, actions=actions)
    )
    told = {"ok": True, "digest": policy.digest, "actions": sorted(action.name for action in actions)}
    output.result(told, f"The policies can be used. They are checked for {len(actions)} actions.")


def every_action() -> list[type["Action[Any]"]]:
    """Every action there is, by its name."""
    from joule.kernel.action import Action

    found = {}
    for name in ACTIONS:
        for each in vars(import_module(name)).values():
            if isinstance(each, type) and issubclass(each, Action) and "name" in vars(each):
                found[each.name] = each
    return [found[name] for name in sorted(found)]


def _read(path: Path) -> str:
    if path.is_file():
        return path.read_text(encoding="utf-8")
    inside = sorted(path.glob("*.cedar"))
    if not inside:
        raise Invalid(f"there is no .cedar file in {path}", advice="Name the files, or the folder they are in.")
    return "\n".join(each.read_text(encoding="utf-8") for each in inside)
