"""The calendar's cells, as terse as HTML can be: ten years of them are most of the page."""

from markupsafe import Markup

from include.ordinal_day import days_in
from include.standing.coverage import DayState, Year

# A cell without a class is proven: most are. Signs and colours stand in the style sheet.
CLASSES = {
    DayState.PROVEN: "",
    DayState.DUE: "d",
    DayState.REVISED: "r",
    DayState.NOT_DUE: "n",
    DayState.DAMAGED: "b",
    DayState.FAILED: "f",
    DayState.AT_SOURCE: "s",
    DayState.LOST: "l",
    DayState.UNKNOWN: "u",
}
_NO_DAY = "<td class=x>"
_TENS = 37


def head() -> Markup:
    """Give the row of tens, 00x to 36x."""
    tens = "".join(f"<th scope=col>{ten:02d}x" for ten in range(_TENS))
    return Markup(f"<tr><td class=x>{tens}")  # noqa: S704 - digits only


def rows(year: Year) -> Markup:
    """Give the ten rows of a year: one for each last digit; end tags are left out, as HTML allows."""
    classes = {day.day.number: CLASSES[day.state] for day in year.days}
    stop = _entry(year)
    lines = []
    for digit in range(10):
        cells = (_cell(classes.get(ten * 10 + digit), entry=ten * 10 + digit == stop) for ten in range(_TENS))
        lines.append(f"<tr><th scope=row>{digit}{''.join(cells)}")
    return Markup("\n".join(lines))  # noqa: S704 - classes from above only


def _cell(name: str | None, *, entry: bool) -> str:
    if name is None:
        return _NO_DAY
    stop = " tabindex=0" if entry else ""
    return f"<td class={name}{stop}>" if name else f"<td{stop}>"


def _entry(year: Year) -> int:
    """Give the day at which the Tab key enters the year: the newest one that is due."""
    due = [day.day.number for day in year.days if day.state is not DayState.NOT_DUE]
    return max(due, default=min(year.first, days_in(year.number)))
