"""Whether a SUPIM day is complete, by its own GrADS descriptors."""

import posixpath
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from include.days import grads
from include.days.folder_scan import DESCRIPTOR, is_descriptor
from include.days.manifest import Manifest
from include.names import Names, shown
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
    parsed = {path: _parsed(day, path, text) for path, text in sorted(descriptors.items())}
    wanted = {data for found in parsed.values() if not isinstance(found, str) for data, _ in found.data}
    sizes, unread = _data_sizes(manifest, wanted, descriptors)
    problems, minutes = list[str](), set[int]()  # by time: the same step in two folders is one step
    for path, found in parsed.items():
        problem = found if isinstance(found, str) else _data_problem(found, sizes)
        if isinstance(found, str) or problem:
            problems.append(f"{shown(path)}: {problem}.")
        else:
            minutes |= found.minutes
    problems += [f"{unread} can't be read as a descriptor."] if unread else []
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


class _Steps(NamedTuple):
    """The data files of a descriptor, by their paths in the folder, with their sizes; and their minutes."""

    data: tuple[tuple[str, int], ...]
    minutes: set[int]


def _parsed(day: OrdinalDay, path: str, text: str) -> _Steps | str:
    """Return what a descriptor says, or what is wrong with it."""
    first = minute_of(day, posixpath.basename(path))
    if first is None:
        return f"its name is not one of day {day}"
    try:
        descriptor = grads.parse(text)
        data = tuple((_in_folder(path, name), size) for name, size in descriptor.files.items())
        return _Steps(data, descriptor.times.minutes(first, _MINUTES_PER_DAY))
    except grads.DescriptorError as wrong:
        return str(wrong)


def _in_folder(path: str, data: str) -> str:
    if not data.startswith("^"):
        raise grads.DescriptorError(f"its data file {shown(data)} is named outside the day's folder")
    return posixpath.join(posixpath.dirname(path), data[1:])


def _data_sizes(
    manifest: Manifest, wanted: Container[str], descriptors: Container[str]
) -> tuple[dict[str, int], Names]:
    """Return the sizes of the data files, and the descriptors that weren't read, in one pass."""
    sizes, unread = dict[str, int](), Names()
    for entry in manifest.files:
        if entry.path in wanted:
            sizes[entry.path] = entry.size
        if is_descriptor(entry.path, entry.kind) and entry.path not in descriptors:
            unread.add(entry.path)
    return sizes, unread


def _data_problem(steps: _Steps, sizes: Mapping[str, int]) -> str:
    for path, size in steps.data:
        if path not in sizes:
            return f"its data file {shown(path)} is missing"
        if sizes[path] != size:
            return f"its data file {shown(path)} holds {sizes[path]:,} of {size:,} bytes"
    return ""
