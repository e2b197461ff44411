"""Writes docs/settings.md from the descriptions in the settings themselves, so that the two cannot differ."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from joule.kernel.settings import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """# Settings

Joule reads its settings once, from variables named `JOULE_*`, when a process starts. A value that cannot be used stops
the start. No secret has a default. This page is written by `make docs`; a test fails when it is out of date.
"""

# Settings whose default is worked out when Joule starts, in words.
WORKED_OUT = {"JOULE_HOME": "`/var/lib/joule` for root, else `~/.local/share/joule`"}


def page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD, _section("Joule", Settings)]
    for name, field in Settings.model_fields.items():
        if _is_section(field):
            parts.append(_section(name.capitalize() if name != "llm" else "Model", field.annotation))
    return "\n".join(parts)


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings)


def _section(title: str, section: Any) -> str:
    rows = "\n".join(_rows(section))
    return f"## {title}\n\n{section.__doc__}\n\n| variable | default | values | meaning |\n|---|---|---|---|\n{rows}\n"


def _rows(section: type[BaseSettings]) -> Iterator[str]:
    prefix = section.model_config.get("env_prefix", "")
    for name, field in section.model_fields.items():
        if _is_section(field):
            continue
        variable = str(field.validation_alias or f"{prefix}{name.upper()}")
        cells = (f"`{variable}`", _default(variable, field), _values(field), field.description or "")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(variable: str, field: FieldInfo) -> str:
    if variable in WORKED_OUT:
        return WORKED_OUT[variable]
    if field.default in (None, ""):
        return "empty"
    return f"`{field.default}`"


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    least, most = _bound(field, "ge"), _bound(field, "le")
    if least is not None and most is not None:
        return f"{least} to {most}"
    if least is not None:
        return f"{least} or more"
    return "text"


def _bound(field: FieldInfo, kind: str) -> Any:
    return next((getattr(each, kind) for each in field.metadata if hasattr(each, kind)), None)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
