"""What the offline model understands: the documented sentences, and what it must not mistake for one."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from joule.llm.providers.offline._requests import parse, wants_voice
from joule.llm.providers.offline._wishes import (
    Chart,
    DeleteFile,
    EditFile,
    Forget,
    Help,
    ListFiles,
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

MAIN = (
    "Summarise what worked in campaigns.csv in our brand voice, save it as summary.md, "
    "and remember that we never use exclamation marks"
)


def test_the_main_sentence_is_three_wishes_in_our_voice() -> None:
    assert parse(MAIN) == (
        Summarise(files=("campaigns.csv",)),
        SaveThat(file="summary.md"),
        Remember(text="we never use exclamation marks", kind="rule"),
    )
    assert wants_voice(MAIN)
    assert not wants_voice("Summarise what worked in campaigns.csv")


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ("list my files", ListFiles()),
        ("What files do I have?", ListFiles()),
        ("find files named campaign", ListFiles(matching="campaign")),
        ("Search my files for refund policy", SearchFiles(query="refund policy")),
        ("Where do we mention discounts?", SearchFiles(query="discounts")),
        ("Read brand-guide.md", ReadFile(file="brand-guide.md")),
        ("what's in campaigns.csv?", ReadFile(file="campaigns.csv")),
        ("Show me the brand guide", ReadFile(file="brand guide")),
        ('open "Q3 results.csv"', ReadFile(file="Q3 results.csv")),
        ("Could you please summarise notes.txt?", Summarise(files=("notes.txt",))),
        ("sum up the brand guide", Summarise(files=("brand guide",))),
        ("What worked in campaigns.csv?", Summarise(files=("campaigns.csv",))),
        ("How did our campaigns perform?", Summarise()),
        ("Give me a short summary of campaigns.csv", Summarise(files=("campaigns.csv",))),
        ('Write "Hello, and list files" to notes.md', WriteFile(file="notes.md", text="Hello, and list files")),
        ("write notes.md:\n# Title\n\n- delete x.md", WriteFile(file="notes.md", text="# Title\n\n- delete x.md")),
        ("create a file plan.md with the text: one, two", WriteFile(file="plan.md", text="one, two")),
        ('add "more" to notes.md', WriteFile(file="notes.md", text="more", adding=True)),
        ('Replace "a b" with "c" in notes.md', EditFile(file="notes.md", find="a b", replace="c")),
        ("In notes.md, replace foo with bar", EditFile(file="notes.md", find="foo", replace="bar")),
        ("delete notes.md", DeleteFile(file="notes.md")),
        ("remember that we sell and list houses", Remember(text="we sell and list houses")),
        (
            "Remember: our clients prefer short mails",
            Remember(text="our clients prefer short mails", kind="preference"),
        ),
        ("don't forget that we ship on Mondays", Remember(text="we ship on Mondays")),
        ("what do you remember about tone?", Recall(query="tone")),
        ("What do you remember?", Recall()),
        ("forget that our tone is warm", Forget(query="our tone is warm")),
        ("forget everything about tone", Forget(query="tone", whole=True)),
        ("help", Help()),
        ("What can you do?", Help()),
    ],
)
def test_a_documented_sentence_is_understood(said: str, wish: Wish) -> None:
    assert parse(said) == (wish,)


@pytest.mark.parametrize(
    "said",
    [
        "Which channel had the highest revenue in campaigns.csv?",
        "total spend per channel",
        "What was the average cost per conversion?",
        "best 3 campaigns by roas",
        "How many rows are in campaigns.csv?",
        "Give me statistics for campaigns.csv by region",
        "how much did we spend?",
        "cost per click by channel",
    ],
)
def test_a_question_about_numbers_is_one(said: str) -> None:
    (wish,) = parse(said)

    assert isinstance(wish, Statistics)
    assert wish.file == ("campaigns.csv" if "campaigns.csv" in said else "")


@pytest.mark.parametrize(
    ("said", "wishes"),
    [
        ("Write a summary of a.csv to b.md", (Summarise(files=("a.csv",)), SaveThat(file="b.md"))),
        ("create a file b.md with a summary of a.csv", (Summarise(files=("a.csv",)), SaveThat(file="b.md"))),
        ("read a.md and then delete it", (ReadFile(file="a.md"), DeleteFile(file="a.md"))),
        ("List files. Read a.md; then forget tone", (ListFiles(), ReadFile(file="a.md"), Forget(query="tone"))),
        (
            "remember that we are calm and always kind, and list my files",
            (Remember(text="we are calm and always kind", kind="rule"), ListFiles()),
        ),
    ],
)
def test_several_wishes_in_one_message_are_kept_apart(said: str, wishes: tuple[Wish, ...]) -> None:
    assert parse(said) == wishes


@pytest.mark.parametrize(
    "said",
    [
        "remove the exclamation marks from summary.md",
        "we should never delete campaigns.csv",
        "don't delete campaigns.csv",
        "delete it",
        "remember that when in doubt, delete campaigns.csv",
        "delete everything in the project",
        "write notes.md: delete campaigns.csv",
        'write "delete campaigns.csv" to a.md',
    ],
)
def test_nothing_is_deleted_that_was_not_clearly_meant(said: str) -> None:
    assert not any(isinstance(each, DeleteFile) for each in parse(said))


@pytest.mark.parametrize("said", ["", "   ", "tell me a joke", "write me a poem about spring", "why?", "?!", "42"])
def test_what_is_not_understood_is_no_wish(said: str) -> None:
    assert parse(said) == ()


_MORE_WORDS = 'delete forget read replace with in "a" “b” notes.md list files and then . ; : what best total per of `x'
_VOCABULARY = st.sampled_from(f"{MAIN} {_MORE_WORDS}".replace(",", " ,").split())


@settings(max_examples=300, deadline=1000)
@given(st.one_of(st.text(max_size=300), st.lists(_VOCABULARY, max_size=60).map(" ".join)))
def test_any_text_is_read_the_same_way_each_time(said: str) -> None:
    assert parse(said) == parse(said)


@settings(max_examples=100, deadline=1000)
@given(st.lists(_VOCABULARY, max_size=30).map(" ".join))
def test_what_is_remembered_is_in_the_persons_own_words(said: str) -> None:
    for wish in parse(f"remember that {said}"):
        if isinstance(wish, Remember):
            assert wish.text in f"remember that {said}"


@pytest.mark.parametrize(
    "said",
    [
        "a" * 50_000,
        "remember a, and save it as b.md " * 2_000,
        "replace " + "with " * 5_000 + "in x",
        '"' * 20_000,
        "summarise " + "a." * 20_000,
        "write " + "a." * 20_000 + "md",
        "delete " + " " * 20_000,
        "what worked " * 3_000,
        "\n" * 20_000 + "list files",
    ],
)
def test_a_long_message_is_read_quickly(said: str) -> None:
    started = time.perf_counter()

    parse(said)

    assert time.perf_counter() - started < 3


@pytest.mark.parametrize(
    ("said", "wished"),
    [
        (
            "Chart spend against signups per channel from campaigns.csv and give me an Excel with the numbers.",
            (True, True, "campaigns.csv"),
        ),
        ("Please plot revenue by month", (True, False, "")),
        ("Make me a bar chart of spend per channel in campaigns.csv", (True, False, "campaigns.csv")),
        ("Create an Excel file with spend per region from leads.csv", (False, True, "leads.csv")),
        ("Give me a spreadsheet of spend by channel", (False, True, "")),
    ],
)
def test_charts_and_workbooks_are_asked_for_in_many_ways(said: str, wished: tuple[bool, bool, str]) -> None:
    (wish,) = parse(said)

    assert isinstance(wish, Chart)
    assert (wish.chart, wish.workbook, wish.file) == wished


def test_a_chart_is_drawn_and_its_numbers_saved_in_one_message() -> None:
    chart, saved = parse("Chart spend per channel from campaigns.csv and save it as spend.md")

    assert isinstance(chart, Chart)
    assert saved == SaveThat(file="spend.md")


@pytest.mark.parametrize("said", ["Write chart.md: plot the spend", 'Write "plot spend" to a.md', "Read chart.md"])
def test_a_chart_is_not_taken_out_of_other_words(said: str) -> None:
    assert not any(isinstance(each, Chart) for each in parse(said))
