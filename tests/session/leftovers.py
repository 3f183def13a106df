"""What a test run left on the machine: processes, mounts, loop devices. It should be nothing."""

from pathlib import Path
from typing import NamedTuple

from tests.site import processes


class Traces(NamedTuple):
    """Mounts and loop devices at one moment.

    Args:
        mounts: mount points.
        loops: loop devices, each with its backing file.
    """

    mounts: frozenset[str]
    loops: frozenset[str]

    @classmethod
    def now(cls) -> "Traces":
        """Return those of this machine that the current namespaces show."""
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        devices = Path("/sys/block").glob("loop*/loop/backing_file")
        return cls(
            frozenset(line.split()[4] for line in mountinfo),
            frozenset(f"{device.parts[3]} {_read(device)}" for device in devices),
        )


def left(before: Traces, folder: str, *, mine: int) -> list[str]:
    """Return a line for each process, mount and loop device that is new.

    Args:
        before: the earlier mounts and loop devices.
        folder: the folder of the tests' files; other mounts and loop devices don't count.
        mine: the ancestor of all processes of tests.
    """
    now = Traces.now()
    running = sorted(processes.family([mine]))
    return [
        *(f"process {pid}: {command_of(pid)}" for pid in running),
        *(f"mount: {mount}" for mount in sorted(now.mounts - before.mounts) if folder in mount),
        *(f"loop device: {loop}" for loop in sorted(now.loops - before.loops) if folder in loop),
    ]


def command_of(pid: int) -> str:
    """Return a process's command line."""
    return _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip()[:200]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
