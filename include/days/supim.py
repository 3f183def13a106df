"""Whether a SUPIM day is complete, by its own GrADS descriptors."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from include.days import grads
from include.days.folder_scan import DESCRIPTOR
from include.days.manifest import Manifest
from include.names import shown
from include.ordinal_day import OrdinalDay

_NAME = re.compile(
    re.escape(DESCRIPTOR) + r"(?P<year>\d{4})\.(?P<day>\d{1,3})\.(?P<hour>\d{1,2})\.(?P<minute>\d{1,2})h",
    re.ASCII,
)
_MINUTES_PER_HOUR = 60
_MINUTES_PER_DAY = 24 * _MINUTES_PER_HOUR


@dataclass(frozen=True)
class Completeness:
    """The result of checking a day's descriptors.

    Args:
        steps: the number of time steps whose data files exist with exactly their size.
        problems: what is missing or wrong, as sentences; empty if the day is complete.
    """

    steps: int
    problems: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first two problems, and the number of the others."""
        more = len(self.problems) - 2
        return " ".join(self.problems[:2]) + (f" ({more} more)" if more > 0 else "")


def completeness(
    day: OrdinalDay, manifest: Manifest, descriptors: Mapping[str, str], steps_per_day: int | None
) -> Completeness:
    """Check each descriptor of a day against the day's files.

    Args:
        day: the day that the folder should have.
        manifest: the folder's entries.
        descriptors: the text of each descriptor by its path.
        steps_per_day: the time steps of a complete day; None accepts any number except 0.
    """
    problems, minutes = list[str](), set[int]()  # by time: the same step in two folders is one step
    for path, text in sorted(descriptors.items()):
        try:
            minutes |= _minutes(day, manifest, path, text)
        except grads.DescriptorError as wrong:
            problems.append(f"{shown(path)}: {wrong}.")
    problems += [f"{shown(path)} can't be read as a descriptor." for path in _unread(manifest, descriptors)]
    steps = len(minutes)
    if not descriptors:
        problems.append("The folder holds no descriptor.")
    elif steps_per_day is not None and steps < steps_per_day:
        problems.insert(0, f"{steps} of {steps_per_day} time steps are complete.")
    return Completeness(steps, tuple(problems))


def minute_of(day: OrdinalDay, name: str) -> int | None:
    """Return the minute of a day (UTC) of a descriptor, by its file name; None for other files."""
    match = _NAME.fullmatch(name)
    if not match or (int(match["year"]), int(match["day"])) != (day.year, day.number):
        return None
    minute = int(match["hour"]) * 60 + int(match["minute"])
    return minute if minute < _MINUTES_PER_DAY and int(match["minute"]) < _MINUTES_PER_HOUR else None


def _unread(manifest: Manifest, descriptors: Mapping[str, str]) -> list[str]:
    named = (entry.path for entry in manifest.files if posixpath.basename(entry.path).startswith(DESCRIPTOR))
    return [path for path in named if path not in descriptors]


def _minutes(day: OrdinalDay, manifest: Manifest, path: str, text: str) -> set[int]:
    """Return the minutes of the day whose time steps a descriptor has, once its data files are complete.

    Raises:
        DescriptorError: they aren't, or the descriptor isn't one of the day.
    """
    first = minute_of(day, posixpath.basename(path))
    if first is None:
        raise grads.DescriptorError(f"its name is not one of day {day}")
    descriptor = grads.parse(text)
    for data, size in descriptor.files.items():
        _require_data(manifest, path, data, size)
    return descriptor.times.minutes(first, _MINUTES_PER_DAY)


def _require_data(manifest: Manifest, path: str, data: str, size: int) -> None:
    if not data.startswith("^"):
        raise grads.DescriptorError(f"its data file {shown(data)} is named outside the day's folder")
    data = posixpath.join(posixpath.dirname(path), data[1:])
    entry = manifest.by_path.get(data)
    if entry is None or entry.kind != "file":
        raise grads.DescriptorError(f"its data file {shown(data)} is missing")
    if entry.size != size:
        raise grads.DescriptorError(f"its data file {shown(data)} holds {entry.size:,} of {size:,} bytes")
