"""WHAT PEOPLE READ: one report per run, as a mail's subject, HTML and plain text.

Vocabulary: a ``Report`` holds ``Item``s (a day or a machine each), a calendar of ``CoveredDay``s or the
``KeptWeeks`` of each machine, the vault's ``Space``, what was ``Removed``, and what needs a person. An item
has a ``State`` (passed, failed, not checked) and an ``Outcome`` (copied, missing, imaged, ...); a machine's
has a ``Standstill`` too. What the run does is its ``Kind``: audits, restores and drills report as well.

Want to change what a report knows? ``model.py``, and ``history.py`` of the time before; its words are in
``states.py``. What it concludes, or its subject? ``verdict.py``. How days and machines are told?
``words.py``. How the calendar is laid out? ``weeks.py``. What its pictures show, in words? ``trends.py``; a
mail's are gathered by ``pictures.py``. How it looks? ``templates/``, filled by ``render.py``.
"""

from include.report.history import CopiedBytes, CoveredYear, Downtimes
from include.report.model import CoveredDay, Item, KeptWeeks, Removed, Report, Space, Standstill
from include.report.render import render_html, render_text
from include.report.states import Coverage, Kind, Outcome, State, WeekState
from include.report.verdict import (
    MADE_BY,
    headline,
    is_good,
    label,
    overall,
    rehearsed,
    subject,
    summary,
)

__all__ = [
    "MADE_BY",
    "CopiedBytes",
    "Coverage",
    "CoveredDay",
    "CoveredYear",
    "Downtimes",
    "Item",
    "KeptWeeks",
    "Kind",
    "Outcome",
    "Removed",
    "Report",
    "Space",
    "Standstill",
    "State",
    "WeekState",
    "headline",
    "is_good",
    "label",
    "overall",
    "rehearsed",
    "render_html",
    "render_text",
    "subject",
    "summary",
]
