"""The protection of a generation from removal, which a person sets and lifts.

    <vault>/vm/<vm>/2026-11-22T05-00-03Z.protected    by whom, when and why, as JSON

The file protects, whatever is in it: one that is torn, or that somebody made with `touch`, protects as well.
It is beside the generation, whose folder never changes.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import AwareDatetime, BeforeValidator, StringConstraints

from include.agent.durable_files import fsync, write_json
from include.errors import BackupError
from include.models import Model
from include.text import visible

PROTECTED = ".protected"
"""The suffix of the file."""

_LONGEST_WHY = 300
_MOST_BYTES = 1 << 16  # of a file, whoever wrote it


def _line(value: object) -> object:
    return visible(value.strip()) if isinstance(value, str) else value


_Who = Annotated[str, BeforeValidator(_line), StringConstraints(min_length=1, max_length=100)]
_Why = Annotated[str, BeforeValidator(_line), StringConstraints(min_length=1, max_length=_LONGEST_WHY)]


class Protection(Model):
    """The protection of a generation.

    Args:
        who: who set it: an Airflow user, or the account at a terminal.
        when: since when; None: its file doesn't say.
        why: why, as one line.
    """

    who: _Who
    when: AwareDatetime | None
    why: _Why

    @classmethod
    def now(cls, who: str, why: str) -> Self:
        """Return a new protection.

        Raises:
            BackupError: ``who`` or ``why`` is empty or too long.
        """
        try:
            return cls(who=who, when=datetime.now(UTC).replace(microsecond=0), why=why)
        except ValueError as unfit:
            raise BackupError(
                f"A protection needs a reason of 1 to {_LONGEST_WHY} characters, and who sets it."
            ) from unfit

    @property
    def reason(self) -> str:
        """By whom it is protected and why, as a phrase."""
        return f"protected by {self.who}: {self.why.rstrip('.')}"


@dataclass(frozen=True)
class ProtectionFile:
    """The file that protects a generation.

    Args:
        path: the file; it need not exist.
    """

    path: Path

    def read(self) -> Protection | None:
        """Return the protection; None if there is no such file.

        A disk that can't tell, as it has errors, protects as well.
        """
        try:
            return Protection.model_validate_json(self._content())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            why = f"{self.path.name} is there, but can't be read as a protection"
            return Protection(who="somebody", when=None, why=why)

    def write(self, protection: Protection) -> None:
        """Protect the generation; it is on the disk when this returns.

        Raises:
            OSError: the file can't be written.
        """
        write_json(self.path, protection.model_dump(mode="json"))

    def remove(self) -> None:
        """Lift the protection.

        Raises:
            OSError: the file can't be removed.
        """
        self.path.unlink(missing_ok=True)
        fsync(self.path.parent)

    def _content(self) -> bytes:
        # A pipe or a device under that name must not keep us waiting.
        opened = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            return os.read(opened, _MOST_BYTES)
        finally:
            os.close(opened)
