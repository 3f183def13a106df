"""List and hash a folder: at the source, in the vault, and at the target of a restore.

Standard library only, Python 3.8 and later, as hosts run it too. File names are bytes: those that are not
UTF-8 travel with surrogate escapes. An entry is
``[path, kind, bytes, mtime in ns, link target, SHA-256, ctime in ns]``, where kind is one of ``file``,
``folder``, ``link``, ``special``; the times are those of files.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Container, List

Entry = List[Any]

DESCRIPTOR = "descriptor.ctl."
DESCRIPTOR_LIMIT = 1 << 20  # bytes; a real one has about 6 KB
# The file was removed or replaced meanwhile.
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EINVAL)
BLOCK = 1 << 20  # bytes read at a time: larger blocks make hashing no faster


def scanned(folder: bytes) -> dict[str, Any]:
    """Return a folder's ``entries``, the texts of its ``descriptors`` by path, and what is ``unreadable``."""
    entries, unreadable = listed(folder)
    descriptors = {}
    for path, kind, size, *_ in entries:
        if kind == "file" and path.split("/")[-1].startswith(DESCRIPTOR) and size <= DESCRIPTOR_LIMIT:
            try:
                with open(_opened(_joined(folder, path)), "rb") as file:
                    descriptors[path] = _text(file.read(DESCRIPTOR_LIMIT))
            except OSError as error:
                _note(unreadable, path, error)
    return {"entries": entries, "descriptors": descriptors, "unreadable": unreadable}


def hashed(folder: bytes, paths: Container[str] | None = None) -> dict[str, Any]:
    """Return a folder's ``entries`` with SHA-256, and what is ``unreadable``; hash on all cores.

    Args:
        folder: the folder.
        paths: the files to hash; None means all.
    """
    entries, unreadable = listed(folder)
    files = [entry for entry in entries if entry[1] == "file" and (paths is None or entry[0] in paths)]
    cores = os.cpu_count() or 1

    def digest(share: list[Entry]) -> None:
        for entry in share:
            try:
                entry[5] = sha256(_joined(folder, entry[0]))
            except PermissionError as error:
                unreadable.append([entry[0], error.strerror])
            except OSError as error:
                if error.errno not in GONE:  # without a hash, the day counts as changed
                    raise

    with ThreadPoolExecutor(cores) as threads:
        list(threads.map(digest, [files[core::cores] for core in range(cores)]))
    return {"entries": entries, "unreadable": unreadable}


def listed(folder: bytes) -> tuple[list[Entry], list[Entry]]:
    """Return all entries below a folder, sorted by path, and the unreadable ones as ``[path, reason]``."""
    entries: list[Entry] = []
    unreadable: list[Entry] = []
    folders = [b""]
    while folders:
        below = folders.pop()
        try:
            with os.scandir(os.path.join(folder, below)) as items:
                paths = [os.path.join(below, item.name) for item in items]
        except OSError as error:
            _note(unreadable, _text(below) or ".", error)
            continue
        for path in paths:
            try:
                entries.append(_entry(folder, path))
            except OSError as error:
                _note(unreadable, _text(path), error)
                continue
            folders += [path] if entries[-1][1] == "folder" else []
    return sorted(entries, key=lambda entry: entry[0]), unreadable


def sha256(path: bytes) -> str:
    """Hash one regular file; never follow a link or wait for a FIFO.

    Raises:
        OSError: it can't be read, or is no regular file any more.
    """
    digest, file = hashlib.sha256(), _opened(path)
    try:
        block = os.read(file, BLOCK)
        while block:
            digest.update(block)
            block = os.read(file, BLOCK)
    finally:
        os.close(file)
    return digest.hexdigest()


def scanned_if_present(folder: bytes) -> list[dict[str, Any]]:
    """Return :func:`scanned` of a folder as a list of one; an empty list if the folder doesn't exist."""
    try:
        return [scanned(folder)] if stat.S_ISDIR(os.stat(folder).st_mode) else []
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:  # in a folder above it; os.path.isdir would return False
        return [{"entries": [], "descriptors": {}, "unreadable": [[".", error.strerror]]}]


def _note(unreadable: list[Entry], path: str, error: OSError) -> None:
    if error.errno not in GONE:
        unreadable.append([path, error.strerror])


def _entry(folder: bytes, path: bytes) -> Entry:
    full = os.path.join(folder, path)
    status = os.lstat(full)
    if stat.S_ISREG(status.st_mode):
        return [_text(path), "file", status.st_size, status.st_mtime_ns, None, None, status.st_ctime_ns]
    if stat.S_ISDIR(status.st_mode):
        return [_text(path), "folder", 0, 0, None, None, 0]
    if stat.S_ISLNK(status.st_mode):
        return [_text(path), "link", 0, 0, _text(os.readlink(full)), None, 0]
    return [_text(path), "special", 0, 0, None, None, 0]


def _opened(path: bytes) -> int:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "is no regular file any more")
    return file


def _joined(folder: bytes, path: str) -> bytes:
    return os.path.join(folder, path.encode("utf-8", "surrogateescape"))


def _text(path: bytes) -> str:
    # Not os.fsdecode: a source in the C locale would decode the same bytes into another name.
    return path.decode("utf-8", "surrogateescape")
