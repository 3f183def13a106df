"""The calendar's cells, in as little HTML as possible: ten years of them are most of the page."""

from markupsafe import Markup

from include.ordinal_day import days_in
from include.status.day_status import DayState, Year

# Most cells are verified, and so have no class. The style sheet has the signs and colours.
CLASSES = {
    DayState.VERIFIED: "",
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
    """Return the header row: the tens, 00x to 36x."""
    tens = "".join(f"<th scope=col>{ten:02d}x" for ten in range(_TENS))
    return Markup(f"<tr><td class=x>{tens}")  # noqa: S704 - digits only


def rows(year: Year) -> Markup:
    """Return the ten rows of a year, one for each last digit; without end tags, as HTML allows."""
    classes = {day.day.number: CLASSES[day.state] for day in year.days}
    tab_stop = _tab_stop(year)
    lines = []
    for digit in range(10):
        numbers = range(digit, _TENS * 10, 10)
        cells = (_cell(classes.get(number), tab_stop=number == tab_stop) for number in numbers)
        lines.append(f"<tr><th scope=row>{digit}{''.join(cells)}")
    return Markup("\n".join(lines))  # noqa: S704 - only classes from above


def _cell(name: str | None, *, tab_stop: bool) -> str:
    if name is None:
        return _NO_DAY
    tabindex = " tabindex=0" if tab_stop else ""
    return f"<td class={name}{tabindex}>" if name else f"<td{tabindex}>"


def _tab_stop(year: Year) -> int:
    """Return the day at which the Tab key enters the year: the newest due day."""
    due = [day.day.number for day in year.days if day.state is not DayState.NOT_DUE]
    return max(due, default=min(year.first, days_in(year.number)))
