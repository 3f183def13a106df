"""Checksum lists in the format of GNU ``sha256sum``: anybody can verify the vault without this software."""

import re
from collections.abc import Iterable, Iterator

from include.names import checked

_LINE = re.compile(r"(?P<mark>\\?)(?P<sha256>[0-9a-f]{64})  (?P<path>.+)", re.DOTALL)


def format_sums(files: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    r"""Format pairs of path and SHA-256 as lines that ``sha256sum --check`` reads.

    The line of a name with a backslash, a newline or a carriage return begins with a backslash, and the name
    is escaped (GNU coreutils manual, "md5sum invocation"); ``-`` alone would mean standard input.
    """
    return (_line(path, sha256) for path, sha256 in files)


def parse_sums(lines: bytes) -> dict[str, str]:
    """Parse what :func:`format_sums` returned into a mapping of path to SHA-256.

    Raises:
        BackupError: a path leads out of the folder.
        ValueError: a line is malformed, cut off, or names a file for the second time.
    """
    *complete, rest = lines.decode("utf-8", "surrogateescape").split("\n")
    matches = [match for line in complete if (match := _LINE.fullmatch(line))]
    sums = {checked(_unescaped(match).removeprefix("./")): match["sha256"] for match in matches}
    if rest or len(sums) != len(complete):
        raise ValueError("a line isn't as sha256sum writes it")
    return sums


def _unescaped(line: re.Match[str]) -> str:
    chars = {"n": "\n", "r": "\r", "\\": "\\"}
    return re.sub(r"\\(.)", lambda escape: chars[escape[1]], line["path"]) if line["mark"] else line["path"]


def _line(path: str, sha256: str) -> bytes:
    name = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "" if name == path else "\\"
    return f"{mark}{sha256}  {'./-' if name == '-' else name}\n".encode("utf-8", "surrogateescape")
