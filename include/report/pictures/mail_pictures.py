"""The pictures of a whole report in its mail."""

from collections.abc import Callable, Iterator, Mapping

from include.report import Report
from include.report.trends import FEWEST, downtimes
from include.results.states import Outcome

_NOTHING_NEW = (Outcome.ALREADY_SAFE, Outcome.EXCLUDED)


def drawn(report: Report, warn: Callable[[str], None]) -> Mapping[str, bytes]:
    """Draw the pictures that a report has the data for, and return PNGs by name.

    Names are ``coverage``, ``downtime`` and ``space``. For a run that had nothing to do, draw nothing: its
    mail has no news, and drawing would take longer than the run itself.

    Args:
        report: the report.
        warn: called with a message about each picture that couldn't be drawn and is left out.
    """
    if all(item.outcome in _NOTHING_NEW for item in report.items):
        return {}
    pictures = {}
    for name, draw in _available(report):
        try:
            pictures[name] = draw()
        except Exception as error:  # noqa: BLE001 - no mail fails because a picture couldn't be drawn
            warn(f"The picture {name} couldn't be drawn: {error}")
    return pictures


def _available(report: Report) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if report.years:
        yield "coverage", lambda: _coverage(report)
    if downtimes(report):
        yield "downtime", lambda: _downtime(report)
    if report.space and len(report.space.copied) >= FEWEST:
        yield "space", lambda: _space(report)


def _coverage(report: Report) -> bytes:
    from include.report.pictures import calendar_picture  # noqa: PLC0415 - it loads matplotlib

    return calendar_picture.picture(report.years, report.day)


def _downtime(report: Report) -> bytes:
    from include.report.pictures import trend_pictures  # noqa: PLC0415 - the same

    return trend_pictures.downtime(downtimes(report), report.zone)


def _space(report: Report) -> bytes:
    from include.report.pictures import trend_pictures  # noqa: PLC0415 - the same

    copied = report.space.copied if report.space else ()
    return trend_pictures.copied(copied, max(report.finished.astimezone(report.zone).date(), copied[-1].on))
