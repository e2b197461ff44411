"""Wishes that only look: files, tables and what is remembered. Each is straight-line code that asks the desk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joule.llm.providers.offline._answers import answer, answer_narrowed, inquiry, narrowed
from joule.llm.providers.offline._desk import Desk, Outcome, Want
from joule.llm.providers.offline._extract import gist, title_of
from joule.llm.providers.offline._files import File, NotClear, files_of, find, guides_of, only, size_of
from joule.llm.providers.offline._prose import Comparison, bold, summary
from joule.llm.providers.offline._table import Score, Table, groups_of, main_score, table_of
from joule.llm.providers.offline._voice import Voice, voice_of
from joule.llm.providers.offline._wishes import ListFiles, ReadFile, Recall, SearchFiles, Statistics, Summarise
from joule.llm.providers.offline._words import counted, key_words

MOST_SHOWN = 4_000  # characters of a file that are shown in the chat
VOICE_QUERY = "brand voice tone style"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of a wish: `text` for the chat, and `document` if there is something to keep.

    `is_elsewhere`: no file is meant, so the question may be one for the knowledge base.
    """

    text: str
    document: str = ""
    is_good: bool = True
    is_elsewhere: bool = False
    quotes: tuple[Mapping[str, Any], ...] = ()  # sentences of documents: text, document, start, end
    wrote: tuple[str, ...] = field(default=())


def list_files(wish: ListFiles, desk: Desk) -> Finding:
    (found,) = desk.ask(Want(tool="list_files"))
    if not found.is_good:
        return failed("list the files", found)
    files = files_of(found)
    if wish.matching:
        keys = set(key_words(wish.matching))
        files = [
            each for each in files if keys & set(key_words(each.name)) or wish.matching.lower() in each.name.lower()
        ]
        if not files:
            return Finding(text=f"No file's name fits “{wish.matching}”.", is_good=False)
    if not files:
        return Finding(text="This project has no files yet. Upload a CSV, a Markdown or a text file to begin.")
    lines = [
        f"- `{each.name}`, {size_of(each.size)}{'' if each.is_text else ' (cannot be read as text)'}" for each in files
    ]
    text = f"There {'is' if len(files) == 1 else 'are'} {counted(len(files), 'file')}:\n\n" + "\n".join(lines[:50])
    return Finding(text=text, document=text + "\n")


def search_files(wish: SearchFiles, desk: Desk) -> Finding:
    (found,) = desk.ask(Want(tool="search_files", arguments={"query": wish.query}))
    if not found.is_good:
        return failed("search the files", found)
    lines = [
        f"- `{each.get('name')}`, line {each.get('line')}: {_line(each.get('snippet'))}" for each in found.rows("hits")
    ]
    if not lines:
        return Finding(text=f"Nothing in the files fits “{wish.query}”.")
    text = f"Found “{wish.query}” in these places:\n\n" + "\n".join(lines[:12])
    if found.values.get("complete") is False:
        text += "\n\nThe search stopped at its limit; there may be more."
    return Finding(text=text, document=text + "\n")


def read_file(wish: ReadFile, desk: Desk) -> Finding:
    file = _meant(wish.file, desk)
    if isinstance(file, NotClear):
        return Finding(text=file.said, is_good=False, is_elsewhere=file.is_absent and bool(wish.question))
    (found,) = desk.ask(_read(file))
    if not found.is_good:
        return failed(f"read `{file.name}`", found)
    text = found.text("text")
    if not text.strip():
        return Finding(text=f"`{file.name}` is empty.")
    shown = text[:MOST_SHOWN]
    fence = "```"
    while fence in shown:
        fence += "`"
    cut = len(text) > len(shown) or found.values.get("truncated") is True
    note = "\n\nThat is the beginning; open the file to see the rest." if cut else ""
    return Finding(text=f"`{file.name}` says:\n\n{fence}\n{shown}\n{fence}{note}", document=text)


def summarise(wish: Summarise, desk: Desk, *, in_voice: bool, own_rules: tuple[str, ...]) -> Finding:
    """The gist of each file. With `in_voice`, guides and memory are read at the same time as the files."""
    looks = [Want(tool="list_files")]
    if in_voice:
        looks.append(Want(tool="recall", arguments={"query": VOICE_QUERY, "limit": 20}))
    listing, *recalled = desk.ask(*looks)
    if not listing.is_good:
        return failed("list the files", listing)
    files = files_of(listing)
    chosen = [find(each, files) for each in wish.files] or [_only_one(files)]
    meant = [each for each in chosen if isinstance(each, File)]
    unclear = [each.said for each in chosen if isinstance(each, NotClear)]
    guides = [each for each in guides_of(files) if each not in meant] if in_voice else []
    first = [_statistics(each) if each.is_table else _read(each) for each in meant]
    found = desk.ask(*first, *(_read(each) for each in guides))
    voice = _voice(guides, found[len(first) :], recalled, own_rules) if in_voice else Voice()
    parts = [
        _of_table(file, outcome, desk, voice) if file.is_table else _of_text(file, outcome, voice)
        for file, outcome in zip(meant, found, strict=False)
    ]
    texts = [each.text for each in parts] + unclear
    if in_voice and parts:
        texts.append(_about_voice(voice))
    good = [each for each in parts if each.is_good]
    document = "\n".join(each.document for each in good)
    return Finding(text="\n\n".join(texts), document=document, is_good=bool(good))


def statistics(wish: Statistics, desk: Desk) -> Finding:
    (listing,) = desk.ask(Want(tool="list_files"))
    if not listing.is_good:
        return failed("list the files", listing)
    files = files_of(listing)
    file = find(wish.file, files) if wish.file else only(files, tables=True)
    if isinstance(file, NotClear):
        return Finding(text=file.said, is_good=False, is_elsewhere=file.is_absent and not wish.file)
    (found,) = desk.ask(_statistics(file))
    if not found.is_good:
        return failed(f"read the figures of `{file.name}`", found)
    table = table_of(found)
    question = wish.question.replace(wish.file, " ") if wish.file else wish.question
    asked = inquiry(question, table)
    if narrowed(asked, question, table) and (score := asked.score or main_score(table)) is not None:
        columns = table.compared_by()
        found_groups = desk.ask(*(_grouped(file, each.name, score, table) for each in columns))
        pairs = [(by, each) for by, some in zip(columns, found_groups, strict=True) for each in groups_of(some)]
        text = answer_narrowed(asked, question, table, pairs)
        return Finding(text=text, document=text + "\n")
    groups: list[Outcome] = []
    if asked.by is not None and (score := asked.score or main_score(table)) is not None:
        groups = desk.ask(_grouped(file, asked.by.name, score, table))
        if not groups[0].is_good:
            return failed(f"compare the {asked.by.spoken}s of `{file.name}`", groups[0])
    text = answer(asked, table, groups_of(groups[0]) if groups else [])
    return Finding(text=text, document=text + "\n")


def recall(wish: Recall, desk: Desk) -> Finding:
    (found,) = desk.ask(Want(tool="recall", arguments={"query": wish.query, "limit": 20}))
    if not found.is_good:
        return failed("look into the memory", found)
    lines = [f"- {_line(each.get('text'))}" for each in found.rows("items")]
    if not lines:
        about = f" about “{wish.query}”" if wish.query else " in this project yet"
        return Finding(text=f"Nothing is remembered{about}.")
    text = "This is remembered:\n\n" + "\n".join(lines)
    return Finding(text=text, document=text + "\n")


def _of_table(file: File, outcome: Outcome, desk: Desk, voice: Voice) -> Finding:
    if not outcome.is_good:
        return failed(f"read the figures of `{file.name}`", outcome)
    table = table_of(outcome)
    score, columns = main_score(table), table.compared_by()
    comparisons: list[Comparison] = []
    if score is not None and columns:
        found = desk.ask(*(_grouped(file, each.name, score, table) for each in columns))
        for column, groups in zip(columns, found, strict=True):
            ranked = score.best_first(groups_of(groups)) if groups.is_good else []
            apart = tuple(each for each in groups_of(groups) if score.of(each) is None)
            if ranked:
                comparisons.append(Comparison(by=column, groups=tuple(ranked), unscored=apart))
    written = summary(table, score, comparisons, voice)
    return Finding(text=written.brief, document=written.document)


def _of_text(file: File, outcome: Outcome, voice: Voice) -> Finding:
    if not outcome.is_good:
        return failed(f"read `{file.name}`", outcome)
    text = outcome.text("text")
    sentences = gist(text)
    if not sentences:
        what = "is empty" if not text.strip() else "has no sentences to choose from"
        return Finding(text=f"`{file.name}` {what}, so there is nothing to summarise.", is_good=False)
    points = voice.apply("\n".join(f"- {each}" for each in sentences))
    title = title_of(text)
    intro = f"The main points of `{file.name}`" + (f", {bold(title)}" if title else "")
    ending = f"\n\n{voice.sign_off}" if voice.sign_off else ""
    document = f"# Summary of {file.name}\n\n{points}{ending}\n\nSource: `{file.name}`, chosen sentences.\n"
    cut = "\n\nOnly the beginning of the file was read." if outcome.values.get("truncated") is True else ""
    return Finding(text=f"{intro}:\n\n{points}{cut}", document=document)


def _voice(guides: list[File], read: list[Outcome], recalled: list[Outcome], own: tuple[str, ...]) -> Voice:
    texts = [("what you just said", each) for each in own]
    texts += [("memory", str(item.get("text", ""))) for found in recalled for item in found.rows("items")]
    texts += [(f"`{file.name}`", found.text("text")) for file, found in zip(guides, read, strict=True)]
    return voice_of(texts)


def _about_voice(voice: Voice) -> str:
    if not voice.is_found:
        return (
            "I found no brand guide with rules I can follow, so this is in plain words. Upload one as brand-guide.md."
        )
    return f"Voice, from {' and '.join(voice.sources)}: {voice.described()}."


def _meant(said: str, desk: Desk) -> File | NotClear:
    (listing,) = desk.ask(Want(tool="list_files"))
    return find(said, files_of(listing)) if listing.is_good else NotClear(said=failed("list the files", listing).text)


def _only_one(files: list[File]) -> File | NotClear:
    table = only(files, tables=True)
    if isinstance(table, File) or any(each.is_table for each in files):
        return table
    return only(files, tables=False)


def _read(file: File) -> Want:
    return Want(tool="read_file", arguments={"file": file.name})


def _statistics(file: File) -> Want:
    return Want(tool="table_statistics", arguments={"file": file.name})


def _grouped(file: File, by: str, score: Score, table: Table) -> Want:
    wanted = [score.top, *([score.bottom] if score.bottom else []), *table.roles.values()]
    columns = list(dict.fromkeys(each.name for each in wanted))
    over = {"numerator": score.top.name, "denominator": score.bottom.name} if score.bottom is not None else {}
    return Want(tool="table_statistics", arguments={"file": file.name, "group_by": by, "columns": columns[:8], **over})


def failed(what: str, outcome: Outcome) -> Finding:
    """What could not be done, and why."""
    return Finding(text=f"I could not {what}: {outcome.problem}.", is_good=False)


def _line(text: object) -> str:
    return " ".join(str(text or "").split())[:300]
