"""Render a report as HTML and as plain text, with the same content.

The layout is in ``templates/``, the conclusions in ``subject.py``, their phrases in ``phrases.py``.
"""

import re
import textwrap
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from include.report import trends
from include.report.inline_pictures import content_id, described
from include.report.model import Report
from include.report.phrases import nothing, noun
from include.report.shortening import Shown, fitting, whole
from include.report.subject import (
    MADE_BY,
    amount_sentence,
    clean_dry_run,
    coverage_sentence,
    headline,
    label,
    overall,
    weeks_sentence,
)
from include.report.weeks import weeks
from include.results.item import Downtime, Item
from include.results.states import Coverage, Outcome, State, WeekState
from include.status.space import GROWTH_UNKNOWN, Space
from include.text import counted, duration, size, span

WIDTH = 78
"""Columns of the plain text."""

MANY_RUNS = 1000

_MOST_LEFT_OUT, _LONGEST_LEFT_OUT = 10, 300  # of a VM; characters of each

_UNIT = re.compile(r"(?<=\d) (?=(?:[kMGTP]?B|s|min|h)\b)")


class Style(NamedTuple):
    """A sign, and the name of its colours in the HTML."""

    sign: str
    tone: str


# Every common font has these signs, and no phone shows them as emoji.
PLANNED = Style("→", "plan")
LEFT_OUT = Style("–", "idle")  # noqa: RUF001 - the en dash is meant
STATE_STYLES = {
    State.PASSED: Style("✓", "good"),
    State.FAILED: Style("✗", "bad"),
    State.NOT_CHECKED: Style("?", "open"),
}
COVERAGE_STYLES = {
    Coverage.SAFE: Style("✓", "good"),
    Coverage.REVISED: Style("↻", "good"),
    Coverage.MISSING: Style("○", "bad"),
    Coverage.FAILED: Style("✗", "bad"),
    Coverage.NOT_DUE: LEFT_OUT,
    Coverage.WOULD_COPY: PLANNED,
}
WEEK_STYLES = {
    WeekState.KEPT: Style("✓", "good"),
    WeekState.MISSING: Style("○", "bad"),
    WeekState.FAILED: Style("✗", "bad"),
    WeekState.WOULD_IMAGE: PLANNED,
    WeekState.NOTHING: LEFT_OUT,
}


def item_style(item: Item) -> Style:
    """Return the style of an item's state; planned and excluded items look neither good nor bad."""
    if item.outcome is Outcome.EXCLUDED:
        return LEFT_OUT
    return PLANNED if item.outcome.planned else STATE_STYLES[item.state]


def result_style(report: Report) -> Style:
    """Return the style of the whole run. A run that needs action isn't green."""
    if clean_dry_run(report):
        return PLANNED
    look = STATE_STYLES[overall(report)]
    return look._replace(tone="open") if report.needs_action and look.tone == "good" else look


def render_html(report: Report, drawn: Collection[str] = (), *, is_whole: bool = False) -> str:
    """Return the mail's HTML part: self-contained, without scripts or anything to fetch.

    Args:
        report: the report.
        drawn: the names of the pictures of the whole report in the mail; instead of the others, their
            sentences are written.
        is_whole: whether long lists are whole, as on the page; in a mail they are shortened.
    """
    return _render("report.html.j2", report, drawn, is_whole=is_whole)


def render_text(report: Report) -> str:
    """Return the mail's text part, ``WIDTH`` columns wide unless a name or a command is longer."""
    lines = _render("report.txt.j2", report).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _render(template: str, report: Report, drawn: Collection[str] = (), *, is_whole: bool = False) -> str:
    layout, common = _ENVIRONMENT.get_template(template), _common(report, drawn)

    def render(shown: Shown) -> str:
        return layout.render(report=report, shown=shown, items=shown.items, **common)

    return render(whole(report)) if is_whole else fitting(report, render)


def _common(report: Report, drawn: Collection[str]) -> dict[str, object]:
    return {
        "drawn": drawn,
        "year_sentences": trends.year_sentences(report),
        "downtime_sentences": trends.downtime_sentences(report),
        "copied_sentence": trends.copied_sentence(report.space) if report.space else "",
        "made_by": MADE_BY,
        "result": result_style(report),
        "label": label(report),
        "headline": headline(report),
        "noun": noun(report),
        "nothing": nothing(report),
        "amount_sentence": amount_sentence(report),
        "weeks": weeks(report.coverage),
        "coverage_sentence": coverage_sentence(report),
        "state_styles": STATE_STYLES,
        "coverage_styles": COVERAGE_STYLES,
        "weeks_sentence": weeks_sentence(report),
        "week_styles": WEEK_STYLES,
    }


def trend(space: Space) -> str:
    """Return how the vault's space develops, and when it reaches the reserve."""
    growth = space.growth_bytes_per_day
    if not space.usable_bytes:
        return f"No free space is left beyond the reserve of {size(space.reserve_bytes)}."
    if space.added_bytes is not None:
        return _balance(space, space.added_bytes)
    if growth is None:
        return GROWTH_UNKNOWN
    days = space.days_until_full(growth)
    if days is None:
        return "No growth over the last 30 days."
    rate = f"Growing by {size(growth)} a day over the last 30 days"
    return f"{rate}; at this rate there is space for {span(days)}."


def _balance(space: Space, added: int) -> str:
    """Return what one run added and removed; generations share data on the disk, so it may be less."""
    if not added and not space.gone_bytes:
        return "This run added nothing."
    change = f"This run added {size(added)}"
    change += f" and removed {size(space.gone_bytes)}" if space.gone_bytes else ""
    if added <= space.gone_bytes:
        return f"{change}."
    left = space.usable_bytes // (added - space.gone_bytes)
    runs = counted(left, "more run") if left <= MANY_RUNS else f"more than {MANY_RUNS:,} runs"
    return f"{change}; there is space for {runs} like it."


def downtime_text(downtime: Downtime) -> str:
    """Return how a VM was imaged, and how long it was down: ``cold: 14 s down``."""
    if downtime.was == "off":
        return "was off"
    if not downtime.stops:
        return f"{downtime.method}: not stopped"
    if downtime.downtime_s is None:
        return f"{downtime.method}: downtime unknown"
    about = "about " if downtime.expected else ""
    return f"{downtime.method}: {about}{duration(downtime.downtime_s)} down"


def budget(item: Item) -> str:
    """Return a VM's downtime and its budget: ``14 s of 2 min 0 s``."""
    down = item.downtime
    if item.outcome is Outcome.NOT_BACK:
        return "did not come back"
    if not down or down.downtime_s is None:
        return "unknown"
    spent = f"{'about ' if down.expected else ''}{duration(down.downtime_s)}"
    if down.budget_s is None:
        return spent
    within = f"{spent} of {duration(down.budget_s)}"
    return f"{within}, {duration(down.over_s)} over budget" if down.over_s else within


def share_of_budget(downtime: Downtime) -> int:
    """Return how much of its budget a downtime used, in whole percent up to 100; 0 if either is unknown."""
    if downtime.downtime_s is None or downtime.budget_s is None:
        return 0
    return min(round(100 * downtime.downtime_s / max(downtime.budget_s, 0.001)), 100)


def split(space: Space) -> str:
    """Return how the vault's space is used, in the order of the bar."""
    reserve = min(space.reserve_bytes, space.free_bytes)
    parts = {"used": space.used_bytes, "available": space.usable_bytes, "in reserve": reserve}
    return " · ".join(f"{size(count)} {use}" for use, count in parts.items())


def shares(space: Space) -> dict[str, int]:
    """Return the vault's shares in whole percent: used, available, reserve. They always add up to 100."""
    known = max(space.used_bytes + space.free_bytes, 1)
    reserve = round(100 * min(space.reserve_bytes, space.free_bytes) / known)
    used = min(round(100 * space.used_bytes / known), 100 - reserve)
    return {"used": used, "free": 100 - used - reserve, "reserve": reserve}


def left_out_lines(item: Item) -> list[str]:
    """Return what a VM's image lacks, each in a line, as much as a mail has space for."""
    every = item.left_out
    lines = [line if len(line) <= _LONGEST_LEFT_OUT else f"{line[:_LONGEST_LEFT_OUT]}..." for line in every]
    rest = len(every) - _MOST_LEFT_OUT
    return lines if rest <= 0 else [*lines[:_MOST_LEFT_OUT], f"{rest} more, which the log of List VMs names."]


def wrap(text: str, indent: int = 0, first: str = "") -> str:
    """Break a text into lines of ``WIDTH`` columns, never inside a word or between a number and its unit."""
    filled = textwrap.fill(
        _UNIT.sub("\xa0", text),
        WIDTH,
        initial_indent=first or " " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace("\xa0", " ")


def calendar_date(day: date) -> str:
    """Return a date in full: ``Friday, 25 September 2026``."""
    return f"{day:%A}, {day.day} {day:%B} {day.year}"


def ran(report: Report) -> str:
    """Return how long the run took, and when it ran in the institute's time zone."""
    started, finished = (moment.astimezone(report.zone) for moment in (report.started, report.finished))
    clock = "%H:%M:%S" if finished.date() == started.date() else "%Y-%m-%d %H:%M:%S"
    times = f"from {started:%Y-%m-%d %H:%M:%S} to {finished.strftime(clock)} ({report.timezone})"
    return f"ran for {duration(report.seconds)}, {times}"


def linkable(url: str) -> bool:
    """Return whether an address may become a link: http and https only, so that no script can."""
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "budget": budget,
        "calendar_date": calendar_date,
        "content_id": content_id,
        "described": described,
        "counted": counted,
        "duration": duration,
        "left_out_lines": left_out_lines,
        "look": item_style,
        "ran": ran,
        "share_of_budget": share_of_budget,
        "shares": shares,
        "size": size,
        "split": split,
        "downtime_text": downtime_text,
        "trend": trend,
        "wrap": wrap,
    }
    environment.tests["linkable"] = linkable
    return environment


_ENVIRONMENT = _environment()
