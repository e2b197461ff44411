"""Wishes that change something: files and what is remembered. The tool's answer, refusals included, is what is told."""

from collections.abc import Sequence

from joule.llm.providers.offline._desk import Desk, Outcome, Want
from joule.llm.providers.offline._files import File, NotClear, files_of, find_exact, size_of
from joule.llm.providers.offline._reading import Finding
from joule.llm.providers.offline._wishes import DeleteFile, EditFile, Forget, Remember, SaveThat, WriteFile
from joule.llm.providers.offline._words import counted, key_words


def save(wish: SaveThat, desk: Desk, *, before: Sequence[Finding], last_answer: str) -> Finding:
    """Keep what the wishes before this one made; with none, the answer before this message."""
    made = [each.document for each in before if each.document]
    if not made and any(not each.is_good for each in before):
        return Finding(text=f"So there was nothing to save as `{wish.file}`.", is_good=False)
    text = "\n".join(made) or (f"{last_answer.strip()}\n" if last_answer.strip() else "")
    if not text:
        return Finding(text=f"There is nothing to save as `{wish.file}` yet: ask for a summary first.", is_good=False)
    return _written(wish.file, text, desk)


def write_file(wish: WriteFile, desk: Desk) -> Finding:
    if not wish.adding:
        return _written(wish.file, wish.text if wish.text.endswith("\n") else f"{wish.text}\n", desk)
    file = _exact(wish.file, desk)
    if isinstance(file, NotClear):
        return Finding(text=file.said, is_good=False)
    (found,) = desk.ask(Want(tool="read_file", arguments={"file": file.name}))
    if not found.is_good:
        return _failed(f"read `{file.name}`", found)
    if found.values.get("truncated") is True:
        return Finding(text=f"`{file.name}` is too long for me to add to without losing its end.", is_good=False)
    there = found.text("text")
    joint = "" if not there or there.endswith("\n") else "\n"
    return _written(file.name, f"{there}{joint}{wish.text}\n", desk)


def edit_file(wish: EditFile, desk: Desk) -> Finding:
    file = _exact(wish.file, desk)
    if isinstance(file, NotClear):
        return Finding(text=file.said, is_good=False)
    (done,) = desk.ask(
        Want(tool="edit_file", arguments={"file": file.name, "find": wish.find, "replace": wish.replace})
    )
    if not done.is_good:
        return _failed(f"change `{file.name}`", done)
    return Finding(text=f"Changed `{file.name}`: “{_short(wish.find)}” is now “{_short(wish.replace)}”.")


def delete_file(wish: DeleteFile, desk: Desk) -> Finding:
    file = _exact(wish.file, desk)
    if isinstance(file, NotClear):
        return Finding(text=file.said, is_good=False)
    (done,) = desk.ask(Want(tool="delete_file", arguments={"file": file.name}))
    if not done.is_good:
        return _failed(f"delete `{file.name}`", done)
    return Finding(text=f"Deleted `{file.name}`. It can be restored for 30 days.")


def remember(wish: Remember, desk: Desk) -> Finding:
    (done,) = desk.ask(Want(tool="remember", arguments={"text": wish.text, "kind": wish.kind}))
    if not done.is_good:
        return _failed("remember that", done)
    if done.values.get("existing") is True:
        return Finding(text=f"I remembered that already: {_short(wish.text)}.")
    return Finding(text=f"I will remember: {_short(wish.text)}.")


def forget(wish: Forget, desk: Desk) -> Finding:
    """Let go of the one item that fits, or of all that fit when all were meant; in doubt, of none."""
    keys = set(key_words(wish.query))
    if not keys:
        return Finding(
            text="Tell me what to forget, such as “forget that our tone is warm”; the memory page lists everything.",
            is_good=False,
        )
    (found,) = desk.ask(Want(tool="recall", arguments={"query": wish.query, "limit": 20}))
    if not found.is_good:
        return _failed("look into the memory", found)
    items = [(str(each.get("item", "")), str(each.get("text", ""))) for each in found.rows("items")]
    fits = [(item, text) for item, text in items if item and keys <= set(key_words(text))]
    same = [(item, text) for item, text in fits if set(key_words(text)) == keys]
    chosen = fits if wish.whole else same or fits
    if not chosen:
        return Finding(text=f"Nothing is remembered about “{_short(wish.query)}”.", is_good=False)
    if len(chosen) > 1 and not wish.whole:
        lines = "\n".join(f"- {_short(text)}" for _, text in chosen)
        return Finding(text=f"More than one thing fits. Which one should I forget?\n\n{lines}", is_good=False)
    done = desk.ask(*(Want(tool="forget", arguments={"item": item}) for item, _ in chosen))
    failed = [each for each in done if not each.is_good]
    if failed:
        return _failed("forget that", failed[0])
    if len(chosen) == 1:
        return Finding(text=f"Forgotten: {_short(chosen[0][1])}.")
    return Finding(text=f"Forgotten: {counted(len(chosen), 'thing')} about “{_short(wish.query)}”.")


def _written(name: str, text: str, desk: Desk) -> Finding:
    (done,) = desk.ask(Want(tool="write_file", arguments={"file": name, "text": text}))
    if not done.is_good:
        return _failed(f"save `{name}`", done)
    version, size = done.values.get("version"), done.values.get("size")
    told = f", {size_of(size)}" if isinstance(size, int) else ""
    again = f" (version {version})" if isinstance(version, int) and version > 1 else ""
    return Finding(text=f"Saved as `{name}`{again}{told}.", wrote=(name,))


def _exact(said: str, desk: Desk) -> File | NotClear:
    (listing,) = desk.ask(Want(tool="list_files"))
    if not listing.is_good:
        return NotClear(said=_failed("list the files", listing).text)
    return find_exact(said, files_of(listing))


def _failed(what: str, outcome: Outcome) -> Finding:
    return Finding(text=f"I could not {what}: {outcome.problem}.", is_good=False)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 200 else f"{flat[:199]}…"
