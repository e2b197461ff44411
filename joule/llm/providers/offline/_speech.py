"""What the offline model says around its findings: what it is about to do, what it did, and what can be asked of it."""

from collections.abc import Sequence

from joule.llm.providers.offline._reading import Finding
from joule.llm.providers.offline._wishes import (
    AskAccount,
    AskKnowledge,
    Chart,
    DeleteFile,
    DoAtAccount,
    EditFile,
    Forget,
    ListAccounts,
    ListDocuments,
    ListFiles,
    ProposeThat,
    ReadFile,
    Recall,
    Remember,
    SaveThat,
    SearchFiles,
    Statistics,
    Summarise,
    Wish,
    WriteFile,
)
from joule.llm.providers.offline._words import listed

EXAMPLES = (
    ("look at files", "“List my files”, “Read brand-guide.md”, “Search my files for discount”"),
    ("summarise", "“Summarise what worked in campaigns.csv in our brand voice and save it as summary.md”"),
    ("compute", "“Which channel had the highest revenue in campaigns.csv?”, “Total spend per channel”"),
    (
        "draw and export",
        "“Chart spend against revenue per channel from campaigns.csv and give me an Excel with the numbers”",
    ),
    ("write and edit files", '“Write "Hello" to notes.md”, “Replace "cheap" with "good value" in notes.md”'),
    ("delete files", "“Delete notes.md”"),
    ("remember, recall and forget", "“Remember that we never use exclamation marks”, “What do you remember?”"),
    ("answer from the knowledge base", "“What is our refund policy?”, “Which documents are in the knowledge base?”"),
    ("use connected accounts", "“What accounts are connected?”, “Show the campaigns from the demo CRM”"),
)


def opening(wishes: Sequence[Wish]) -> str:
    """What is about to be done, in one sentence."""
    return f"On it: I will {listed([_told(each) for each in wishes])}."


def closing(findings: Sequence[Finding]) -> str:
    """The answer: what came of each wish, in order."""
    return "\n\n".join(each.text for each in findings if each.text)


def help_text(*, understood: bool) -> str:
    """What can be asked, with examples."""
    first = (
        "This is what I can do" if understood else "I did not understand that. The offline model can do these things"
    )
    lines = [f"- {what}: {examples}" for what, examples in EXAMPLES]
    last = (
        "You can ask for several at once. For free writing, an operator can connect a language model with JOULE_MODEL."
    )
    return f"{first}:\n\n" + "\n".join(lines) + f"\n\n{last}"


def _told(wish: Wish) -> str:
    match wish:
        case ListFiles():
            return "list the files"
        case SearchFiles():
            return "search the files"
        case ReadFile():
            return f"read `{wish.file}`"
        case Summarise():
            return f"summarise {listed([f'`{each}`' for each in wish.files]) or 'what there is'}"
        case Statistics():
            return f"compute that from {f'`{wish.file}`' if wish.file else 'your table'}"
        case Chart():
            what = (
                "make that workbook"
                if not wish.chart
                else "draw that and make a workbook"
                if wish.workbook
                else "draw that"
            )
            return f"{what} from {f'`{wish.file}`' if wish.file else 'your table'}"
        case SaveThat() | WriteFile():
            return f"save `{wish.file}`"
        case EditFile():
            return f"change `{wish.file}`"
        case DeleteFile():
            return f"delete `{wish.file}`"
        case Remember():
            return "remember that"
        case Recall():
            return "look into the memory"
        case Forget():
            return "forget that"
        case AskKnowledge():
            return "look into the knowledge base"
        case ProposeThat():
            return "propose to remember it"
        case ListDocuments():
            return "list the documents"
        case ListAccounts():
            return "look at the connected accounts"
        case AskAccount():
            return f"ask {wish.account}"
        case DoAtAccount():
            return f"do that at {wish.account}"
    return "help"
