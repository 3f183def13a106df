"""Long lists, shortened: Gmail hides what comes after 102 kB of a mail's HTML, and that was the list's end.

What is wrong comes first in each list, so the rest is what went well. The page Backups has the whole report.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from include.report.model import GenerationNote, GenerationWeeks, Report
from include.report.phrases import counts
from include.report.subject import by_urgency
from include.results.item import Item
from include.results.states import WeekState
from include.text import counted

LARGEST_BYTES = 90_000
MOST_ACTIONS = 9
"""How many needed actions are shown, so that what failed is seen below them."""
_WHERE = "The whole report is on the page Backups, with its run."


class Limits(NamedTuple):
    """How much of a report is shown.

    Args:
        entries: of each list.
        characters: of each sentence.
        actions: of the needed actions, if fewer.
    """

    entries: int
    characters: int
    actions: int = MOST_ACTIONS


_NONE = Limits(sys.maxsize, sys.maxsize, sys.maxsize)
_LIMITS = (Limits(40, 2000), Limits(25, 1000), Limits(12, 600), Limits(6, 400), Limits(2, 200))


@dataclass(frozen=True)
class Shown:
    """The lists of a report as a mail shows them, each with a sentence about the rest, if any.

    ``is_short``: whether anything is left out.
    """

    items: Sequence[Item]
    more_items: str
    needs_action: Sequence[str]
    more_actions: str
    stopped: Sequence[Item]
    more_stopped: str
    generations: Sequence[GenerationWeeks]
    more_generations: str
    notes: Sequence[GenerationNote]
    more_notes: str
    is_short: bool = False


def fitting(report: Report, render: Callable[[Shown], str]) -> str:
    """Render a report with as much of its lists as fits into ``LARGEST_BYTES``."""
    text, every = "", whole(report)
    for limits in _LIMITS:
        lists = shown(report, limits)
        text = render(replace(lists, is_short=lists != every))
        if len(text.encode()) <= LARGEST_BYTES:
            break
    return text


def whole(report: Report) -> Shown:
    """Return a report's lists, with nothing left out."""
    return shown(report, _NONE)


def shown(report: Report, limits: Limits) -> Shown:
    """Return a report's lists, shortened."""
    most, actions = limits.entries, min(limits.entries, limits.actions)
    items = by_urgency(report.items)
    stopped = [item for item in items if item.downtime and item.downtime.stops]
    generations = sorted(report.generations, key=_is_kept) if len(report.generations) > most else None
    rest, notes = items[most:], report.removed + report.protected
    return Shown(
        items=[_cut_item(item, limits) for item in items[:most]],
        more_items=f"And {len(rest)} more: {', '.join(counts(rest))}. {_WHERE}" if rest else "",
        needs_action=[_cut(sentence, limits) for sentence in report.needs_action[:actions]],
        more_actions=_more(report.needs_action, actions, "action"),
        stopped=stopped[:most],
        more_stopped=_more(stopped, most, "VM"),
        generations=(generations or report.generations)[:most],
        more_generations=_more(report.generations, most, "VM"),
        notes=notes[:most],
        more_notes=_more(notes, most, "generation"),
    )


def _is_kept(row: GenerationWeeks) -> bool:
    return row.states[-1] not in (WeekState.FAILED, WeekState.MISSING)


def _more(entries: Sequence[object], most: int, noun: str) -> str:
    rest = len(entries) - most
    return f"And {counted(rest, f'more {noun}')}. {_WHERE}" if rest > 0 else ""


def _cut_item(item: Item, limits: Limits) -> Item:
    warnings = [_cut(warning, limits) for warning in item.warnings[: limits.entries]]
    if rest := len(item.warnings) - len(warnings):
        warnings.append(f"{rest} more. {_WHERE}")
    changes = {"reason": _cut(item.reason, limits), "warnings": tuple(warnings)}
    return item.model_copy(update=changes)


def _cut(sentence: str, limits: Limits) -> str:
    if len(sentence) <= limits.characters:
        return sentence
    return f"{sentence[: limits.characters]}… (cut; the page Backups has it whole)"
