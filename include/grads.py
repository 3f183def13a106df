"""GrADS descriptor files: what a control file says of its data file.

Source: the GrADS documentation, "Elements of a GrADS Data Descriptor File".
"""

import re
from dataclasses import dataclass

from include.errors import BackupError

FLOAT_BYTES = 4


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
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("*")]
    return Descriptor(
        dset=_keyword(lines, "dset"),
        shape=(_count(lines, "xdef"), _count(lines, "ydef"), _count(lines, "zdef")),
        variables=_variables(lines),
    )


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
