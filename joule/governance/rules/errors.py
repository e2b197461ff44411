"""What can be wrong with an organisation's own policies."""

from joule.kernel.errors import Invalid


class DraftUnusable(Invalid):
    """A draft does not parse, does not fit the schema, or does more than restrict. What is wrong is not repeated here."""

    code = "policy.draft_unusable"

    def __init__(self) -> None:
        super().__init__(
            "this draft cannot be used as a policy",
            advice="Check it on the Policy page or with `joule policy check --own FILE`, which name the place.",
        )
