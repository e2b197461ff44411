"""One attempt to get out of the sandbox, or to take more than it gives, and the walls that stand in its way.

Each attempt is made twice: with every wall it must be stopped, and with exactly its own taken out it must succeed. The
second is what makes the first worth anything.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sandbox.contract import Killer, Limits

Given = dict[str, Any]


class Wall(StrEnum):
    """What can be taken out, here and nowhere else. No setting of the product weakens any of it."""

    FILTER = "the filter on system calls"
    NETWORK = "a network of its own"
    PROCESSES = "process numbers of its own"
    SHARED_MEMORY = "shared memory of its own"
    HOST_NAME = "a host name of its own"
    NAMESPACES = "no further namespaces"
    USER = "a user nobody else is"
    TREE = "nothing of the host but programs"
    READ_ONLY = "programs that cannot be written"
    ROOT = "a root that cannot be written"
    ENVIRONMENT = "an empty environment"
    DESCRIPTORS = "no open files but its own"
    ARGUMENTS = "options that nobody can read"
    TERMINAL = "no terminal"
    CAPABILITIES = "no capabilities"
    DEVICES = "the fewest devices"
    SIZES = "sizes of its folders"
    LIMIT_AS = "the limit on memory of one process"
    LIMIT_NPROC = "the limit on processes"
    LIMIT_FSIZE = "the limit on one file"
    LIMIT_NOFILE = "the limit on open files"
    LIMIT_CORE = "the limit on memory dumps"
    LIMIT_MEMLOCK = "the limit on locked memory"
    LIMIT_MSGQUEUE = "the limit on message queues"
    LIMIT_CPU = "the limit on processor time"
    WATCH = "the watch from outside"
    LIFE = "a life no longer than its maker's"
    GUEST = "the guest's own care"
    HOST = "the host's distrust of what the guest says"
    ALL = "the sandbox as a whole"


@dataclass(frozen=True, kw_only=True, eq=False)
class Attack:
    """Code that runs inside. It returns what it got, or nothing; an error of the system means it was stopped.

    `run` is shipped as its source: it imports what it uses, and is told by `given` what there would be to steal.
    """

    number: str  # in the list of docs/sandbox.md
    run: Callable[[Given], object]
    walls: tuple[Wall, ...]  # without all of these it succeeds; without one of several it is still stopped
    ended_by: Killer | None = None  # stopped by being ended, in place of an error
    limits: Limits = field(default_factory=Limits)
    with_folder: bool = False  # a folder of the host is bound at /opt/site, read only
    only_root: bool = False  # there is nothing to attack when an ordinary user starts the sandbox
    machines: tuple[str, ...] = ("x86_64", "aarch64")
    called: str = ""  # where one function makes several attempts
    more: Given = field(default_factory=dict)  # told besides

    @property
    def name(self) -> str:
        return self.called or self.run.__name__


@dataclass(frozen=True, kw_only=True)
class Siege:
    """An attack on the host's own side of a sandbox: by files, names and answers a guest makes up."""

    number: str
    run: Callable[[Any], Awaitable[bool]]  # with the walls: whether it got through
    without: Callable[[Any], Awaitable[bool]]  # with the naive way of doing it: whether it got through
    walls: tuple[Wall, ...] = (Wall.HOST,)
    only_root: bool = False

    @property
    def name(self) -> str:
        return self.run.__name__


class Verdict(StrEnum):
    """How one attempt ended."""

    STOPPED = "stopped"
    ESCAPED = "escaped"
    UNCLEAR = "unclear"  # neither was said: counted as not stopped, and as no control


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an attempt came to. `said` is the end of what it said, to find out why."""

    verdict: Verdict
    said: str = ""
