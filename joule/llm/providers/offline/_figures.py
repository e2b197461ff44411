"""Writes numbers the way people read them."""

from decimal import ROUND_HALF_UP, Decimal, localcontext

from joule.llm.providers.offline._table import Column, Score


def number(value: Decimal, unit: str = "") -> str:
    """`1,234`, `12.5`, `€3.20`: whole above a thousand, at most two places below."""
    rounded = _rounded(value, "1" if abs(value) >= 1000 or value == value.to_integral_value() else "0.01")
    written = f"{rounded:,f}"
    if "." in written and not unit:
        written = written.rstrip("0").rstrip(".")
    if unit == "%":
        return f"{written}%"
    if len(unit) > 1:
        return f"{written} {unit}"
    return f"-{unit}{written[1:]}" if written.startswith("-") else f"{unit}{written}"


def percent(part: Decimal, whole: Decimal | None) -> str:
    """`12%`; empty when there is no whole."""
    if not whole:
        return ""
    share = part / whole * 100
    return f"{_rounded(share, '1' if abs(share) >= 10 or share == share.to_integral_value() else '0.1'):f}%"


def scored(score: Score, value: Decimal) -> str:
    """A score with its meaning: `€3.20 back for each €1 spent`, `2.1%`, `€14.00 per conversion`."""
    match score.name:
        case "return on spend":
            unit = score.top.unit
            return f"{number(_cents(value), unit)} back for each {unit}1 spent"
        case "cost per conversion" | "cost per click":
            return f"{number(_cents(value), score.top.unit)} per {score.name.rsplit(' ', 1)[-1]}"
        case "conversion rate" | "click rate" | "open rate":
            return percent(value, Decimal(1))
    return f"{number(value, score.top.unit)} {score.top.spoken}"


def short_score(score: Score, value: Decimal | None) -> str:
    """A score in a table's cell."""
    if value is None:
        return "–"
    if score.name.endswith(" rate"):
        return percent(value, Decimal(1))
    return number(_cents(value), score.top.unit) if score.bottom is not None else number(value, score.top.unit)


def summed(column: Column, value: Decimal | None) -> str:
    """A sum in a table's cell."""
    return "–" if value is None else number(value, column.unit)


def _cents(value: Decimal) -> Decimal:
    return _rounded(value, "0.01")


def _rounded(value: Decimal, places: str) -> Decimal:
    with localcontext(prec=120):  # quantize refuses more digits than the context has
        return value.quantize(Decimal(places), rounding=ROUND_HALF_UP)
