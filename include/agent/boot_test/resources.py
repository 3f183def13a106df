"""What a boot test takes of its host: memory and space, checked before; space is bounded and watched, too.

A full file system would pause the host's other guests. So the guest may write only so much to each of its
disks: QEMU gets a limit from the kernel (RLIMIT_FSIZE, getrlimit(2)) and is killed at it, however fast the
guest writes. The boot test is ended before, if there is time for that.
"""

from __future__ import annotations

import re
import resource
from contextlib import suppress
from pathlib import Path

from include.agent.backup.scratch import usable_bytes
from include.agent.boot_test.definition import BootSubstitutes
from include.agent.errors import NotPossibleError

MIN_FREE_BYTES = 256 << 20  # for what a guest writes to a disk while it boots
_WATCHED_PART = 16  # a boot test is ended when this fraction (1/n) of its limit is left


def scratch_folder(path: str) -> Path:
    """Return the folder for what the VM writes.

    Raises:
        NotPossibleError: it doesn't exist.
    """
    if not Path(path).is_dir():
        raise NotPossibleError(
            f"This host has no folder {path}. Create it, or name another scratch folder in the site file."
        )
    return Path(path)


def require_memory(need: int) -> None:
    """Check that the host has memory for the VM.

    Raises:
        NotPossibleError: it hasn't.
    """
    if (free := _free_memory_bytes()) is not None and free < need:
        raise NotPossibleError(
            f"Not enough memory on this host: the VM boots with {need / 1e9:.2f} GB, and "
            f"{free / 1e9:.2f} GB are free. Nothing was booted. Lower boot_test.memory_max in the site file, "
            "or boot it when less is running here."
        )


def _free_memory_bytes() -> int | None:
    """Return the memory available without swapping (proc(5), MemAvailable); None if the kernel lacks it."""
    with suppress(OSError):
        found = re.search(
            r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text("ascii"), re.MULTILINE
        )
        return int(found[1]) * 1024 if found else None
    return None


def require_free(folder: Path, need: int) -> None:
    """Check that a boot test's work folder has space for something before it is written.

    Raises:
        NotPossibleError: it hasn't.
    """
    if (usable := usable_bytes(str(folder))) < need:
        raise NotPossibleError(
            f"Not enough space in {folder.parent}: a boot test needs {need / 1e9:.2f} GB, and "
            f"{usable / 1e9:.2f} GB are free. Nothing was booted. Free some space there, or name another "
            "scratch folder in the site file."
        )


class BootSpace:
    """The space of one boot test.

    Args:
        substitutes: the boot test's overlays and console, which grow in its work folder.
        most_bytes: the most that the guest may write to its disks.

    Raises:
        NotPossibleError: too little space is free.
    """

    def __init__(self, substitutes: BootSubstitutes, most_bytes: int) -> None:
        self._folder = substitutes.folder
        self._files = [*substitutes.disks.values(), substitutes.console]
        disks = len(substitutes.disks)
        require_free(self._folder, MIN_FREE_BYTES * disks)
        self.file_bytes = min(most_bytes, usable_bytes(str(self._folder))) // disks

    def bound(self, domain: str) -> None:
        """Keep a domain's QEMU from writing any file beyond the limit. Only root may do that."""
        for pid in _qemus(domain):
            with suppress(PermissionError, ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))  # the kill must leave no core dump
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (self.file_bytes, self.file_bytes))

    def require(self) -> None:
        """Check that the boot test may go on.

        Raises:
            NotPossibleError: the space is nearly used up.
        """
        if not usable_bytes(str(self._folder)):
            raise NotPossibleError(
                f"The boot test was ended, because the file system of {self._folder.parent} is nearly full. "
                "Free some space there, or name another scratch folder in the site file."
            )
        for file in self._files:
            if _size(file) > self.file_bytes - self.file_bytes // _WATCHED_PART:
                raise NotPossibleError(
                    f"The boot test was ended, because the guest wrote too much: {file.name} has "
                    f"{_size(file) / 1e9:.2f} GB, of at most {self.file_bytes / 1e9:.2f} GB. Raise "
                    f"boot_test.scratch_max in the site file, or free some space in {self._folder.parent}."
                )


def _size(file: Path) -> int:
    with suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


def _qemus(domain: str) -> list[int]:
    """Return the PIDs of a domain's QEMU."""
    found, mark = [], f"guest={domain},".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if any(argument.startswith(mark) for argument in arguments):
                found.append(int(process.name))
    return found
