"""What a conversation is called until somebody gives it a name: the beginning of its first message. Pure."""

LONGEST = 120
FROM_REQUEST = 60


def title_of(request: str) -> str:
    """The first line of a message, cut to what a list has room for."""
    line = " ".join(request.strip().splitlines()[0].split())
    return line if len(line) <= FROM_REQUEST else line[: FROM_REQUEST - 1].rstrip() + "…"
