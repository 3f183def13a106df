"""WHAT PEOPLE READ: one report per run, as a mail's subject, HTML and plain text.

Vocabulary: a ``Report`` holds ``Item``s (a day or a machine each), a calendar of ``CoveredDay``s or the
``KeptWeeks`` of each machine, the vault's ``Space``, what was ``Removed``, and what needs a person. An item
has a ``State`` (passed, failed, not checked) and an ``Outcome`` (copied, missing, imaged, ...); a machine's
has a ``Standstill`` too. What the run does is its ``Kind``: audits, restores and drills report as well.

Want to change what a report knows? ``model.py``. What it concludes, or its subject? ``verdict.py``. How days
and machines are told? ``words.py``. How the calendar is laid out? ``weeks.py``. How it looks? ``templates/``,
filled by ``render.py``.
"""

from include.report.model import (
    Coverage,
    CoveredDay,
    Item,
    KeptWeeks,
    Kind,
    Outcome,
    Removed,
    Report,
    Space,
    Standstill,
    State,
    WeekState,
)
from include.report.render import render_html, render_text
from include.report.verdict import MADE_BY, headline, is_good, label, line, overall, rehearsed, subject

__all__ = [
    "MADE_BY",
    "Coverage",
    "CoveredDay",
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
    "line",
    "overall",
    "rehearsed",
    "render_html",
    "render_text",
    "subject",
]
