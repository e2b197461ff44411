"""Attempts to get out of the sandbox, each with a control that shows that it works where its wall is missing."""

import os
from typing import Any

from joule.bench.attacks import answers, exhaustion, files, guest, kernel, network, privilege
from joule.bench.attacks._ground import ground
from joule.bench.attacks._ordinary import as_an_ordinary_user
from joule.bench.attacks._trial import Trial
from joule.bench.attacks.attack import Attack, Siege
from joule.bench.report import Report

THEMES: dict[str, tuple[Attack | Siege, ...]] = {
    "files": files.ATTACKS,
    "network": network.ATTACKS,
    "exhaustion": exhaustion.ATTACKS,
    "kernel": kernel.ATTACKS,
    "privilege": privilege.ATTACKS,
    "guest": guest.ATTACKS,
    "answers": answers.ATTACKS,
}


async def run(*, quick: bool, **_: object) -> Report:
    """Every attempt, as the user we are and, when that is root, as an ordinary one too; `quick` changes nothing."""
    found = {"": [each for theme in THEMES for each in await judged(theme)]}
    if os.geteuid() == 0:
        found["ordinary_"] = [each for theme in THEMES for each in await as_an_ordinary_user(theme)]
    figures: dict[str, float] = {"uid": os.geteuid()}
    for prefix, all_found in found.items():
        stopped = sum(each["stopped"] for each in all_found)
        figures |= {
            f"{prefix}attacks": len(all_found),
            f"{prefix}stopped": stopped,
            f"{prefix}not_stopped": len(all_found) - stopped,
            f"{prefix}without_positive_control": sum(not each["control"] for each in all_found),
        }
    wrong = sorted(
        {each["name"] for one in found.values() for each in one if not (each["stopped"] and each["control"])}
    )
    return Report(
        name="attacks",
        figures=figures,
        targets={
            "attacks": {"min": 85},
            **{f"{prefix}not_stopped": {"max": 0} for prefix in found},
            **{f"{prefix}without_positive_control": {"max": 0} for prefix in found},
        },
        notes=f"each stopped with all walls, and through without its own; otherwise: {', '.join(wrong) or 'none'}",
    )


async def judged(theme: str, *, at_most: int | None = None) -> list[dict[str, Any]]:
    """What was found of one theme's attacks, as the user we are."""
    with ground() as given:
        trial = Trial(given=given, is_root=os.geteuid() == 0)
        try:
            return [(await trial.judged(each)).to_json() for each in THEMES[theme][:at_most] if trial.fits(each)]
        finally:
            await trial.close()
