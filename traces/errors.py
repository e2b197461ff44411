"""What can be wrong with a journal."""

from joule.kernel.errors import Corrupt, Invalid, JouleError, JournalDown

__all__ = ["ChainBroken", "HeadRefused", "JournalDown", "RecordingDiffers"]


class ChainBroken(Corrupt):
    """The recorded rows of a task are not the rows that were written: edited, removed, reordered or moved."""

    code = "traces.chain_broken"

    def __init__(self, seq: int, problem: str) -> None:
        super().__init__(f"row {seq}: {problem}")
        self.seq, self.problem = seq, problem


class HeadRefused(Invalid):
    """A head would have held something the schema does not allow, such as free text."""

    code = "traces.head_refused"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, advice="Report this to the maintainers: heads hold ids, enums, numbers and hashes.")


class RecordingDiffers(JouleError):
    """A resumed task asks for something else than it did before, so its record cannot be gone on from."""

    code = "traces.recording_differs"

    def __init__(self, call: str) -> None:
        super().__init__(f"the step {call} is not the one that was recorded")
        self.call = call

    def advice(self) -> str:
        return "Joule changed since this task began. Send the message again to start a new one."
