"""`joule bench`: runs measurements and prints what they found, whatever it is."""

import asyncio
import json
import pkgutil
import sys
from importlib import import_module
from typing import Any

import click

from joule.cli._output import Output, reporting, table
from joule.kernel.errors import Invalid, NotFound


def names() -> list[str]:
    """Every benchmark there is."""
    import joule.bench

    found = (each.name for each in pkgutil.iter_modules(joule.bench.__path__))
    return sorted(name.replace("_", "-") for name in found if name != "report" and not name.startswith("_"))


@click.command("bench", context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.option("--all", "everything", is_flag=True, help="Run every one, each in a process of its own.")
@click.option("--quick", is_flag=True, help="Smaller sizes: minutes in place of hours.")
@reporting
async def command(output: Output, name: str | None, options: tuple[str, ...], everything: bool, quick: bool) -> None:
    """Measure Joule on this machine.

    `joule bench NAME` runs one, `joule bench --all` all, `joule bench` lists them. Further options, such as
    `--kills 200`, are handed to the benchmark. Exits with 0 when it ran, whatever the figures.
    """
    if everything:
        await _all(output, quick=quick)
    elif name is None:
        output.result({"benchmarks": names()}, "\n".join(names()))
    else:
        await _one(output, name, _given(options), quick=quick)


async def _one(output: Output, name: str, options: dict[str, Any], *, quick: bool) -> None:
    if name not in names():
        raise NotFound("benchmark")
    output.say(f"Measuring {name}")
    report = await import_module(f"joule.bench.{name.replace('-', '_')}").run(quick=quick, **options)
    output.result(report.to_json(), lambda: _shown(report.to_json(), report.missed()))


async def _all(output: Output, *, quick: bool) -> None:
    reports, failed = [], []
    for name in names():
        output.say(f"Measuring {name}")
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "joule.cli", "bench", name, "--json", *(["--quick"] if quick else [])],
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
        if process.returncode == 0:
            reports.append(json.loads(told))
        else:
            failed.append(name)
    output.result({"reports": reports, "failed": failed}, lambda: "\n\n".join(_shown(each, []) for each in reports))
    if failed:
        raise Invalid(f"did not run: {', '.join(failed)}", advice="Run each of them alone to see why.")


def _given(options: tuple[str, ...]) -> dict[str, Any]:
    """`--kills 200` as `{"kills": 200}`. Raises `Invalid` for anything else."""
    pairs = dict(zip(options[::2], options[1::2], strict=False))
    if len(options) % 2 or not all(option.startswith("--") for option in pairs):
        raise Invalid("options of a benchmark come in pairs", advice="Write them as `--kills 200`.")
    return {option[2:].replace("-", "_"): _value(value) for option, value in pairs.items()}


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _shown(report: dict[str, Any], missed: list[str]) -> str:
    rows = [
        (
            figure,
            f"{value:g}",
            ", ".join(f"{kind} {bound:g}" for kind, bound in report["targets"].get(figure, {}).items()),
        )
        for figure, value in report["figures"].items()
    ]
    lines = [f"{report['name']} on {report['machine']}", table(("figure", "value", "target"), rows)]
    return "\n".join([*lines, *(f"Missed: {each}" for each in missed), *filter(None, [report["notes"]])])
