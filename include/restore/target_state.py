"""The state of a restore's target, before anything is written."""

from dataclasses import dataclass
from typing import Any, Self

from include.shapes import ShapeError, brief, field_of


@dataclass(frozen=True)
class TargetState:
    """The state of the target, as :meth:`TargetFolder.do_survey` in ``target_program.py`` answers it.

    Args:
        day: the day's folder there, absolute and without links.
        found: the names under which the day's folder exists there; with more than one, a person must choose.
        is_folder: whether that is a folder, or doesn't exist.
        above: whether the folder exists in which the root is.
        vault: the vault in which the day would be; empty if there is none.
        left: whether an earlier restore has left a staging folder there.
        left_bytes: the space that it uses.
        free_bytes: the free space there.
        free_files: how many more files can be there.
        device: the number of the file system.
    """

    day: str
    found: tuple[str, ...]
    is_folder: bool
    above: bool
    vault: str
    left: bool
    left_bytes: int
    free_bytes: int
    free_files: int
    device: int

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Self:
        """Read the answer.

        Raises:
            ShapeError: it has another form.
        """
        found = field_of(answer, "found", list)
        if not all(type(name) is str for name in found):
            raise ShapeError(f"'found' is {brief(found)}")
        return cls(
            day=field_of(answer, "day", str),
            found=tuple(found),
            is_folder=field_of(answer, "is_folder", bool),
            above=field_of(answer, "above", bool),
            vault=field_of(answer, "vault", str),
            left=field_of(answer, "left", bool),
            left_bytes=field_of(answer, "left_bytes", int),
            free_bytes=field_of(answer, "free_bytes", int),
            free_files=field_of(answer, "free_files", int),
            device=field_of(answer, "device", int),
        )
