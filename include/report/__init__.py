"""WHAT PEOPLE READ: one report per run, as a mail's subject, HTML and plain text.

Vocabulary: a ``Report`` holds ``Item``s (a day each), a calendar of ``CoveredDay``s, the vault's ``Space``,
what was ``Removed``, and what needs a person. An item has a ``State`` (passed, failed, not checked) and an
``Outcome`` (copied, missing, ...).

Want to change what a report knows? ``model.py``. What it concludes, its headline or its subject?
``verdict.py``. How the calendar is laid out?
``weeks.py``. How it looks? ``templates/``, filled by ``render.py``.
"""

from include.report.model import Coverage, CoveredDay, Item, Outcome, Removed, Report, Space, State
from include.report.render import render_html, render_text
from include.report.verdict import MADE_BY, headline, label, overall, rehearsed, subject

__all__ = [
    "MADE_BY",
    "Coverage",
    "CoveredDay",
    "Item",
    "Outcome",
    "Removed",
    "Report",
    "Space",
    "State",
    "headline",
    "label",
    "overall",
    "rehearsed",
    "render_html",
    "render_text",
    "subject",
]
