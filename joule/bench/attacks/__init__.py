"""Attempts to get out of the sandbox, each with a control that shows that it works where its wall is missing."""

from joule.bench.attacks import exhaustion, files, guest, kernel, network, privilege
from joule.bench.attacks.attack import Attack, Siege

ATTACKS: tuple[Attack | Siege, ...] = (
    *files.ATTACKS,
    *network.ATTACKS,
    *exhaustion.ATTACKS,
    *kernel.ATTACKS,
    *privilege.ATTACKS,
    *guest.ATTACKS,
)
