"""GrADS descriptor files: which data files there must be, and the exact size of each.

Source: the GrADS documentation, "Elements of a GrADS Data Descriptor File". Read here is the whole format of
flat binary data; a form whose size can't be known from the descriptor is refused by its name: ``dtype``
(NetCDF, HDF, GRIB, BUFR, stations), several ensemble members, and the layouts ``-1,10`` to ``-1,30``.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass

from include.days.grads_times import Times, TimesError, file_names
from include.errors import BackupError

FLOAT_BYTES = 4
_RECORD_BYTES = 8  # what Fortran writes around each record of a sequential file
_MOST_TEMPLATE_TIMES = 10_000
_UNIT = re.compile(r"\[([\w/^ .*-]{1,16})\]\s*$", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_HEADERS = ("fileheader", "trailerbytes", "theader", "headerbytes", "xyheader", "xytrailer")
_ORDERS = {"pascals", "yrev", "zrev", "byteswapped", "big_endian", "little_endian", "cray_32bit_ieee"}
_OPTIONS = _ORDERS | {"template", "sequential", "365_day_calendar"}
_INTEGERS = re.compile(r"-1,40,([124])(,-1)?", re.ASCII)


class DescriptorError(BackupError):
    """The text isn't a descriptor, or has a form that isn't checked."""


@dataclass(frozen=True)
class Variable:
    """A variable.

    Args:
        name: its name.
        levels: the number of its grids at each time; 1 for a surface variable.
        value_bytes: the size of a value.
    """

    name: str
    levels: int
    value_bytes: int = FLOAT_BYTES


@dataclass(frozen=True)
class Layout:
    """What a data file holds beside the values, in bytes.

    Args:
        per_file: in each file.
        per_time: at each time.
        per_grid: around each grid.
    """

    per_file: int = 0
    per_time: int = 0
    per_grid: int = 0


@dataclass(frozen=True)
class Descriptor:
    """A parsed descriptor.

    Args:
        dset: the path of the data file as written, including ``^``; a template if ``options`` has one.
        shape: the number of longitudes, latitudes and heights.
        points: the points of each grid in the file, which a projection (``pdef``) changes.
        variables: the variables, in the order of their blocks.
        times: the times.
        layout: what the file holds beside the values.
        options: the words of its ``options`` lines, in lower case.
        substitutes: the strings for ``%ch``: first and last time (from 1), and the string.
    """

    dset: str
    shape: tuple[int, int, int]
    points: int
    variables: tuple[Variable, ...]
    times: Times
    layout: Layout = Layout()
    options: frozenset[str] = frozenset()
    substitutes: tuple[tuple[int, int, str], ...] = ()

    @property
    def files(self) -> dict[str, int]:
        """The exact size in bytes of each data file, by its path as written.

        Raises:
            DescriptorError: the template, or the times that it needs, have a form that isn't checked.
        """
        if "template" not in self.options:
            return {self.dset: self._bytes(self.times.count)}
        if self.times.count > _MOST_TEMPLATE_TIMES or "365_day_calendar" in self.options:
            raise DescriptorError("its template has times that aren't checked")
        try:
            names = Counter(file_names(self.dset, self.times, self.substitutes))
        except TimesError as wrong:
            raise DescriptorError(str(wrong)) from wrong
        return {name: self._bytes(times) for name, times in names.items()}

    def offset(self, variable: str) -> int:
        """Return where the first value of a variable is in a file of plain values, in bytes."""
        names = [each.name for each in self.variables]
        return sum(self._grids_bytes(each) for each in self.variables[: names.index(variable)])

    def _bytes(self, times: int) -> int:
        grids = sum(self._grids_bytes(variable) for variable in self.variables)
        return self.layout.per_file + times * (self.layout.per_time + grids)

    def _grids_bytes(self, variable: Variable) -> int:
        return variable.levels * (self.points * variable.value_bytes + self.layout.per_grid)

    @property
    def is_plain(self) -> bool:
        """Whether one file has all values, as little-endian floats and nothing else, at one grid a level."""
        nx, ny, _ = self.shape
        floats = all(variable.value_bytes == FLOAT_BYTES for variable in self.variables)
        return (
            floats
            and self.options <= {"little_endian"}
            and self.layout == Layout()
            and self.points == nx * ny
        )


def parse(text: str) -> Descriptor:
    """Parse a descriptor; keywords may be in any case, and comments (``*``) and metadata (``@``) are skipped.

    Raises:
        DescriptorError: a part is missing, wrong, or of a form that isn't checked; the message says which.
    """
    lines = _lines(text)
    dset = _keyword(lines, "dset")
    _require_flat(lines)
    shape = _count(lines, "xdef"), _count(lines, "ydef"), _count(lines, "zdef")
    options = _options(lines)
    return Descriptor(
        dset=dset,
        shape=shape,
        points=_points(lines, shape),
        variables=tuple(_variable(words, shape[2]) for words in _variables(lines)),
        times=_times(lines),
        layout=_layout(lines, sequential="sequential" in options),
        options=options,
        substitutes=tuple(_substitutes(lines)),
    )


def axis(text: str, keyword: str) -> tuple[float, ...]:
    """Return the points of an axis: degrees of ``xdef`` and ``ydef``, metres of ``zdef``.

    Raises:
        DescriptorError: the axis is neither ``levels`` nor ``linear``, or has too few numbers.
    """
    lines = _lines(text)
    count = _count(lines, keyword)
    start = next(i for i, line in enumerate(lines) if line.split()[0].lower() == keyword)
    _, _, form, *written = " ".join(lines[start:]).split()
    expected = {"linear": 2, "levels": count}.get(form.lower(), 0)
    try:
        numbers = [float(number) for number in written[:expected]]
    except ValueError:
        numbers = []
    if not numbers or len(numbers) != expected or not all(map(math.isfinite, numbers)):
        raise DescriptorError(f"its {keyword} line gives no points")
    first, second = (*numbers, 0.0)[:2]
    return tuple(numbers if form.lower() == "levels" else (first + i * second for i in range(count)))


def undefined(text: str) -> float | None:
    """Return the number that marks a missing value; None if the descriptor names none."""
    try:
        return float(_keyword(_lines(text), "undef").split()[0])
    except (DescriptorError, ValueError):
        return None


def unit(text: str, variable: str) -> str | None:
    """Return the unit of a variable whose description ends with one in brackets (``[TECU]``), else None."""
    described = [line for line in _lines(text) if line.split()[0] == variable]
    found = _UNIT.search(described[-1]) if described else None
    return found[1] if found else None


def _lines(text: str) -> list[str]:
    lines = text.removeprefix("\ufeff").split("\n")
    return [line.strip() for line in lines if line.strip() and not line.startswith(("*", "@"))]


def _keyword(lines: list[str], keyword: str) -> str:
    for line in lines:
        word, *rest = line.split(maxsplit=1)
        if word.lower() == keyword and rest:
            return rest[0].strip()
    raise DescriptorError(f"it has no {keyword} line")


def _all(lines: list[str], keyword: str) -> list[list[str]]:
    """Return the words after a keyword, of each of its lines outside the list of variables."""
    words = [line.split() for line in lines]
    return [rest for word, *rest in words if word.lower() == keyword]


def _count(lines: list[str], keyword: str) -> int:
    number = _keyword(lines, keyword).split()[0]
    if not _NUMBER.fullmatch(number):
        raise DescriptorError(f"its {keyword} line gives no number of points")
    return int(number)


def _require_flat(lines: list[str]) -> None:
    for words in _all(lines, "dtype"):
        raise DescriptorError(f"its dtype {' '.join(words)[:20]!r} is a format that isn't checked")
    if any(words[:1] != ["1"] for words in _all(lines, "edef")):
        raise DescriptorError("its edef line has several ensemble members, which aren't checked")


def _options(lines: list[str]) -> frozenset[str]:
    options = {word.lower() for words in _all(lines, "options") for word in words}
    if unknown := sorted(options - _OPTIONS):
        raise DescriptorError(f"its option {unknown[0][:20]!r} isn't checked")
    return frozenset(options)


def _points(lines: list[str], shape: tuple[int, int, int]) -> int:
    for words in _all(lines, "pdef"):
        if len(words) < 2 or not all(map(_NUMBER.fullmatch, words[:2])):  # noqa: PLR2004 - width and height
            raise DescriptorError("its pdef line gives no number of points")
        return int(words[0]) * int(words[1])
    return shape[0] * shape[1]


def _layout(lines: list[str], *, sequential: bool) -> Layout:
    size = {keyword: _header_bytes(lines, keyword) for keyword in _HEADERS}
    return Layout(
        per_file=size["fileheader"] + size["trailerbytes"],
        per_time=size["theader"] + size["headerbytes"],
        per_grid=size["xyheader"] + size["xytrailer"] + (_RECORD_BYTES if sequential else 0),
    )


def _header_bytes(lines: list[str], keyword: str) -> int:
    for words in _all(lines, keyword):
        if not re.fullmatch(r"[0-9]{1,9}", " ".join(words[:1]), re.ASCII):
            raise DescriptorError(f"its {keyword} line gives no number of bytes")
        return int(words[0])
    return 0


def _times(lines: list[str]) -> Times:
    count = _count(lines, "tdef")
    try:
        return Times.parse(count, _keyword(lines, "tdef").split()[1:])
    except TimesError as wrong:
        raise DescriptorError(str(wrong)) from wrong


def _substitutes(lines: list[str]) -> list[tuple[int, int, str]]:
    found = []
    for words in _all(lines, "chsub"):
        if len(words) != 3 or not all(map(_NUMBER.fullmatch, words[:2])):  # noqa: PLR2004 - from, to, string
            raise DescriptorError("its chsub line isn't two numbers and a string")
        found.append((int(words[0]), int(words[1]), words[2]))
    return found


def _variables(lines: list[str]) -> list[list[str]]:
    expected = _count(lines, "vars")
    keywords = [line.split()[0].lower() for line in lines]
    if "endvars" not in keywords:
        raise DescriptorError("it ends before its endvars line")
    between = lines[keywords.index("vars") + 1 : keywords.index("endvars")]
    if len(between) != expected:
        raise DescriptorError(f"it announces {expected} variables and lists {len(between)}")
    return [line.split() for line in between]


def _variable(words: list[str], heights: int) -> Variable:
    name, levels, units = (*words, "", "")[:3]
    written = levels.partition(",")[0]
    if not re.fullmatch("[0-9]{1,6}", written, re.ASCII) or int(written) > heights:
        raise DescriptorError(f"its variable {name[:20]!r} has no number of levels up to {heights}")
    integers = _INTEGERS.fullmatch(units)
    if units.startswith("-1,") and not integers:
        raise DescriptorError(
            f"its variable {name[:20]!r} has the layout {units[:20]!r}, which isn't checked"
        )
    return Variable(name, int(written) or 1, int(integers[1]) if integers else FLOAT_BYTES)
