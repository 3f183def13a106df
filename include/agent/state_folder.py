"""The agent's state folder on the host, and its locks.

    <state>/agent-<version>.pyz      the agent, and its modules as compiled (compiled.py)
    <state>/host.lock                locked briefly while it is decided which VM may be backed up
    <state>/references.lock          locked while a reference is kept, or its timer works
    <state>/references-timer.json    when that ran (backup/timer_runs.py)
    <state>/vms/<uuid>/lock          locked while the VM's backup is begun or ended
                       watchdog.lock locked by the watchdog's process
                       send.lock     locked, shared, while the disks are sent
                       watchdog.json the restart watchdog (backup/watchdog.py)
                       reference.json the clones that stay for the next backup (backup/references.py)
                       not-back.json the run in which the VM didn't come back, and what must be seen of it
                       journal.jsonl, request.json, result.json
                       files/        the definition, NVRAM and TPM state of the open backup
                       restore/      the state of a restore (restore/)
    <state>/x-<uuid>-.../            the work folder of a backup: sockets and scratch files. It is in the
                                     scratch folder instead if the request names one.
    <state>/r-<uuid>-.../            the work folder of a restore: sockets
    <disk's folder>/.inpe-backup-<uuid>-.../    clones of disks (backup/cloned_disks.py)

Locks are the kernel's (flock): they end with the process that has them, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from include.agent.durable_files import make_folder, write_json
from include.agent.errors import BusyError, NotPossibleError, UsageError
from include.agent.journal import Journal
from include.agent.virsh import is_uuid

_POLL_S = 0.05
LONGEST_FOLDER = 107 - len("/" + "n" * 12 + ".sock")  # a UNIX socket's path has at most 108 bytes (unix(7))
PASSABLE = 0o711  # QEMU's account must be able to reach its work folder


class StateFolder:
    """The agent's state folder.

    Args:
        root: its path.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.references_lock = self.root / "references.lock"
        self.references_timer = self.root / "references-timer.json"

    def make(self) -> None:
        """Make the folder if it doesn't exist."""
        for folder in (self.root, self.root / "vms"):
            make_folder(folder, PASSABLE)
            folder.chmod(PASSABLE)

    def of(self, uuid: str) -> VmFolder:
        """Return a VM's folder.

        Raises:
            UsageError: the text isn't a UUID.
        """
        if not is_uuid(uuid):
            raise UsageError(f"Name the VM by its UUID, as virsh domuuid prints it, not by {uuid!r}.")
        return VmFolder(self.root / "vms" / uuid, self.root)

    def folders(self) -> list[VmFolder]:
        """Return the folders of all VMs that the agent ever backed up or restored."""
        with suppress(FileNotFoundError):
            found = sorted(path for path in (self.root / "vms").iterdir() if is_uuid(path.name))
            return [VmFolder(path, self.root) for path in found]
        return []

    @contextmanager
    def lock_host(self) -> Iterator[None]:
        """Lock the host while it is decided whether a VM may be backed up or boot-tested now.

        Raises:
            BusyError: another call has had the lock for 10 s.
        """
        with locked(self.root / "host.lock", timeout_s=10.0) as is_mine:
            if not is_mine:
                raise BusyError("Another command is running on this host. Try again.")
            yield


class VmFolder:
    """The agent's folder of one VM."""

    def __init__(self, path: Path, state: Path) -> None:
        self.path = path
        self._state = state
        self.uuid = path.name
        self.journal = Journal(path / "journal.jsonl")
        self.lock = path / "lock"
        self.watchdog_lock = path / "watchdog.lock"
        self.send_lock = path / "send.lock"
        self.watchdog = path / "watchdog.json"
        self.not_back = path / "not-back.json"
        self.reference = path / "reference.json"
        self.request = path / "request.json"
        self.result = path / "result.json"
        self.files = path / "files"
        self.restore = path / "restore"
        self.restoring = Journal(self.restore / "journal.jsonl")

    def make(self) -> None:
        """Make the folder if it doesn't exist."""
        make_folder(self.path, PASSABLE)
        self.path.chmod(PASSABLE)

    def record_not_back(self) -> None:
        """Record that the VM didn't come back: the run stops no other VM of the host before it does."""
        began = self.journal.entry("begin")
        run = began.get("run") or read_json(self.watchdog).get("run")
        vm, checks = began.get("vm", self.uuid), began.get("health_check")
        write_json(self.not_back, {"run": run, "vm": vm, "health_check": checks})

    def new_work_folder(self, scratch: str | None) -> Path:
        """Return an unused, unguessable path for a backup's work folder; the folder isn't made.

        Args:
            scratch: the folder to put it in; None: the state folder.

        Raises:
            NotPossibleError: the paths of its sockets would be too long.
        """
        folder = Path(scratch or self._state) / f"{self._prefix}{secrets.token_hex(4)}"
        if len(str(folder)) > LONGEST_FOLDER:
            raise NotPossibleError(
                f"The path {folder.parent} is too long for sockets. Nothing was stopped. "
                "Name a state or scratch folder with a shorter path."
            )
        return folder

    @staticmethod
    def make_work_folder(folder: Path) -> None:
        """Make a work folder that only the agent's user may enter; a running VM's is given to QEMU later."""
        folder.mkdir(mode=0o700)

    def remove_work_folder(self, folder: str) -> bool:
        """Remove a work folder of this VM, and no other folder; return whether it is gone."""
        return _remove(Path(folder), self._prefix)

    def work_folders(self) -> list[str]:
        """Return the VM's work folders: those in its journal, and others left in the state folder."""
        journaled = {entry["work_folder"] for entry in self.journal.entries() if "work_folder" in entry}
        return sorted(journaled | {str(path) for path in self._state.glob(f"{self._prefix}*")})

    def new_clone_folder(self, beside: Path) -> Path:
        """Return an unused path for clones of the disks in a folder; it isn't made."""
        return beside / f"{self._clone_prefix}{secrets.token_hex(4)}"

    def clone_folders(self) -> list[str]:
        """Return the folders for clones that its journal names."""
        named = [entry.get("clone_folders", []) for entry in self.journal.entries()]
        return sorted({folder for folders in named for folder in folders})

    def left_clone_folders(self, beside: Path) -> list[Path]:
        """Return the folders for clones of this VM's disks that are in a folder, whoever made them."""
        return sorted(path for path in beside.glob(f"{self._clone_prefix}*") if path.is_dir())

    def remove_clone_folder(self, folder: str) -> bool:
        """Remove a folder for clones of this VM, and no other folder; return whether it is gone."""
        return _remove(Path(folder), self._clone_prefix)

    def make_restore_folder(self) -> Path:
        """Make and return a restore's work folder; the caller has the restore's lock.

        Raises:
            NotPossibleError: the paths of its sockets would be too long.
        """
        folder = self._state / f"r{self._prefix[1:]}{secrets.token_hex(4)}"
        if len(str(folder)) > LONGEST_FOLDER:
            raise NotPossibleError(f"The path {self._state} is too long for sockets. Nothing was written.")
        self.make_work_folder(folder)
        return folder

    def restore_folders(self) -> list[Path]:
        """Return the work folders of restores; while none is running, those that dead ones left."""
        return sorted(self._state.glob(f"r{self._prefix[1:]}*"))

    @property
    def _prefix(self) -> str:
        return f"x-{self.uuid.replace('-', '')}-"

    @property
    def _clone_prefix(self) -> str:
        return f".inpe-backup-{self.uuid}-"

    def is_busy(self) -> bool:
        """Return whether the VM's backup is just being begun or ended, or the VM restarted."""
        return is_locked(self.lock)

    def is_sending(self) -> bool:
        """Return whether its disks are being sent; senders share the lock."""
        return is_locked(self.send_lock, shared=True)

    def is_watched(self) -> bool:
        """Return whether its watchdog's process is running."""
        return is_locked(self.watchdog_lock)


def _remove(path: Path, prefix: str) -> bool:
    if path.name.startswith(prefix) and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


@contextmanager
def locked(path: Path, *, timeout_s: float, shared: bool = False) -> Iterator[bool]:
    """Lock a file for the time of a block; yield whether that succeeded within the timeout."""
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline = time.monotonic() + timeout_s
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(_POLL_S)
            else:
                yield True
                return


def is_locked(path: Path, *, shared: bool = False) -> bool:
    """Return whether a process has locked a file; with ``shared``, shared locks count too."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, (fcntl.LOCK_EX if shared else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one if the file is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
