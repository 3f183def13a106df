"""The report as an HTML mail and as plain text. Pure: facts in, text out.

Both say the same. How it looks is in ``templates/``; what is said is in ``verdict.py``.
"""

import re
import textwrap
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from include import wording
from include.report import trends
from include.report.model import Item, Report, Space, Standstill
from include.report.pictures import content_id
from include.report.states import Coverage, Outcome, State, WeekState
from include.report.verdict import (
    MADE_BY,
    by_urgency,
    coverage_sentence,
    headline,
    label,
    moved,
    overall,
    rehearsed,
    weeks_sentence,
)
from include.report.weeks import weeks
from include.report.words import noun

WIDTH = 78
"""Columns of the plain text."""

MANY_RUNS = 1000

_UNIT = re.compile(r"(?<=\d) (?=(?:[kMGTP]?B|s|min|h)\b)")


class Look(NamedTuple):
    """A sign, and the name of the colours that the HTML puts behind it."""

    sign: str
    tone: str


# Signs that every common font has, and that no phone turns into a coloured picture.
PLANNED = Look("→", "plan")
LEFT_OUT = Look("–", "idle")  # noqa: RUF001 - the en dash is meant
STATE_LOOKS = {
    State.PASSED: Look("✓", "good"),
    State.FAILED: Look("✗", "bad"),
    State.NOT_CHECKED: Look("?", "open"),
}
COVERAGE_LOOKS = {
    Coverage.SAFE: Look("✓", "good"),
    Coverage.REVISED: Look("↻", "good"),
    Coverage.MISSING: Look("○", "bad"),
    Coverage.FAILED: Look("✗", "bad"),
    Coverage.NOT_DUE: LEFT_OUT,
    Coverage.WOULD_COPY: PLANNED,
}
WEEK_LOOKS = {
    WeekState.KEPT: Look("✓", "good"),
    WeekState.MISSING: Look("○", "bad"),
    WeekState.FAILED: Look("✗", "bad"),
    WeekState.WOULD_IMAGE: PLANNED,
    WeekState.NOTHING: LEFT_OUT,
}


def item_look(item: Item) -> Look:
    """Give an item the look of its state; what is only planned, or left out, looks neither good nor bad."""
    if item.outcome is Outcome.EXCLUDED:
        return LEFT_OUT
    return PLANNED if item.outcome.planned else STATE_LOOKS[item.state]


def verdict_look(report: Report) -> Look:
    """Give the whole run its look. Good news that needs a person isn't green."""
    if rehearsed(report):
        return PLANNED
    look = STATE_LOOKS[overall(report)]
    return look._replace(tone="open") if report.needs_person and look.tone == "good" else look


def render_html(report: Report, drawn: Collection[str] = ()) -> str:
    """Give the mail's HTML part: complete in itself, without scripts or anything to fetch.

    Args:
        report: the facts.
        drawn: the names of the pictures of the whole report that the mail carries; the others' words are
            written instead.
    """
    return _render("report.html.j2", report, drawn)


def render_text(report: Report) -> str:
    """Give the mail's text part, at most ``WIDTH`` columns as far as names and commands allow."""
    lines = _render("report.txt.j2", report).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _render(template: str, report: Report, drawn: Collection[str] = ()) -> str:
    items = by_urgency(report.items)
    return _ENVIRONMENT.get_template(template).render(
        report=report,
        drawn=drawn,
        year_sentences=trends.year_sentences(report),
        downtime_sentences=trends.downtime_sentences(report),
        copied_sentence=trends.copied_sentence(report.space) if report.space else "",
        made_by=MADE_BY,
        verdict=verdict_look(report),
        label=label(report),
        headline=headline(report),
        noun=noun(report),
        moved=moved(report),
        items=items,
        stopped=[item for item in items if item.standstill and item.standstill.stops],
        weeks=weeks(report.coverage),
        coverage_sentence=coverage_sentence(report),
        state_looks=STATE_LOOKS,
        coverage_looks=COVERAGE_LOOKS,
        weeks_sentence=weeks_sentence(report),
        week_looks=WEEK_LOOKS,
    )


def trend(space: Space) -> str:
    """Say where the vault's space is going, and when it reaches the reserve."""
    growth, days = space.growth_bytes_per_day, space.days_until_full
    if not space.usable_bytes:
        return f"No room is left: the reserve is {wording.size(space.reserve_bytes)}."
    if space.added_bytes is not None:
        return _balance(space, space.added_bytes)
    if growth is None:
        return "How fast it fills is not known yet."
    if days is None:
        return "It has not grown over the last 30 days."
    pace = f"It grew by {wording.size(growth)} a day over the last 30 days"
    return f"{pace}; at this pace there is room for {wording.span(days)}."


def _balance(space: Space, added: int) -> str:
    """Say what one run took and gave back; what generations share on the disk makes it less."""
    if not added and not space.gone_bytes:
        return "This run added nothing to it."
    told = f"This run added {wording.size(added)}"
    told += f" and gave back {wording.size(space.gone_bytes)} by removals" if space.gone_bytes else ""
    if added <= space.gone_bytes:
        return f"{told}."
    left = space.usable_bytes // (added - space.gone_bytes)
    runs = wording.counted(left, "more run") if left <= MANY_RUNS else f"more than {MANY_RUNS:,} runs"
    return f"{told}; there is room for {runs} like it."


def stillness(standstill: Standstill) -> str:
    """Say how a machine was imaged, and how long it was down for it."""
    if standstill.was == "off":
        return "off, and stays off"
    if not standstill.stops:
        return f"{standstill.method}: not stopped"
    if standstill.downtime_s is None:
        return f"{standstill.method}: downtime not known{' yet' if standstill.expected else ''}"
    about = "about " if standstill.expected else ""
    return f"{standstill.method}: {about}{wording.duration(standstill.downtime_s)} down"


def budget(item: Item) -> str:
    """Say a machine's downtime against its budget: ``14 s of 2 min 0 s``."""
    stop = item.standstill
    if item.outcome is Outcome.NOT_BACK:
        return "it did not come back"
    if not stop or stop.downtime_s is None:
        return "not known yet" if stop and stop.expected else "not known"
    spent = f"{'about ' if stop.expected else ''}{wording.duration(stop.downtime_s)}"
    if stop.budget_s is None:
        return spent
    told = f"{spent} of {wording.duration(stop.budget_s)}"
    return f"{told}, {wording.duration(stop.over_s)} too long" if stop.over_s else told


def share_of_budget(standstill: Standstill) -> int:
    """Give the whole percents of its budget that a downtime used up, at most 100; 0 where one isn't known."""
    if standstill.downtime_s is None or standstill.budget_s is None:
        return 0
    return min(round(100 * standstill.downtime_s / max(standstill.budget_s, 0.001)), 100)


def split(space: Space) -> str:
    """Say what the vault's bytes are for, in the order of the drawn bar."""
    reserve = min(space.reserve_bytes, space.free_bytes)
    parts = {"used": space.used_bytes, "to fill": space.usable_bytes, "in reserve": reserve}
    return " · ".join(f"{wording.size(count)} {use}" for use, count in parts.items())


def shares(space: Space) -> dict[str, int]:
    """Split the vault into whole percents: used, free to use, reserve. They always add up to 100."""
    known = max(space.used_bytes + space.free_bytes, 1)
    reserve = round(100 * min(space.reserve_bytes, space.free_bytes) / known)
    used = min(round(100 * space.used_bytes / known), 100 - reserve)
    return {"used": used, "free": 100 - used - reserve, "reserve": reserve}


def wrap(text: str, indent: int = 0, first: str = "") -> str:
    """Break a sentence into lines of ``WIDTH`` columns, but never inside a word: names stay whole.

    Nor between a number and its unit.
    """
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
    """Write a date in full: ``Friday, 25 September 2026``."""
    return f"{day:%A}, {day.day} {day:%B} {day.year}"


def ran(report: Report) -> str:
    """Say how long the run took and when, on the institute's clock."""
    started, finished = (moment.astimezone(report.zone) for moment in (report.started, report.finished))
    clock = "%H:%M:%S" if finished.date() == started.date() else "%Y-%m-%d %H:%M:%S"
    times = f"from {started:%Y-%m-%d %H:%M:%S} to {finished.strftime(clock)} ({report.timezone})"
    return f"ran for {wording.duration(report.seconds)}, {times}"


def linkable(url: str) -> bool:
    """Say whether an address may become a link: http and https only, so that no script can."""
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
        "counted": wording.counted,
        "duration": wording.duration,
        "look": item_look,
        "ran": ran,
        "share_of_budget": share_of_budget,
        "shares": shares,
        "size": wording.size,
        "split": split,
        "stillness": stillness,
        "trend": trend,
        "wrap": wrap,
    }
    environment.tests["linkable"] = linkable
    return environment


_ENVIRONMENT = _environment()
