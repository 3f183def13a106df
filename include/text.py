"""Sizes, durations, counts and times as text for people, and text from outside made printable."""

from datetime import datetime, timedelta

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MINUTE_S, _HOUR_S = 60, 3600
_DAYS_IN_MONTH, _DAYS_IN_YEAR = 30.44, 365.25


def visible(text: str) -> str:
    r"""Escape unprintable characters: control characters, line breaks, bidi overrides, undecodable bytes.

    A byte of a file name that isn't UTF-8 (a lone surrogate, as ``os.fsdecode`` returns it) becomes ``\xff``.
    The result is one line that encodes as UTF-8, and escaping it again changes nothing.
    """
    if text.isprintable():  # nearly always; a report may have megabytes of it
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    undecodable = "\udc80" <= char <= "\udcff"
    return f"\\x{ord(char) - 0xDC00:02x}" if undecodable else char.encode("unicode_escape").decode()


def size(count: float) -> str:
    """Format a number of bytes in decimal units: ``412 MB``, ``1.3 GB``."""
    return f"{'-' if count < 0 else ''}{_magnitude(abs(count))}"


def _magnitude(count: float) -> str:
    step = 0
    # 999.5 would be written "1000", which is the next unit's "1.0".
    while count >= 999.5 and step < len(_UNITS) - 1:  # noqa: PLR2004 - rounding, as above
        count, step = count / 1000, step + 1
    decimals = 1 if step and count < 9.95 else 0  # noqa: PLR2004 - two figures below ten
    return f"{count:,.{decimals}f} {_UNITS[step]}"


def duration(seconds: float) -> str:
    """Format a duration in its two largest units: ``4.2 s``, ``31 s``, ``2 min 5 s``, ``1 h 12 min``."""
    if seconds < 9.95:  # noqa: PLR2004 - tenths only where they matter
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    minutes = round(seconds / _MINUTE_S)
    return f"{minutes // 60} h {minutes % 60} min"


def span(days: int) -> str:
    """Format an estimated number of days: ``9 days``, ``about 7 months``, ``more than 20 years``."""
    if days < 2 * _DAYS_IN_MONTH:
        return counted(days, "day")
    if days < 2 * _DAYS_IN_YEAR:
        return f"about {round(days / _DAYS_IN_MONTH)} months"
    years = round(days / _DAYS_IN_YEAR)
    return f"about {years} years" if years <= 20 else "more than 20 years"  # noqa: PLR2004 - disks don't last longer


def counted(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 warning``, ``2 warnings``, ``1,234 files``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def zoned(when: datetime) -> str:
    """Format an aware time in its own zone, which it names: ``2026-11-22 02:00 UTC-3``."""
    return f"{when:%Y-%m-%d %H:%M} {offset(when)}"


def offset(when: datetime) -> str:
    """Format an aware time's offset from UTC: ``UTC``, ``UTC-3``, ``UTC+5:30``."""
    minutes = round((when.utcoffset() or timedelta()) / timedelta(minutes=1))
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}" if minutes else "UTC"
