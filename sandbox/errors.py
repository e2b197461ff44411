"""What can go wrong with a sandbox, and what to do about it. What the guest's own code does wrong is a result."""

from joule.kernel.errors import JouleError, Unavailable


class SandboxUnavailable(Unavailable):
    """No sandbox can be started here. Nothing was run: there is no mode without one."""

    code = "sandbox.unavailable"

    def __init__(self, reason: str, *, fix: str) -> None:
        super().__init__(f"a sandbox ({reason})")
        self.reason, self._fix = reason, fix

    def advice(self) -> str:
        return self._fix


class PackDamaged(SandboxUnavailable):
    """A file of the installed data pack is not what was installed. No sandbox gets to see it."""

    code = "sandbox.pack_damaged"

    def __init__(self) -> None:
        super().__init__("its data pack is damaged", fix="Run `joule sandbox install-pack`; it makes the pack anew.")


class PackNotMade(Unavailable):
    """The data pack could not be installed. What was fetched is kept, and nothing half made is used."""

    code = "sandbox.pack_not_made"

    def __init__(self, reason: str, *, advice: str) -> None:
        super().__init__(f"the data pack ({reason})")
        self._advice = advice

    def advice(self) -> str:
        return self._advice


class SandboxGone(JouleError):
    """The sandbox has ended: its time was over, somebody ended it, or its host did."""

    code = "sandbox.gone"

    def __init__(self) -> None:
        super().__init__("the sandbox has ended, and what was in it is gone")

    def advice(self) -> str:
        return "Run it again: a new sandbox gets the same files of the project. What was only in the old one is lost."


class PathRefused(JouleError):
    """A path is not one plain file within the workspace."""

    code = "sandbox.path_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the path is refused: {reason}")

    def advice(self) -> str:
        return "Name a file under the working folder: letters, digits, spaces, dots and dashes, without .. or links."


class QuotaExceeded(JouleError):
    """Something is larger than it may be. Nothing of it was kept."""

    code = "sandbox.quota"

    def __init__(self, what: str, *, limit: int) -> None:
        super().__init__(f"{what} is more than {limit:,} allowed")
        self.limit = limit

    def advice(self) -> str:
        return "Write less, or fewer files; an admin can change the limits."


class ProtocolBroken(JouleError):
    """The guest answered what no answer looks like. The sandbox was ended."""

    code = "sandbox.protocol"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the sandbox answered nonsense and was ended: {reason}")

    def advice(self) -> str:
        return "Run it again. If it happens again, the code that ran in it is trying something."
