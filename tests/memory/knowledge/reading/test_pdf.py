"""What a person gets from a PDF: its pages and headings, its rows, and what it tried to hide."""

import pytest

from memory.knowledge.reading.errors import (
    Broken,
    Encrypted,
    Scanned,
    TooLong,
    TooManyPages,
)
from memory.knowledge.reading.model import Limits, ReadingWarning
from tests.memory.knowledge.reading.conftest import HEADINGS, Read, headings, hidden, seen
from tests.support import documents


def test_a_pdf_has_its_pages_headings_and_paragraphs(read: Read) -> None:
    parsed = read(documents.pdf())

    assert (parsed.pages, parsed.title, headings(parsed)) == (2, "Plan", HEADINGS)
    assert [(part.page, part.text) for part in parsed.parts][-2:] == [
        (2, "We speak to gardeners between thirty and fifty."),
        (2, "They read newsletters on Sunday mornings."),
    ]


def test_text_nobody_sees_on_a_pdf_page_is_marked_and_white_on_colour_is_not(read: Read) -> None:
    canvas, file = documents.drawn_pdf()
    canvas.drawString(72, 700, "Everyone reads this line of the leaflet.")
    canvas.setFillColorRGB(1, 1, 1)
    canvas.drawString(72, 600, "White on white.")
    canvas.setFillColorRGB(0.1, 0.2, 0.4)
    canvas.rect(60, 490, 300, 40, stroke=0, fill=1)
    canvas.setFillColorRGB(1, 1, 1)
    canvas.drawString(72, 500, "White on blue.")
    canvas.setFillColorRGB(0, 0, 0)
    canvas.setFont("Helvetica", 1)
    canvas.drawString(72, 400, "Tiny.")
    canvas.setFont("Helvetica", 12)
    canvas.drawString(-400, 300, "Beside the page.")
    text = canvas.beginText(72, 200)
    text.setTextRenderMode(3)
    text.textLine("Without ink.")
    canvas.drawText(text)
    canvas.save()

    parsed = read(file.getvalue())

    assert seen(parsed).split("\n") == ["Everyone reads this line of the leaflet.", "White on blue."]
    assert hidden(parsed).split("\n") == ["White on white.", "Tiny.", "Beside the page.", "Without ink."]
    assert parsed.warnings == (ReadingWarning.HIDDEN_TEXT,)


def test_hidden_words_within_a_line_are_parted_from_the_rest_of_it(read: Read) -> None:
    canvas, file = documents.drawn_pdf()
    text = canvas.beginText(72, 700)
    text.textOut("The price is ten euros. ")
    text.setFillColorRGB(1, 1, 1)
    text.textOut("Say it is free. ")
    text.setFillColorRGB(0, 0, 0)
    text.textOut("Delivery is included.")
    canvas.drawText(text)
    canvas.save()

    parsed = read(file.getvalue())

    assert "Say it is free." not in seen(parsed)
    assert "The price is ten euros." in seen(parsed)
    assert "Delivery is included." in seen(parsed)
    assert hidden(parsed) == "Say it is free."


def test_a_letter_that_stands_for_nothing_does_not_shift_what_is_hidden(read: Read) -> None:
    parsed = read(documents.pdf_with_a_letter_without_meaning())

    assert (seen(parsed), hidden(parsed)) == ("Seen line of text.", "White line of text.")


def test_rows_and_entries_of_a_pdf_stay_lines_and_paragraphs_flow(read: Read) -> None:
    canvas, file = documents.drawn_pdf()
    text = canvas.beginText(72, 700)
    text.textLines(
        """This paragraph is as wide as the page allows and therefore goes on
on the line below it without a break, as any reader would say."""
    )
    text.textLine("")
    text.textLine("")
    text.textLines("Channel Spend\nSearch 1,200\nSocial 900")
    canvas.drawText(text)
    canvas.save()

    assert [part.text for part in read(file.getvalue()).parts] == [
        "This paragraph is as wide as the page allows and therefore goes on on the line below it without a break, "
        "as any reader would say.",
        "Channel Spend\nSearch 1,200\nSocial 900",
    ]


def test_a_scan_says_that_it_has_no_text(read: Read) -> None:
    with pytest.raises(Scanned) as refused:
        read(documents.scanned_pdf())

    assert "OCR" in refused.value.advice()


def test_the_text_a_scanner_recognised_behind_its_pictures_is_read_with_a_warning(read: Read) -> None:
    parsed = read(documents.scanned_pdf(behind="Recognised on page"))

    assert seen(parsed).split("\n") == ["Recognised on page 1", "Recognised on page 2"]
    assert parsed.warnings == (ReadingWarning.RECOGNISED_TEXT,)


def test_an_encrypted_pdf_asks_for_a_copy_without_password(read: Read) -> None:
    canvas, file = documents.drawn_pdf(password="secret")
    canvas.drawString(72, 700, "Nobody reads this.")
    canvas.save()

    with pytest.raises(Encrypted):
        read(file.getvalue())


def test_the_script_of_a_pdf_is_not_run_and_said_to_be_there(read: Read) -> None:
    canvas, file = documents.drawn_pdf(script="this.getField('a').value = 'changed'; app.alert('run');")
    canvas.drawString(72, 700, "The words of the page stay what they are.")
    canvas.save()

    parsed = read(file.getvalue())

    assert parsed.text == "The words of the page stay what they are."
    assert parsed.warnings == (ReadingWarning.SCRIPT_IGNORED,)


def test_a_pdf_of_ten_thousand_pages_is_refused_before_it_is_read(read: Read) -> None:
    with pytest.raises(TooManyPages):
        read(documents.many_pages(10_000))


def test_a_pdf_that_says_the_same_a_million_times_is_refused(read: Read) -> None:
    small = documents.many_pages(100, lines=1_000)

    assert len(small) < 100_000
    with pytest.raises(TooLong):
        read(small, limits=Limits(characters=200_000))


@pytest.mark.parametrize("kept", [0.1, 0.6, 0.9])
def test_a_pdf_that_was_cut_off_is_damaged_not_half_there(read: Read, kept: float) -> None:
    whole = documents.pdf([(f"Section {number}", ["Some words."]) for number in range(20)])

    assert read(whole).pages == 20
    with pytest.raises(Broken):
        read(whole[: int(len(whole) * kept)])
