"""What can be wrong with the files of a backup, counted; a few of them are named."""

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from include.names import named
from include.text import counted

_NAMED = 3


class Fault(StrEnum):
    """What can be wrong with a file; the value completes the sentence "1 file is ..."."""

    DIFFERS = "not as published"
    SHORTER = "shorter than published"
    LONGER = "longer than published"
    REPLACED = "replaced by a link, folder or special file"
    UNREADABLE = "unreadable (disk error)"
    MISSING = "missing"
    UNEXPECTED = "unexpected"


@dataclass
class FirstPaths:
    """Some paths, of which only the first few are kept: a day may have a million files."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, path: str) -> None:
        """Count a path, and keep it if it is among the first."""
        self.count += 1
        insort(self.first, path)
        del self.first[_NAMED:]

    @property
    def named(self) -> str:
        """The first paths, quoted, and how many more there are."""
        more = self.count - len(self.first)
        return named(self.first) + (f" and {more:,} more" if more else "")


class Faults:
    """The faults of a backup's files.

    Args:
        found: the first of them, by path.
    """

    def __init__(self, found: Mapping[str, Fault] | None = None) -> None:
        self._of_kind: dict[Fault, FirstPaths] = {}
        for path, fault in (found or {}).items():
            self.add(path, fault)

    def add(self, path: str, fault: Fault) -> None:
        """Add the fault of one file."""
        self._of_kind.setdefault(fault, FirstPaths()).add(path)

    @property
    def sentences(self) -> list[str]:
        """A sentence for each kind of fault, such as ``2 files are missing: 'a', 'b'.``."""
        return [_sentence(kind, self._of_kind[kind]) for kind in Fault if kind in self._of_kind]


def size_fault(size: int, published: int) -> Fault | None:
    """Return what is wrong with the size of a file; None if it is the published one."""
    if size == published:
        return None
    return Fault.SHORTER if size < published else Fault.LONGER


def writable_warnings(paths: FirstPaths) -> Iterable[str]:
    """Return a warning about published files that aren't read-only; none if all are."""
    return (f"{paths.named} should be read-only. Run chmod a-w.",) if paths.count else ()


def _sentence(kind: Fault, paths: FirstPaths) -> str:
    return f"{counted(paths.count, 'file')} {'is' if paths.count == 1 else 'are'} {kind}: {paths.named}."
