"""The agent's own folder on the host, and its locks.

    <state>/host.lock                    whose turn it is; held for moments
    <state>/not-back.json                the run in which a machine didn't come back
    <state>/machines/<uuid>/lock         held by whoever works at the machine
                            lease.lock   held by the watcher
                            serving.lock held while its disks are read
                            lease.json   the promise (lease.py)
                            journal.jsonl, request.json, result.json, kept/
                            restore/     lock, journal.jsonl, proven.json, done.json of a restore
    <state>/x-<uuid>-…/                  sockets and scratch of a freeze; or in the scratch folder
    <state>/r-<uuid>-…/                  sockets of a restore

Locks are the kernel's (flock): they end with their holder, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import BusyError, NotPossibleError, UsageError
from .journal import Journal
from .virsh import is_uuid

_POLL_S = 0.05
LONGEST_ROOM = 107 - len("/" + "n" * 12 + ".sock")  # of a UNIX socket's 108 bytes (unix(7))
PASSABLE = 0o711  # QEMU's own user must get through to the folder where its socket is


class State:
    """The agent's folder.

    Args:
        root: where it is.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def make(self) -> None:
        """Make it, where it isn't there yet."""
        for folder in (self.root, self.root / "machines"):
            folder.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
            folder.chmod(PASSABLE)

    def of(self, uuid: str) -> MachineFolder:
        """Give a machine's own folder.

        Raises:
            UsageError: that's no UUID.
        """
        if not is_uuid(uuid):
            raise UsageError(
                f"A machine is asked for by its UUID, as virsh domuuid says it, not by {uuid!r}."
            )
        return MachineFolder(self.root / "machines" / uuid, self.root)

    def folders(self) -> list[MachineFolder]:
        """Give the folders of all machines that the agent ever worked at."""
        with suppress(FileNotFoundError):
            found = sorted(path for path in (self.root / "machines").iterdir() if is_uuid(path.name))
            return [MachineFolder(path, self.root) for path in found]
        return []

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the host while it's decided whose turn it is.

        Raises:
            BusyError: somebody else decides since 10 s.
        """
        with held(self.root / "host.lock", patience_s=10.0) as mine:
            if not mine:
                raise BusyError("Another call to this host is at work. Come again.")
            yield

    def not_back(self) -> dict[str, Any]:
        """Give the run and the machine that last didn't come back."""
        return read_json(self.root / "not-back.json")

    def say_not_back(self, run: str, machine: str) -> None:
        """Keep that a machine didn't come back in a run: no other is stopped in it."""
        write_json(self.root / "not-back.json", {"run": run, "machine": machine})


class MachineFolder:
    """What the agent keeps of one machine, while and after it is imaged."""

    def __init__(self, path: Path, state: Path) -> None:
        self.path = path
        self._state = state
        self.uuid = path.name
        self.journal = Journal(path / "journal.jsonl")
        self.lock = path / "lock"
        self.lease_lock = path / "lease.lock"
        self.serving_lock = path / "serving.lock"
        self.lease = path / "lease.json"
        self.request = path / "request.json"
        self.result = path / "result.json"
        self.kept = path / "kept"
        self.restore = path / "restore"
        self.restoring = Journal(self.restore / "journal.jsonl")

    def make(self) -> None:
        """Make it, where it isn't there yet."""
        self.path.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
        self.path.chmod(PASSABLE)

    def new_room(self, scratch: str | None) -> Path:
        """Name a folder for sockets and scratch files, in a way that nobody guesses; it isn't made yet.

        Raises:
            NotPossibleError: a socket there would have too long a name.
        """
        room = Path(scratch or self._state) / f"{self._rooms}{secrets.token_hex(4)}"
        if len(str(room)) > LONGEST_ROOM:
            raise NotPossibleError(
                f"Sockets in {room.parent} would have names longer than the kernel takes. "
                "Nothing was stopped. Name a shorter state or scratch folder."
            )
        return room

    @staticmethod
    def make_room(room: Path) -> None:
        """Make such a folder; whoever else is to get in is let in by name."""
        room.mkdir(mode=0o700)

    def remove_room(self, room: str) -> bool:
        """Remove such a folder, and nothing else; tells whether it's gone."""
        path = Path(room)
        if path.name.startswith(self._rooms) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        return not path.exists()

    def rooms(self) -> list[str]:
        """Give such folders of its own: those that its journal names, and what is left without one."""
        named = {entry["room"] for entry in self.journal.entries() if "room" in entry}
        return sorted(named | {str(path) for path in self._state.glob(f"{self._rooms}*")})

    def make_restore_room(self) -> Path:
        """Make the folder for the sockets of a restore; the caller holds the restore.

        Raises:
            NotPossibleError: a socket there would have too long a name.
        """
        room = self._state / f"r{self._rooms[1:]}{secrets.token_hex(4)}"
        if len(str(room)) > LONGEST_ROOM:
            raise NotPossibleError(f"Sockets in {self._state} would have names longer than the kernel takes.")
        self.make_room(room)
        return room

    def restore_rooms(self) -> list[Path]:
        """Give the rooms of restores; while nobody restores, what is left of dead ones."""
        return sorted(self._state.glob(f"r{self._rooms[1:]}*"))

    @property
    def _rooms(self) -> str:
        return f"x-{self.uuid.replace('-', '')}-"

    def at_work(self) -> bool:
        """Tell whether somebody works at the machine: freezes, releases, or starts it again."""
        return is_held(self.lock)

    def served(self) -> bool:
        """Tell whether its disks are being read; readers share their lock."""
        return is_held(self.serving_lock, shared=True)

    def watched(self) -> bool:
        """Tell whether its lease has its watcher."""
        return is_held(self.lease_lock)


@contextmanager
def held(path: Path, *, patience_s: float, shared: bool = False) -> Iterator[bool]:
    """Hold a lock, if it's free in time; tells whether it is."""
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    deadline = time.monotonic() + patience_s
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, how | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(_POLL_S)
            else:
                yield True
                return


def is_held(path: Path, *, shared: bool = False) -> bool:
    """Tell whether somebody holds a lock; one that is shared, or one that isn't."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, (fcntl.LOCK_EX if shared else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_json(path: Path) -> dict[str, Any]:
    """Give the object in a file; an empty one when there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file so that it's there whole or not at all, and survives a loss of power."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with new.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Have a folder's names on the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
