"""What runs where a day is restored to. Beside ``source_agent``: standard library only, Python 3.8 and later.

Both are sent over SSH to ``python3``; then this one is asked, a JSON object a line, and answers with one a
line.

    {"do": "survey", "root": "/data", "folders": ["2026/268"], "wanted": {"a": "file"}}
    {"do": "begin", "day": "/data/2026/268", "wanted": {"a": "file"}}
    {"do": "probe"}
    {"do": "hash"}
    {"do": "discard", "paths": ["a"]}
    {"do": "publish", "steps": [["a", "file", false]]}

What arrives lies in a folder of its own beside the day, ``.268.restoring``, until it is proven; only then
each file gets its name, by a link that refuses a name that is taken. A kernel lock on that folder, which ends
with this process, keeps a second restore off it.
"""

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
from typing import Any, Dict, List, Optional

from include import source_agent

MARKER = b".inpe-vault.json"
PROBE, PROBE_BYTES = b".inpe-probe", 1 << 20
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Place:
    """A day's folder here, and what is on its way into it; no path of the day is followed through a link."""

    def __init__(self) -> None:
        self.day = b""
        self.staging = b""
        self._lock = -1

    def answer(self, request: Dict[str, Any]) -> Dict[str, Any]:
        """Do what a request asks for; what the system refuses is answered, with its ``errno``."""
        facts = dict(request)
        try:
            return dict(getattr(self, "do_" + facts.pop("do"))(**facts))
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "")
            return {"error": type(error).__name__, "errno": code, "message": str(error)}

    def do_survey(self, root: str, folders: List[str], wanted: Dict[str, str]) -> Dict[str, Any]:
        """Say where the day lies or would lie, what is there of what is wanted, and what room there is.

        Args:
            root: the folder that holds the years.
            folders: how the day's may be named below it; the first one is the usual one.
            wanted: the kind of each path that is to come.
        """
        top = _bytes(root)
        found = [folder for folder in folders if os.path.lexists(os.path.join(top, _bytes(folder)))]
        day = os.path.realpath(os.path.join(top, _bytes((found or folders)[0])))
        there = (
            source_agent.hashed(day, wanted) if os.path.lexists(day) else {"entries": [], "unreadable": []}
        )
        ground = _ground(os.path.dirname(day))
        room = os.statvfs(ground)
        return {
            "day": _text(day),
            "found": found,
            "is_folder": not found or os.path.isdir(day),
            "above": os.path.isdir(os.path.dirname(os.path.realpath(top))),
            "vault": _vault_around(day),
            "entries": [entry for entry in there["entries"] if entry[0] in wanted],
            "unreadable": there["unreadable"],
            "left": os.path.lexists(_staging_of(day)),
            "left_bytes": _held_by(_staging_of(day)),
            "free_bytes": room.f_bavail * room.f_frsize,
            "free_files": room.f_favail if room.f_files else 1 << 62,  # btrfs says that it has none at all
            "device": os.stat(ground).st_dev,
        }

    def do_begin(self, day: str, wanted: Dict[str, str]) -> Dict[str, Any]:
        """Make the folder for what arrives, hold it, and drop from it what isn't wanted any more."""
        self.day = _bytes(day)
        self.staging = _staging_of(self.day)
        os.makedirs(os.path.dirname(self.day), 0o755, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # of a try before, if it's ours
            os.mkdir(self.staging, 0o700)
        self._hold()
        entries, _ = source_agent.listed(self.staging)
        for path, kind, *_ in reversed(entries):
            full = self._staged(path)
            # A file of two names has got its own already, when a try was killed: never written to again.
            if wanted.get(path) != kind or (kind == "file" and os.lstat(full).st_nlink > 1):
                os.rmdir(full) if kind == "folder" else os.unlink(full)
        return {"staging": _text(self.staging)}

    def do_hash(self) -> Dict[str, Any]:
        """Give what has arrived, with its SHA-256; it's on the disk by then."""
        _sync(self.staging)
        return source_agent.hashed(self.staging)

    def do_probe(self) -> Dict[str, Any]:
        """Write a little beside what has arrived: fails where files can't be written, and says why."""
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

    def do_discard(self, paths: List[str]) -> Dict[str, Any]:
        """Drop what arrived otherwise than it was sent."""
        for path in paths:
            if os.path.lexists(self._staged(path)):
                os.unlink(self._staged(path))
        return {}

    def do_publish(self, steps: List[List[Any]]) -> Dict[str, Any]:
        """Give what has arrived its names: path, kind, and whether another file may be replaced.

        Args:
            steps: folders before what is in them.
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

    def _hold(self) -> None:
        self._lock = os.open(self.staging, FOLDER_FLAGS)
        if os.fstat(self._lock).st_uid != os.geteuid():
            raise FileExistsError(errno.EEXIST, "somebody else's", _text(self.staging))
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.exists(self.staging) or os.stat(self.staging).st_ino != os.fstat(self._lock).st_ino:
            raise BlockingIOError(errno.EAGAIN, "removed just now by its last holder")
        if any(_is_at(process, self.staging) for process in _other_processes()):
            raise BlockingIOError(errno.EAGAIN, "the rsync of a restore that was killed is still at it")
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


def _other_processes() -> List[bytes]:
    """Give the folders in which Linux tells of processes; nothing elsewhere."""
    numbers = os.listdir(b"/proc") if os.path.isdir("/proc") else []
    mine = b"%d" % os.getpid()
    return [b"/proc/" + number for number in numbers if number.isdigit() and number != mine]


def _is_at(process: bytes, folder: bytes) -> bool:
    """Say whether a process, as far as we may know, works in a folder, or has a file in it open."""
    links = [os.path.join(process, b"cwd")]
    with contextlib.suppress(OSError):  # ended, or somebody else's
        links += [os.path.join(process, b"fd", number) for number in os.listdir(os.path.join(process, b"fd"))]
    for link in links:
        with contextlib.suppress(OSError):
            if (os.readlink(link) + b"/").startswith(folder + b"/"):
                return True
    return False


def _parts(path: str) -> List[bytes]:
    parts = _bytes(path).split(b"/")
    if any(part in (b"", b".", b"..") or b"\0" in part for part in parts):
        raise ValueError("a path that leads out of the day")
    return parts


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")  # not os.fsencode: this host's locale doesn't matter


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _inner(top: int, parts: List[bytes]) -> int:
    """Open a folder below another one, through folders only."""
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
    """Move a file to a name that must be free; a link(2) refuses one that isn't, whoever took it just now."""
    try:
        os.link(staged, name, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _rename_if_free(staged, folder, name)
    else:
        os.unlink(staged)


def _rename_if_free(staged: bytes, folder: int, name: bytes) -> None:
    """Do the same where the file system has no hard links: look, then rename."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(staged, name, dst_dir_fd=folder)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _staging_of(day: bytes) -> bytes:
    return os.path.join(os.path.dirname(day), b"." + os.path.basename(day) + b".restoring")


def _held_by(staging: bytes) -> int:
    if os.path.islink(staging) or not os.path.isdir(staging):
        return 0
    entries, _ = source_agent.listed(staging)
    kept = [os.lstat(os.path.join(staging, _bytes(entry[0]))).st_blocks for entry in entries]
    return 512 * sum(kept)


def _clear(staging: bytes) -> None:
    entries, _ = source_agent.listed(staging)
    for path, kind, *_ in reversed(entries):
        full = os.path.join(staging, _bytes(path))
        os.rmdir(full) if kind == "folder" else os.unlink(full)
    os.rmdir(staging)


def _ground(folder: bytes) -> bytes:
    """Give the nearest folder above that is there."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _vault_around(folder: bytes) -> Optional[str]:
    """Give the vault that a folder lies in, if it does."""
    while True:
        if os.path.lexists(os.path.join(folder, MARKER)):
            return _text(folder)
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)


def _sync(folder: bytes) -> None:
    """Flush the file system that a folder is on (syncfs(2)), or all of them with an older ``sync``."""
    if subprocess.call(["sync", "--file-system", folder], stderr=subprocess.DEVNULL):
        os.sync()


if __name__ == "__main__":
    source_agent.serve(Place().answer)
