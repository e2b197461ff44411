"""What can be wrong with the proof.

JouleError
├── NotProvable       no signed head speaks for a task any more
├── AddressRefused    heads cannot be sent there
└── DeliveryFailed    heads did not arrive this time
"""

from joule.kernel.errors import Invalid, JouleError


class NotProvable(JouleError):
    """The seals of this task have gone with their retention: nothing signed speaks for it any more."""

    code = "traces.not_provable"

    def __init__(self) -> None:
        super().__init__("the seals of this task are past their retention")

    def advice(self) -> str:
        return "Use a bundle that was exported earlier; it can be checked for ever."


class AddressRefused(Invalid):
    """Heads cannot be sent to such an address."""

    code = "traces.address_refused"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, advice="Give an https address with a public name and no password in it.")


class DeliveryFailed(JouleError):
    """The heads did not arrive. They are sent again; `problem` is a closed word that says why."""

    code = "traces.delivery_failed"

    def __init__(self, problem: str) -> None:
        super().__init__(f"heads could not be delivered: {problem.replace('_', ' ')}")
        self.problem = problem

    def advice(self) -> str:
        return "Look at the receiving side; Joule goes on trying, and loses none meanwhile."
