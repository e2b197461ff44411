"""What a shell there is told about limits, and how it says that a program ended."""

import signal

from sandbox.contract import Exited, Killer, Limits

_BY_SIGNAL = {128 + each: each for each in (6, 9, 11, 15, signal.SIGXCPU, signal.SIGXFSZ)}  # as a shell says it


def exited(code: int, seconds: float) -> Exited:
    """How a command ended, from the code of the shell around it."""
    by = _BY_SIGNAL.get(code, signal.SIGKILL if code < 0 else None)
    return Exited(
        code=None if by else code & 255,
        signal=by,
        killed_by=Killer.CPU if by in {signal.SIGXCPU, signal.SIGKILL} else None,
        seconds=seconds,
    )


def ulimits(limits: Limits) -> str:
    """Limits of one command, in a shell's own units."""
    kib = limits.file_bytes // 1024
    return f"ulimit -c 0; ulimit -f {max(kib, 1)}; ulimit -t {limits.cpu_seconds}; ulimit -u {limits.processes}"
