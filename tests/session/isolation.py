"""A test run isolated from this machine: its processes end with it, and its ports are its own.

For root it has PID, mount and network namespaces (unshare(1)): when their first process ends, even by kill
-9, the kernel ends all others and their mounts. Without namespaces, the run's first process adopts orphans of
its children (PR_SET_CHILD_SUBREAPER of prctl(2)) and ends them.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

INSIDE = "INPE_TEST_INSIDE"
_PREFIX = "inpe-test-"
_NAMESPACES = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"]
# The namespaces end with this process, even if it's killed.
_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]
_SET_CHILD_SUBREAPER = 36


def has_namespaces() -> bool:
    """Return whether this run can have namespaces, and isn't in its own yet."""
    return (
        not os.environ.get(INSIDE)
        and os.geteuid() == 0
        and not subprocess.run(
            [*_NAMESPACES, "ip", "link", "set", "lo", "up"], capture_output=True, check=False
        ).returncode
    )


def run_in_namespaces(arguments: list[str]) -> int:
    """Run this program with its arguments in namespaces; return its exit status."""
    module = [sys.executable, "-m", "tests.session", *arguments]
    running = subprocess.Popen([*_WITH_US, *_NAMESPACES, *module], env={**os.environ, INSIDE: "1"})

    def pass_on(number: int, _frame: FrameType | None) -> None:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text(encoding="ascii")
        for child in children.split():  # unshare itself ignores signals
            os.kill(int(child), number)

    signal.signal(signal.SIGTERM, pass_on)
    while True:
        with suppress(KeyboardInterrupt):  # the terminal has interrupted the run, too
            return running.wait()


def set_up() -> None:
    """Adopt orphans of children; start the loopback network, which is down in a new namespace."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder for all files of tests, removed afterwards; also remove those of killed runs.

    Args:
        parent: its parent folder; the usual one for temporary files if not given.
    """
    parent = parent or Path(tempfile.gettempdir())
    with _lock(parent, wait=True):  # a folder that was just made isn't locked yet
        for old in parent.glob(f"{_PREFIX}*"):
            with suppress(OSError), _lock(old):
                _remove(old)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        folder.chmod(0o711)  # hosts whose QEMU has an account of its own have their disks in it
        made = ExitStack()
        made.enter_context(_lock(folder))
    with made:
        try:
            yield folder
        finally:
            _remove(folder)


@contextmanager
def _lock(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Lock a folder; the kernel releases it when this process ends, however it ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        point = line.split()[4].replace("\\040", " ")
        if point.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", point], check=False)
    for device in Path("/sys/block").glob("loop*/loop/backing_file"):  # the kernel keeps those of killed runs
        with suppress(OSError):  # it was just detached
            if device.read_text(encoding="utf-8").startswith(f"{folder}/"):
                subprocess.run(["losetup", "--detach", f"/dev/{device.parts[3]}"], check=False)
    # Published backups are read-only; only root can remove them without changing modes.
    for path, names, _ in os.walk(folder):
        for name in names:
            if not (child := Path(path, name)).is_symlink():
                child.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
