"""The `joule` command: finds the command that was asked for and imports only that one.

`joule --help` must stay fast, so nothing but click and what is as light is imported here.
"""

from importlib import import_module
from importlib.metadata import version

import click

from joule.cli._dumps import forbid_core_dumps

# name → (module, one line for `joule --help`), in the order a newcomer meets them
COMMANDS = {
    "up": ("joule.cli.up", "Start everything: database, worker and web; print a sign-in link."),
    "doctor": ("joule.cli.doctor", "Check this installation and say how to mend what is wrong."),
    "chat": ("joule.cli.chat", "Send the agent a message and follow what it does."),
    "task": ("joule.cli.task", "List, show and stop tasks."),
    "replay": ("joule.cli.replay", "Run a recorded task again without any effect and compare."),
    "trace": ("joule.cli.trace", "Show a task's journal, take it along, check that it is as it was written."),
    "memory": ("joule.cli.memory", "See, search, edit and forget what is remembered."),
    "integrations": ("joule.cli.integrations", "See, connect and disconnect accounts at providers."),
    "sandbox": ("joule.cli.sandbox", "Try, list and end sandboxes; install what code in them may import."),
    "artifacts": ("joule.cli.artifacts", "List, fetch, pin and delete what code in sandboxes has left."),
    "policy": ("joule.cli.policy", "Check, draft, try and enforce policies; ask what they would have decided."),
    "privacy": ("joule.cli.privacy", "See and choose what is kept and for how long, hold it, erase it, hand it out."),
    "vault": ("joule.cli.vault", "Make and replace the keys that wrap every key."),
    "migrate": ("joule.cli.migrate", "Bring the database's schema up to date."),
    "web": ("joule.cli.web", "Run one web process; start as many as you need."),
    "worker": ("joule.cli.worker", "Run one worker process; start as many as you need."),
    "bench": ("joule.cli.bench", "Measure Joule on this machine."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports a command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"joule {version('joule-agent')}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"terminal_width": 100, "help_option_names": ["--help", "-h"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show it.")
def main() -> None:
    """A self-hosted AI marketing agent whose privacy policy runs as code.

    Every command has --help and --json. It exits with 0 only when it did what was asked.
    """
    forbid_core_dumps()
