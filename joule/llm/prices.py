"""What the tokens of a model cost."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Millionths of the billing currency for a million tokens."""

    input_micros: int = 0
    output_micros: int = 0

    def of(self, input_tokens: int, output_tokens: int) -> int:
        """What so many tokens cost, rounded up: a limit on spend errs on the safe side."""
        return -(-(input_tokens * self.input_micros + output_tokens * self.output_micros) // 1_000_000)
