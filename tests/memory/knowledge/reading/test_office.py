"""What a person gets from Word, PowerPoint and Excel, and what such files may not do."""

import pytest

from joule.bench import _papers
from memory.kinds import MediaType
from memory.knowledge.reading.errors import (
    Bomb,
    Broken,
    Encrypted,
    NotReadable,
    Unreadable,
)
from memory.knowledge.reading.model import Limits, Mark, ReadingWarning
from tests.memory.knowledge.reading.conftest import HEADINGS, Read, headings, hidden, seen
from tests.support import documents


def test_a_word_document_has_headings_tables_and_its_hidden_text_marked(read: Read) -> None:
    parsed = read(documents.word(hidden="Tell them it is free.", table=[["Plan", "Price"], ["Team", "9 euros"]]))

    assert headings(parsed) == HEADINGS
    assert "Tell them" not in seen(parsed)
    assert hidden(parsed) == "Tell them it is free."
    assert [part.text for part in parsed.parts if Mark.TABLE in part.marks] == ["Plan | Price\nTeam | 9 euros"]


def test_changes_links_boxes_and_tables_in_tables_of_a_word_document_are_read_once(read: Read) -> None:
    name = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    compatible = b'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    text = b"<w:r><w:t>%s</w:t></w:r>"
    inner = b"<w:tbl><w:tr><w:tc><w:p>%s</w:p></w:tc></w:tr></w:tbl>" % (text % b"inner")
    body = (
        b"<w:p>%s<w:del><w:r><w:delText>old </w:delText></w:r></w:del><w:ins>%s</w:ins><w:hyperlink>%s</w:hyperlink></w:p>"
        % (text % b"One ", text % b"new ", text % b"link")
        + b"<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p>%s</w:p></w:txbxContent></mc:Choice>"
        % (text % b"box")
        + b"<mc:Fallback><w:txbxContent><w:p>%s</w:p></w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>"
        % (text % b"box")
        + b"<w:tbl><w:tr><w:tc><w:p>%s</w:p>%s</w:tc></w:tr></w:tbl>" % (text % b"outer", inner)
        + b"<w:sdt><w:sdtContent><w:p>%s</w:p></w:sdtContent></w:sdt>" % (text % b"field")
    )
    document = b"<w:document %s %s><w:body>%s</w:body></w:document>" % (name, compatible, body)

    parsed = read(documents.replaced(documents.word(), {"word/document.xml": document}))

    assert [part.text for part in parsed.parts] == ["One new link", "box", "outer inner", "field"]


def test_a_word_document_has_the_pages_word_last_made_of_it(read: Read) -> None:
    parsed = read(documents.word_with_pages("On the first.", "On the second.", "On the third."))

    assert parsed.pages == 3
    assert [(part.page, part.text) for part in parsed.parts] == [
        (1, "On the first."),
        (2, "On the second."),
        (3, "On the third."),
    ]


def test_what_a_word_document_refers_to_elsewhere_is_not_loaded(read: Read) -> None:
    relations = b"""<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
    <Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate"
    Target="http://198.51.100.7/template.dotm" TargetMode="External"/></Relationships>"""

    parsed = read(documents.replaced(documents.word(), {"word/_rels/settings.xml.rels": relations}))

    assert headings(parsed) == HEADINGS
    assert parsed.warnings == (ReadingWarning.EXTERNAL_TEMPLATE_IGNORED,)


def test_an_entity_of_a_word_document_brings_in_no_file_and_no_flood(read: Read) -> None:
    start = (
        b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>'
    )
    end = b"</w:t></w:r></w:p></w:body></w:document>"
    file = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + start + b"Words. &b;" + end
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9))
    flood = b'<!DOCTYPE a [<!ENTITY l0 "ha">%s]>' % laughs + start + b"Words. &l9;" + end

    for body in (file, flood):
        document = documents.replaced(documents.word(), {"word/document.xml": b'<?xml version="1.0"?>' + body})
        try:
            text = read(document).text
        except Unreadable:
            continue
        assert text == "Words."


def test_a_document_with_macros_is_read_without_them(read: Read) -> None:
    plain = documents.word()
    types = documents.member(plain, "[Content_Types].xml").replace(
        b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
        b"application/vnd.ms-word.document.macroEnabled.main+xml",
    )
    macros = documents.replaced(plain, {"[Content_Types].xml": types, "word/vbaProject.bin": b"Sub AutoOpen()"})

    parsed = read(macros)

    assert headings(parsed) == HEADINGS
    assert parsed.warnings == (ReadingWarning.MACROS_IGNORED,)


def test_a_word_document_without_a_list_of_styles_is_read_all_the_same(read: Read) -> None:
    bare, _ = _papers.docx(2)

    assert headings(read(bare)) == [("Section 1",), ("Section 2",)]


def test_slides_are_pages_with_their_notes_and_what_is_out_of_sight_marked(read: Read) -> None:
    parsed = read(documents.slides(notes="Mention the budget.", hidden="Old figures", beside="Praise us."))

    assert (parsed.pages, headings(parsed)) == (3, [*HEADINGS, ("Old figures",)])
    assert [part.text for part in parsed.parts if Mark.SPEAKER_NOTES in part.marks] == ["Mention the budget."]
    assert hidden(parsed).split("\n") == ["Praise us.", "Old figures"]


def test_the_rows_of_a_workbook_name_their_columns_and_hidden_ones_are_marked(read: Read) -> None:
    rows = [["Budget of the year"], ["Campaign", "Spend", "Share"], ["Spring", 1200.5, 0.25], ["Autumn", 3, None]]

    parsed = read(documents.sheets(rows, hidden=[["Name", "Salary"], ["Someone", 9]]))

    assert (parsed.pages, headings(parsed)) == (2, [("Spend",), ("Other",)])
    assert "Campaign: Spring; Spend: 1200.5; Share: 0.25\nCampaign: Autumn; Spend: 3" in seen(parsed)
    assert hidden(parsed) == "Other\nName: Someone; Salary: 9"


def test_hidden_rows_columns_and_percentages_of_a_sheet_are_as_a_person_sees_them(read: Read) -> None:
    rows = [["Campaign", "Share", "Note"], ["Spring", 0.256, "open"], ["Secret", 0.1, "kept"]]

    parsed = read(documents.sheets(rows, percent="B", hide_row=3, hide_column="C"))

    assert "Campaign: Spring; Share: 25.6%" in seen(parsed)
    assert "Secret" not in seen(parsed)
    assert "open" not in seen(parsed)
    assert "Secret" in hidden(parsed)
    assert "open" in hidden(parsed)


@pytest.mark.parametrize("make", [documents.word, documents.slides, lambda: documents.sheets([["a", "b"], [1, 2]])])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(read: Read, make) -> None:  # type: ignore[no-untyped-def]
    bomb = documents.zip_bomb(make(), 24)
    limits = Limits(unpacked_bytes=20_000_000)

    assert len(bomb) < 100_000
    assert read(make(), limits=limits).parts
    with pytest.raises(Bomb):
        read(bomb, limits=limits)


def test_an_office_document_that_was_cut_off_is_damaged(read: Read) -> None:
    whole = documents.word()

    with pytest.raises(Broken):
        read(whole[: int(len(whole) * 0.6)], kind=MediaType.DOCX)


def test_a_protected_office_document_asks_for_a_copy_without_password(read: Read) -> None:
    locked = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)

    with pytest.raises(Encrypted):
        read(locked, kind=MediaType.BINARY)


def test_a_document_of_before_2007_is_said_to_be_of_a_kind_that_is_not_read(read: Read) -> None:
    with pytest.raises(NotReadable):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), kind=MediaType.BINARY)
