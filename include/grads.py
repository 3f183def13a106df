"""GrADS descriptor files: what a control file says of its data file.

Source: the GrADS documentation, "Elements of a GrADS Data Descriptor File".
"""

import math
import re
from dataclasses import dataclass

from include.errors import BackupError

FLOAT_BYTES = 4
_UNIT = re.compile(r"\[([\w/^ .*-]{1,16})\]\s*$", re.ASCII)
# Keywords by which the data file is laid out otherwise than SUPIM does it.
_OTHER_LAYOUTS = ("options", "dtype", "pdef", "fileheader", "theader", "xyheader", "chsub")


class DescriptorError(BackupError):
    """A text that is no descriptor."""


@dataclass(frozen=True)
class Descriptor:
    """What a descriptor says.

    Args:
        dset: the data file as written, ``^`` included.
        shape: number of longitudes, latitudes and heights.
        variables: their names, in the order of their blocks.
    """

    dset: str
    shape: tuple[int, int, int]
    variables: tuple[str, ...]

    @property
    def data_bytes(self) -> int:
        """The data file's exact size: SUPIM writes every variable on every height, as 32-bit floats."""
        nx, ny, nz = self.shape
        return len(self.variables) * nx * ny * nz * FLOAT_BYTES


def parse(text: str) -> Descriptor:
    """Read a descriptor; keywords in any case, comments (``*``) skipped.

    Raises:
        DescriptorError: says which part is missing or wrong.
    """
    lines = _lines(text)
    return Descriptor(
        dset=_keyword(lines, "dset"),
        shape=(_count(lines, "xdef"), _count(lines, "ydef"), _count(lines, "zdef")),
        variables=_variables(lines),
    )


def axis(text: str, keyword: str) -> tuple[float, ...]:
    """Give the points of an axis: degrees of ``xdef`` and ``ydef``, metres of ``zdef``.

    Raises:
        DescriptorError: it isn't written as ``levels`` or ``linear``, or not with as many numbers as it says.
    """
    lines = _lines(text)
    count = _count(lines, keyword)
    at = next(i for i, line in enumerate(lines) if line.lower().startswith(keyword))
    _, _, form, *written = " ".join(lines[at:]).split()
    wanted = {"linear": 2, "levels": count}.get(form.lower(), 0)
    try:
        numbers = [float(number) for number in written[:wanted]]
    except ValueError:
        numbers = []
    if not numbers or len(numbers) != wanted or not all(map(math.isfinite, numbers)):
        raise DescriptorError(f"its {keyword} line gives no points")
    first, second = (*numbers, 0.0)[:2]
    return tuple(numbers if form.lower() == "levels" else (first + i * second for i in range(count)))


def undefined(text: str) -> float | None:
    """Give the number that stands where there is no value, None without one."""
    try:
        return float(_keyword(_lines(text), "undef").split()[0])
    except (DescriptorError, ValueError):
        return None


def unit(text: str, variable: str) -> str | None:
    """Give a variable's unit, where its description ends with one in brackets: ``[TECU]``."""
    described = [line for line in _lines(text) if line.split()[0] == variable]
    found = _UNIT.search(described[-1]) if described else None
    return found[1] if found else None


def require_plain(text: str) -> None:
    """Insist on the layout that SUPIM writes.

    Raises:
        DescriptorError: it names options, a header or a type that lays the numbers out otherwise.
    """
    for line in _lines(text):
        word, _, rest = line.lower().partition(" ")
        if word == "vars":
            return
        if word in _OTHER_LAYOUTS and rest.split() != ["little_endian"]:
            raise DescriptorError(f"it has the line {line!r}, by which its numbers may be laid out otherwise")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("*")]


def _keyword(lines: list[str], keyword: str) -> str:
    for line in lines:
        word, _, rest = line.partition(" ")
        if word.lower() == keyword and rest.strip():
            return rest.strip()
    raise DescriptorError(f"it has no {keyword} line")


def _count(lines: list[str], keyword: str) -> int:
    number = _keyword(lines, keyword).split()[0]
    if not re.fullmatch(r"[1-9][0-9]{0,5}", number):
        raise DescriptorError(f"its {keyword} line gives no number of points")
    return int(number)


def _variables(lines: list[str]) -> tuple[str, ...]:
    expected = _count(lines, "vars")
    keywords = [line.split()[0].lower() for line in lines]
    if "endvars" not in keywords:
        raise DescriptorError("it ends before its endvars line")
    between = lines[keywords.index("vars") + 1 : keywords.index("endvars")]
    if len(between) != expected:
        raise DescriptorError(f"it announces {expected} variables and lists {len(between)}")
    return tuple(line.split()[0] for line in between)
