"""What a mail shows of a whole report as pictures, beside what it says in words."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC

from include.report import Outcome, Report
from include.report.trends import FEWEST, downtimes

_NO_NEWS = (Outcome.ALREADY_SAFE, Outcome.EXCLUDED)


def drawn(report: Report, say: Callable[[str], None]) -> Mapping[str, bytes]:
    """Draw the pictures that a report has the facts for, as PNGs by name.

    Names are ``coverage``, ``downtime`` and ``space``. A run that found nothing to do draws nothing: it has
    no news, and drawing takes longer than all else that it does.

    Args:
        report: the facts.
        say: told what couldn't be drawn; the mail goes out without it.
    """
    if all(item.outcome in _NO_NEWS for item in report.items):
        return {}
    pictures = {}
    for name, draw in _wanted(report):
        try:
            pictures[name] = draw()
        except Exception as why:  # noqa: BLE001 - whatever it is, no mail fails for want of a picture
            say(f"The picture {name} couldn't be drawn: {why}")
    return pictures


def _wanted(report: Report) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if report.years:
        yield "coverage", lambda: _coverage(report)
    if downtimes(report):
        yield "downtime", lambda: _downtime(report)
    if report.space and len(report.space.copied) >= FEWEST:
        yield "space", lambda: _space(report)


def _coverage(report: Report) -> bytes:
    from include.pictures import calendar_picture  # noqa: PLC0415 - who draws nothing doesn't load what draws

    return calendar_picture.picture(report.years, report.day)


def _downtime(report: Report) -> bytes:
    from include.pictures import trend_pictures  # noqa: PLC0415 - the same

    return trend_pictures.downtime(downtimes(report))


def _space(report: Report) -> bytes:
    from include.pictures import trend_pictures  # noqa: PLC0415 - the same

    copied = report.space.copied if report.space else ()
    return trend_pictures.copied(copied, max(report.finished.astimezone(UTC).date(), copied[-1].on))
