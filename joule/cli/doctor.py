"""`joule doctor`: looks at everything Joule stands on and says how to mend what is wrong."""

import click

from joule.cli._installation import read_settings
from joule.cli._output import Failed, Output, reporting


@click.command("doctor")
@reporting
async def command(output: Output) -> None:
    """Check this installation and say how to mend what is wrong.

    Changes nothing and sends nothing to the model. Exits with 1 when something is wrong.
    """
    from joule.cli._checks import findings

    found = await findings(read_settings())
    well = all(each.ok for each in found)
    lines = [f"{'ok ' if each.ok else 'NO '} {each.check:<10} {each.found}" for each in found]
    for line, each in zip(list(lines), found, strict=True):
        if each.fix:
            lines.insert(lines.index(line) + 1, f"               {each.fix}")
    output.result({"ok": well, "checks": found}, "\n".join(lines))
    if not well:
        raise Failed
