"""A SUPIM day: when it is complete, by its own descriptors."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from include import grads
from include.listing import Listing
from include.names import shown
from include.ordinal_day import OrdinalDay
from include.source_agent import DESCRIPTOR

_NAME = re.compile(
    re.escape(DESCRIPTOR) + r"(?P<year>\d{4})\.(?P<day>\d{1,3})\.(?P<hour>\d{1,2})\.(?P<minute>\d{1,2})h",
    re.ASCII,
)


@dataclass(frozen=True)
class Completeness:
    """What the descriptors prove.

    Args:
        steps: time steps whose data file is there with exactly its size.
        problems: sentences; none means that the day is complete.
    """

    steps: int
    problems: tuple[str, ...]

    @property
    def told(self) -> str:
        """The first two problems, and how many more there are."""
        more = len(self.problems) - 2
        return " ".join(self.problems[:2]) + (f" ({more} more)" if more > 0 else "")


def completeness(
    day: OrdinalDay, listing: Listing, descriptors: Mapping[str, str], steps_per_day: int | None
) -> Completeness:
    """Hold each descriptor of a day against the day's files.

    Args:
        day: the day that the folder should be.
        listing: the folder's entries.
        descriptors: path and text of each descriptor in it.
        steps_per_day: how many make a day; None accepts any number but none at all.
    """
    wrong = {path: _problem(day, listing, path, text) for path, text in sorted(descriptors.items())}
    problems = [f"{shown(path)}: {problem}." for path, problem in wrong.items() if problem]
    problems += [f"{shown(path)} can't be read as a descriptor." for path in _unread(listing, descriptors)]
    # By name: the same step twice, in two folders, is one step.
    steps = len({posixpath.basename(path) for path, problem in wrong.items() if not problem})
    if not descriptors:
        problems.append("The folder holds no descriptor.")
    elif steps_per_day is not None and steps < steps_per_day:
        problems.insert(0, f"{steps} of {steps_per_day} time steps are complete.")
    return Completeness(steps, tuple(problems))


def minute_of(day: OrdinalDay, name: str) -> int | None:
    """Give the minute of a day (UTC) that a descriptor is for, by its file's name; None of other files."""
    written = _NAME.fullmatch(name)
    if not written or (int(written["year"]), int(written["day"])) != (day.year, day.number):
        return None
    return int(written["hour"]) * 60 + int(written["minute"])


def _unread(listing: Listing, descriptors: Mapping[str, str]) -> list[str]:
    named = (entry.path for entry in listing.files if posixpath.basename(entry.path).startswith(DESCRIPTOR))
    return [path for path in named if path not in descriptors]


def _problem(day: OrdinalDay, listing: Listing, path: str, text: str) -> str | None:
    name = _NAME.fullmatch(posixpath.basename(path))
    if not name or (int(name["year"]), int(name["day"])) != (day.year, day.number):
        return f"its name is not one of day {day}"
    try:
        descriptor = grads.parse(text)
    except grads.DescriptorError as wrong:
        return str(wrong)
    return _data_problem(listing, path, descriptor)


def _data_problem(listing: Listing, path: str, descriptor: grads.Descriptor) -> str | None:
    if not descriptor.dset.startswith("^"):
        return f"its data file {shown(descriptor.dset)} is named outside the day's folder"
    data = posixpath.join(posixpath.dirname(path), descriptor.dset[1:])
    entry = listing.by_path.get(data)
    if entry is None or entry.kind != "file":
        return f"its data file {shown(data)} is missing"
    if entry.size != descriptor.data_bytes:
        return f"its data file {shown(data)} holds {entry.size:,} of {descriptor.data_bytes:,} bytes"
    return None
