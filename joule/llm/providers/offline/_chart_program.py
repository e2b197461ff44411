"""The one program the offline model runs: adds up columns of a table by the values of another, and writes down what came of it.

Pure. Always the same text but for its first lines, which name the file and the columns. It needs the standard library
only; a picture of the chart is drawn where matplotlib is installed.
"""

from collections.abc import Sequence


def program(*, file: str, by: str, columns: Sequence[str], name: str, workbook: bool, chart: bool) -> str:
    """The program. `name` is what its files are called, without an ending."""
    head = (
        f"SOURCE = {f'files/{file}'!r}\nBY = {by!r}\nCOLUMNS = {list(columns)!r}\n"
        f"NAME = {name!r}\nWORKBOOK, CHART = {workbook}, {chart}\n"
    )
    return head + _BODY


_BODY = """
import csv, json, re, zipfile
from decimal import Decimal, InvalidOperation
from xml.sax.saxutils import escape

# Read the table as it is: its own separator, and numbers as people write them.
text = open(SOURCE, encoding="utf-8-sig", errors="replace", newline="").read()
try:
    dialect = csv.Sniffer().sniff(text[:4000], delimiters=",;\\t|")
except csv.Error:
    dialect = csv.excel
rows = list(csv.DictReader(text.splitlines(), dialect=dialect))

def number(cell):
    figure = re.sub(r"[^0-9.,+-]", "", cell or "")
    if re.fullmatch(r"[+-]?\\d{1,3}(,\\d{3})+(\\.\\d+)?", figure):
        figure = figure.replace(",", "")
    elif re.fullmatch(r"[+-]?(\\d{1,3}(\\.\\d{3})+|\\d+),\\d+", figure):
        figure = figure.replace(".", "").replace(",", ".")
    return Decimal(figure)

# Add up each column for each value; cells that are no numbers are counted, not guessed.
sums, unread = {}, 0
for row in rows:
    group = sums.setdefault((row.get(BY) or "").strip() or "(empty)", [Decimal(0)] * len(COLUMNS))
    for place, column in enumerate(COLUMNS):
        try:
            group[place] += number(row.get(column))
        except InvalidOperation:
            unread += bool((row.get(column) or "").strip())
table = sorted(([name, *values] for name, values in sums.items()), key=lambda each: (-each[1], each[0]))

for line in [[BY, *COLUMNS], *table]:
    print("  ".join(str(cell) for cell in line))

# A workbook: a zip of a few small texts. Words are written as words, never as formulas.
def cell(value):
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"

def sheet(lines):
    body = "".join("<row>" + "".join(map(cell, line)) + "</row>" for line in lines)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
if WORKBOOK:
    total = ["Total", *(sum((line[place] for line in table), Decimal(0)) for place in range(1, len(COLUMNS) + 1))]
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{KIND}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="Numbers" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet([[BY, *COLUMNS], *table, total]),
    }
    with zipfile.ZipFile(f"out/{NAME}.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        for part, content in parts.items():
            book.writestr(part, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{content}')

# A picture, where the packages for one are installed.
if CHART:
    try:
        from matplotlib import pyplot
    except ImportError:
        pyplot = None
    if pyplot:
        figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
        names = [line[0] for line in table]
        if len(COLUMNS) == 2:
            axes.scatter([float(line[2]) for line in table], [float(line[1]) for line in table], s=70)
            for line in table:
                axes.annotate(line[0], (float(line[2]), float(line[1])), textcoords="offset points", xytext=(7, 5))
            axes.set_xlabel(COLUMNS[1])
            axes.set_ylabel(COLUMNS[0])
            axes.set_ylim(bottom=min(0, *axes.get_ylim()))
            axes.set_xlim(left=min(0, *axes.get_xlim()))
        else:
            axes.bar(names, [float(line[1]) for line in table])
            axes.set_ylabel(COLUMNS[0])
            axes.tick_params(axis="x", rotation=30)
        axes.set_title(f"{' against '.join(COLUMNS)} per {BY}")
        figure.savefig(f"out/{NAME}.png", dpi=120)

print(json.dumps({"rows": [[line[0], *map(str, line[1:])] for line in table[:60]], "unread": unread, "of": len(rows)}))
"""
