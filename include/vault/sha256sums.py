"""Lists of files in the format of GNU ``sha256sum``: anybody can verify the vault without this software.

A list has a line for each file: its SHA-256, two spaces and its path. A list of sizes has the size, in bytes,
instead of the SHA-256.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from include.errors import BackupError, VaultError
from include.names import checked, path_order, shown
from include.vault.files import opened

_LINE = re.compile(r"(?P<mark>\\?)(?P<value>[0-9a-f]+)  (?P<path>.+)", re.DOTALL)
_SHA256, _SIZE = re.compile("[0-9a-f]{64}"), re.compile("[0-9]+")
_ESCAPED = re.compile(r"(?:[^\\]|\\[nr\\])+")
Value = TypeVar("Value")


def format_sums(files: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    r"""Format pairs of path and SHA-256 as lines that ``sha256sum --check`` reads.

    The line of a name with a backslash, a newline or a carriage return begins with a backslash, and the name
    is escaped (GNU coreutils manual, "md5sum invocation"); ``-`` alone would mean standard input.
    """
    return (_line(path, sha256) for path, sha256 in files)


def format_sizes(files: Iterable[tuple[str, int]]) -> Iterator[bytes]:
    """Format pairs of path and size in bytes, with the names as :func:`format_sums` writes them."""
    return (_line(path, str(size)) for path, size in files)


def parse_sums(lines: bytes) -> dict[str, str]:
    """Parse what :func:`format_sums` returned into a mapping of path to SHA-256.

    Raises:
        BackupError: a path leads out of the folder.
        ValueError: a line is malformed, cut off, or names a file for the second time.
    """
    pairs = [_parsed(line, _sha256) for line in io.BytesIO(lines)]
    if len(sums := dict(pairs)) != len(pairs):
        raise _malformed()
    return sums


def read_sums(path: Path) -> Iterator[tuple[str, str]]:
    """Read a list of SHA-256 line by line, as a day may have a million files; yield path and SHA-256.

    Raises:
        PermissionError: this user may not read it.
        VaultError: it can't be read, a line is malformed or cut off, or its paths aren't in ascending order.
    """
    return _read(path, _sha256)


def read_sizes(path: Path) -> Iterator[tuple[str, int]]:
    """Read a list of sizes as :func:`read_sums` does; yield path and size in bytes."""
    return _read(path, _size)


def _read(path: Path, value: Callable[[str], Value]) -> Iterator[tuple[str, Value]]:
    try:
        with opened(path) as lines:
            before = b""
            for line in lines:
                name, found = _parsed(line, value)
                if (order := path_order(name)) <= before:
                    raise _malformed()
                yield name, found
                before = order
    except PermissionError:
        raise
    except (BackupError, OSError, ValueError) as error:
        raise VaultError(f"{shown(path.name)} can't be read: {error}") from error


def _parsed(line: bytes, value: Callable[[str], Value]) -> tuple[str, Value]:
    match = _LINE.fullmatch(line[:-1].decode("utf-8", "surrogateescape"))
    if line[-1:] != b"\n" or not match:
        raise _malformed()
    return checked(_unescaped(match).removeprefix("./")), value(match["value"])


def _sha256(text: str) -> str:
    if not _SHA256.fullmatch(text):
        raise _malformed()
    return text


def _size(text: str) -> int:
    if not _SIZE.fullmatch(text):
        raise _malformed()
    return int(text)


def _malformed() -> ValueError:
    return ValueError("a line isn't as sha256sum writes it")


def _unescaped(line: re.Match[str]) -> str:
    path, chars = line["path"], {"n": "\n", "r": "\r", "\\": "\\"}
    if not line["mark"]:
        return path
    if not _ESCAPED.fullmatch(path):
        raise _malformed()
    return re.sub(r"\\(.)", lambda escape: chars[escape[1]], path)


def _line(path: str, value: str) -> bytes:
    name = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "" if name == path else "\\"
    return f"{mark}{value}  {'./-' if name == '-' else name}\n".encode("utf-8", "surrogateescape")
