"""What can be wrong with keeping and erasing. What is on hold is `traces.ending.holds.OnHold`."""

from joule.kernel.errors import JouleError


class NotTheirs(JouleError):
    """Somebody asked for the erasure or the data of somebody else."""

    code = "privacy.not_theirs"

    def __init__(self) -> None:
        super().__init__("this belongs to somebody else")

    def advice(self) -> str:
        return "Ask an owner or admin of your organisation."


class ProvidersUntold(JouleError):
    """Accounts are still connected, or their providers have not been told that they are not."""

    code = "privacy.providers_untold"

    def __init__(self, count: int) -> None:
        super().__init__(f"the providers of {count} connected accounts have not been told that Joule lets go of them")
        self.count = count

    def advice(self) -> str:
        return (
            "Disconnect them first and wait until their receipts are there; or erase all the same, and remove Joule in"
            " the settings of each provider yourself."
        )
