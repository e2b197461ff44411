"""Writes the providers' part of docs/integrations.md from the catalogue, so that the two cannot differ.

Only what stands between the two marks is written; the rest of the page is written by people.
"""

from collections.abc import Iterator
from pathlib import Path

from integrations.catalogue.load import catalogue
from integrations.catalogue.model import Provider

PAGE = Path(__file__).resolve().parent.parent / "docs" / "integrations.md"
BEGIN = "<!-- providers: written by `make docs` -->"
END = "<!-- end of providers -->"


def page(now: str) -> str:
    """The page as it should be, given the page as it is."""
    before, _, rest = now.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{providers()}\n{END}{after}"


def providers() -> str:
    """A table of all providers, and a paragraph for each."""
    all_of_them = catalogue().search()
    rows = "\n".join(_row(one) for one in all_of_them)
    head = "| provider | reads without writing? | can Joule revoke it? | operations |\n|---|---|---|---|\n"
    return head + rows + "\n\n" + "\n".join("\n".join(_paragraph(one)) for one in all_of_them)


def _row(one: Provider) -> str:
    cells = (
        one.title,
        "yes" if one.splits_read_from_write else "no",
        "yes" if one.revocation.possible else "no, only you there",
        str(len(one.operations)) if one.operations else "none yet",
    )
    return f"| {' | '.join(cells)} |"


def _paragraph(one: Provider) -> Iterator[str]:
    yield f"### {one.title}\n"
    yield f"`{one.id}`, {one.group.lower()}. {one.what_it_is}\n"
    yield f"- Register at {_link(one.registers_at)}: {one.registers_words}"
    for secret in one.extra_secrets:
        yield f"- Also needed: {secret.words}"
    if one.tenant_words:
        yield f"- Asked when connecting: {one.tenant_words.removesuffix('.')}."
    yield f"- Tokens: {one.token_life_words}"
    yield f"- What dies when revoked here: {one.revocation.kills}"
    yield f"- To remove Joule at the provider: {one.settings_words} {_link(one.settings_url)}"
    if one.unverified:
        yield f"- Not verified against the provider's own pages: {', '.join(f'`{field}`' for field in one.unverified)}."
    yield ""


def _link(address: str) -> str:
    return "this page" if address.startswith("docs/") else f"<{address}>"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
