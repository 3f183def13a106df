"""The program that runs at the target of a restored day; it answers requests, one JSON object per line.

It needs Python 3.8 and its standard library; ``remote/program.py`` starts it.

    {"do": "survey", "root": "/data", "folders": ["2026/268"], "selected": {"a": "file"}}
    {"do": "begin", "day": "/data/2026/268", "selected": {"a": "file"}}
    {"do": "probe"}
    {"do": "hash"}
    {"do": "discard", "paths": ["a"]}
    {"do": "publish", "steps": [["a", "file", false]]}

Files arrive in a staging folder beside the day, ``.268.restoring``. Once they are verified, each is moved to
its name by link(2), which fails if the name exists. A kernel lock on the staging folder, which ends with this
process, keeps a second restore out. Entries come in lines before the answer (``folder_scan.in_lines``).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
import sys
from typing import Any, Dict, Iterator

from include.days import folder_scan
from include.remote.line_server import serve

MARKER = b".inpe-vault.json"
PROBE, PROBE_BYTES = b".inpe-probe", 1 << 20
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class TargetFolder:
    """A day's folder and its staging folder; no path of the day is followed through a link."""

    def __init__(self) -> None:
        self.day = b""
        self.staging = b""
        self._lock = -1

    def answer(self, request: dict[str, Any]) -> Iterator[Dict[str, Any]]:
        """Handle a request; an OSError becomes an answer with its ``errno``."""
        arguments = dict(request)
        try:
            answer = getattr(self, "do_" + arguments.pop("do"))(**arguments)
            yield from [answer] if isinstance(answer, dict) else answer
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "")
            yield {"error": type(error).__name__, "errno": code, "message": str(error)}

    def do_survey(self, root: str, folders: list[str], selected: dict[str, str]) -> Iterator[Dict[str, Any]]:
        """Return what exists of the selected paths in the day's folder, its state, and the free space.

        Args:
            root: the folder that contains the years.
            folders: possible names of the day's folder below it; the first is the default.
            selected: the kind of each path to restore.
        """
        top = _bytes(root)
        found = [folder for folder in folders if os.path.lexists(os.path.join(top, _bytes(folder)))]
        day = os.path.realpath(os.path.join(top, _bytes((found or folders)[0])))
        there = (entry for entry in folder_scan.walk(day) if entry[0] in selected or entry[1] == "unreadable")
        yield from folder_scan.in_lines(folder_scan.hashed(day, there))
        parent = _nearest_existing(os.path.dirname(day))
        space = os.statvfs(parent)
        yield {
            "day": _text(day),
            "found": found,
            "is_folder": not found or os.path.isdir(day),
            "above": os.path.isdir(os.path.dirname(os.path.realpath(top))),
            "vault": _vault_around(day),
            "left": os.path.lexists(_staging_of(day)),
            "left_bytes": _allocated_bytes(_staging_of(day)),
            "free_bytes": space.f_bavail * space.f_frsize,
            "free_files": space.f_favail if space.f_files else 1 << 62,  # btrfs reports 0 inodes in total
            "device": os.stat(parent).st_dev,
        }

    def do_begin(self, day: str, selected: dict[str, str]) -> dict[str, Any]:
        """Create and lock the staging folder, and remove from it what isn't selected any more."""
        self.day = _bytes(day)
        self.staging = _staging_of(self.day)
        os.makedirs(os.path.dirname(self.day), 0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # an earlier restore's
            os.mkdir(self.staging, 0o700)
        self._lock_staging()
        entries, _ = folder_scan.listed(self.staging)
        for path, kind, *_ in reversed(entries):
            full = self._staged(path)
            # A file with two links has its name already, from a killed restore; rsync must not write to it.
            if selected.get(path) != kind or (kind == "file" and os.lstat(full).st_nlink > 1):
                os.rmdir(full) if kind == "folder" else os.unlink(full)
        return {"staging": _text(self.staging)}

    def do_hash(self) -> Iterator[Dict[str, Any]]:
        """Flush what has arrived to the disk, and return it with its SHA-256."""
        _sync(self.staging)
        yield from folder_scan.in_lines(folder_scan.hashed(self.staging, folder_scan.walk(self.staging)))
        yield {}

    def do_probe(self) -> dict[str, Any]:
        """Write a small file to the staging folder, to find out why files can't be written."""
        probe = os.path.join(self.staging, PROBE)
        try:
            with open(probe, "wb") as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            with contextlib.suppress(OSError):
                os.unlink(probe)
        return {}

    def do_discard(self, paths: list[str]) -> dict[str, Any]:
        """Remove files that arrived damaged."""
        for path in paths:
            if os.path.lexists(self._staged(path)):
                os.unlink(self._staged(path))
        return {}

    def do_publish(self, steps: list[list[Any]]) -> dict[str, Any]:
        """Move the files from the staging folder to their names, and remove it.

        Args:
            steps: path, kind, and whether to overwrite; a folder comes before its content.
        """
        if not os.path.isdir(self.day):
            os.mkdir(self.day, 0o755)
        top = os.open(self.day, FOLDER_FLAGS)
        try:
            for path, kind, overwrite in steps:
                self._name(top, path, kind, overwrite=overwrite)
        finally:
            os.close(top)
        _clear(self.staging)
        _sync(os.path.dirname(self.day))
        return {}

    def _lock_staging(self) -> None:
        self._lock = os.open(self.staging, FOLDER_FLAGS)
        if os.fstat(self._lock).st_uid != os.geteuid():
            raise FileExistsError(errno.EEXIST, "it belongs to another user", _text(self.staging))
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.exists(self.staging) or os.stat(self.staging).st_ino != os.fstat(self._lock).st_ino:
            raise BlockingIOError(errno.EAGAIN, "the restore that had it locked has just removed it")
        if any(_uses(process, self.staging) for process in _other_processes()):
            raise BlockingIOError(errno.EAGAIN, "the rsync of a killed restore is still running")
        os.fchmod(self._lock, 0o700)

    def _name(self, top: int, path: str, kind: str, *, overwrite: bool) -> None:
        *above, name = _parts(path)
        folder = _inner(top, above)
        try:
            if kind == "folder":
                _make_folder(folder, name)
            elif overwrite:
                os.rename(self._staged(path), name, dst_dir_fd=folder)
            else:
                _link(self._staged(path), folder, name)
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), path) from error
        finally:
            os.close(folder)

    def _staged(self, path: str) -> bytes:
        return os.path.join(self.staging, *_parts(path))


def _other_processes() -> list[bytes]:
    """Return the folders of other processes below /proc; none on other systems than Linux."""
    numbers = os.listdir(b"/proc") if os.path.isdir("/proc") else []
    mine = b"%d" % os.getpid()
    return [b"/proc/" + number for number in numbers if number.isdigit() and number != mine]


def _uses(process: bytes, folder: bytes) -> bool:
    """Return whether a process is known to work in a folder or to have a file in it open."""
    links = [os.path.join(process, b"cwd")]
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        links += [os.path.join(process, b"fd", number) for number in os.listdir(os.path.join(process, b"fd"))]
    for link in links:
        with contextlib.suppress(OSError):
            if (os.readlink(link) + b"/").startswith(folder + b"/"):
                return True
    return False


def _parts(path: str) -> list[bytes]:
    parts = _bytes(path).split(b"/")
    if any(part in (b"", b".", b"..") or b"\0" in part for part in parts):
        raise ValueError("a path outside of the day")
    return parts


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")  # os.fsencode would depend on this host's locale


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _inner(top: int, parts: list[bytes]) -> int:
    """Open a folder below another one, without following links."""
    folder = os.dup(top)
    for part in parts:
        try:
            inner = os.open(part, FOLDER_FLAGS, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def _make_folder(folder: int, name: bytes) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise


def _link(staged: bytes, folder: int, name: bytes) -> None:
    """Move a file to a free name; link(2) fails if it exists, even if it was created just now."""
    try:
        os.link(staged, name, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _rename_if_free(staged, folder, name)
    else:
        os.unlink(staged)


def _rename_if_free(staged: bytes, folder: int, name: bytes) -> None:
    """Move a file to a free name on a file system without hard links: check, then rename."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(staged, name, dst_dir_fd=folder)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _staging_of(day: bytes) -> bytes:
    return os.path.join(os.path.dirname(day), b"." + os.path.basename(day) + b".restoring")


def _allocated_bytes(staging: bytes) -> int:
    if os.path.islink(staging) or not os.path.isdir(staging):
        return 0
    entries, _ = folder_scan.listed(staging)
    blocks = [os.lstat(os.path.join(staging, _bytes(entry[0]))).st_blocks for entry in entries]
    return 512 * sum(blocks)


def _clear(staging: bytes) -> None:
    entries, _ = folder_scan.listed(staging)
    for path, kind, *_ in reversed(entries):
        full = os.path.join(staging, _bytes(path))
        os.rmdir(full) if kind == "folder" else os.unlink(full)
    os.rmdir(staging)


def _nearest_existing(folder: bytes) -> bytes:
    """Return the folder or its nearest parent that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _vault_around(folder: bytes) -> str:
    """Return the vault that contains a folder; empty if none does."""
    while True:
        if os.path.lexists(os.path.join(folder, MARKER)):
            return _text(folder)
        if folder == os.path.dirname(folder):
            return ""
        folder = os.path.dirname(folder)


def _sync(folder: bytes) -> None:
    """Flush the file system of a folder (syncfs(2)), or all file systems if ``sync`` is too old for that."""
    if subprocess.call(["sync", "--file-system", folder], stderr=subprocess.DEVNULL):
        os.sync()


def main() -> int:
    """Answer requests until standard input ends."""
    return serve(TargetFolder().answer)


if __name__ == "__main__":
    sys.exit(main())
