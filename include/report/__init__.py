"""REPORTS: one report per run, as a mail's subject, HTML and plain text.

``build.py`` builds it by kind of run: with ``daily.py`` (each day: ``day_item.py``), ``weekly.py`` (each VM:
``vm_item.py``, what its tasks left: ``vm_result.py``, its image: ``vm_image.py``), ``scrub.py``, or
``planned.py`` for restores and boot tests. The coverage of days: ``coverage.py``. The generations by week:
``generation_weeks.py``. What retention did: ``removals.py``. What no scrub verified: ``overdue.py``. What to
do after a failure: ``next_step.py``. A run's part of the status page: ``run_part.py``.

The model: ``model.py``, with data from before the run in ``history.py``; items, states and outcomes are in
``include/results/``. Overall state, headline and subject: ``subject.py``, with each kind's phrases in
``phrases.py``. The layout: ``templates/``, filled by ``render.py``; the calendar's rows: ``weeks.py``.

Pictures are drawn in ``pictures/`` and attached by ``inline_pictures.py``; ``trends.py`` describes them in
sentences.
"""

from include.report.history import CoveredYear, DowntimeHistory
from include.report.model import CoveredDay, GenerationNote, GenerationWeeks, Report
from include.report.render import render_html, render_text
from include.report.subject import MADE_BY, clean_dry_run, headline, is_good, label, overall, subject, summary
from include.results.item import Downtime, Item
from include.results.states import Coverage, Kind, Outcome, State, WeekState
from include.status.space import CopiedBytes, Space

__all__ = [
    "MADE_BY",
    "CopiedBytes",
    "Coverage",
    "CoveredDay",
    "CoveredYear",
    "Downtime",
    "DowntimeHistory",
    "GenerationNote",
    "GenerationWeeks",
    "Item",
    "Kind",
    "Outcome",
    "Report",
    "Space",
    "State",
    "WeekState",
    "clean_dry_run",
    "headline",
    "is_good",
    "label",
    "overall",
    "render_html",
    "render_text",
    "subject",
    "summary",
]
