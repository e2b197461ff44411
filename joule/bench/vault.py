"""How many records of 2 KB one core seals and opens in a second."""

import os
import time
from collections.abc import Callable
from statistics import median

from joule.bench.report import Report
from joule.kernel.ids import OrgId, new_id
from joule.vault.keys import Keyring

PLAINTEXT_BYTES = 2_048
TARGETS = {"seal_per_s": {"min": 50_000}, "open_per_s": {"min": 50_000}}


async def run(*, quick: bool, **_: object) -> Report:
    """Seals and opens in turn, on one thread; the medians of the rounds. Needs no database."""
    key = new_id()
    ring = Keyring(org=OrgId(new_id()), subject="", keys={key: os.urandom(32)}, active=key, first=key)
    plaintext, row = os.urandom(PLAINTEXT_BYTES), new_id()
    sealed = ring.seal(plaintext, row=row, field="body")

    def seal() -> None:
        ring.seal(plaintext, row=row, field="body")

    def open_() -> None:
        ring.open(sealed, row=row, field="body")

    rounds, calls = (7, 10_000) if quick else (15, 50_000)
    for warm_up in (seal, open_):
        _per_second(warm_up, calls // 10)
    pairs = [(_per_second(seal, calls), _per_second(open_, calls)) for _ in range(rounds)]
    return Report(
        name="vault",
        figures={
            "seal_per_s": round(median(pair[0] for pair in pairs)),
            "open_per_s": round(median(pair[1] for pair in pairs)),
            "overhead_bytes": len(sealed) - PLAINTEXT_BYTES,
        },
        targets=TARGETS,
        notes=f"medians of {rounds} rounds of {calls} calls on one core, through a keyring already loaded",
    )


def _per_second(call: Callable[[], None], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return calls / (time.perf_counter() - started)
