"""List and hash a folder: at the source, in the vault, and at the target of a restore.

Standard library only, Python 3.8 and later, as hosts run it too. File names are bytes: those that are not
UTF-8 travel with surrogate escapes. An entry is
``[path, kind, bytes, mtime in ns, link target, SHA-256, ctime in ns]``, where kind is one of ``file``,
``folder``, ``link``, ``special``; the times are those of files. A day may have a million files, so entries
come one by one: a folder before what is in it, and the names of a folder in the order of their bytes. An
entry of the kind ``unreadable`` says, after the entry itself, what can't be read; its target is the reason.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterable, Iterator, List

Entry = List[Any]

DESCRIBED_FIELDS = 8  # of the entry of a descriptor with its text

DESCRIPTOR = "descriptor.ctl."
DESCRIPTOR_LIMIT = 1 << 20  # bytes; a real one has about 6 KB
DESCRIPTORS_LIMIT = 32 << 20  # bytes of all descriptors of a day that are read
_DESCRIPTOR_LEAST = 1 << 10  # bytes that each counts for: what it becomes in memory isn't smaller
# The file was removed or replaced meanwhile.
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EINVAL)
BLOCK = 1 << 20  # bytes read at a time: larger blocks make hashing no faster
LINE_ENTRIES, LINE_CHARS = 256, 1 << 19  # of a line of an answer, at which it ends

_BATCH_FILES, _BATCH_BYTES = 64, 4 << 20  # hashed by one thread; less than this, and threads cost more
_BATCHES_AHEAD = 64


def walk(folder: bytes) -> Iterator[Entry]:
    """Return the entries below a folder; in memory are only the names of one folder of each level."""
    try:
        levels = [(b"", _names(folder, b""))]
    except OSError as error:
        yield from _unreadable(".", error)
        return
    while levels:
        above, names = levels[-1]
        if not names:
            levels.pop()
            continue
        path = os.path.join(above, names.pop())
        try:
            entry = _entry(folder, path)
        except OSError as error:
            yield from _unreadable(_text(path), error)
            continue
        yield entry
        if entry[1] == "folder":
            try:
                levels.append((path, _names(folder, path)))
            except OSError as error:
                yield from _unreadable(_text(path), error)


def hashed(folder: bytes, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Return entries of a folder with the SHA-256 of files; hash on all cores.

    Raises:
        OSError: a disk error.
    """
    batches: deque[Any] = deque()
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for batch in _batches(entries):
            batches.append(threads.submit(_hash_all, folder, batch))
            if len(batches) > _BATCHES_AHEAD:
                yield from batches.popleft().result()
        while batches:
            yield from batches.popleft().result()


def described(folder: bytes, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Return entries of a folder; those of descriptors have their text, too, as an eighth field."""
    left = DESCRIPTORS_LIMIT
    for entry in entries:
        path, kind, size = entry[:3]
        if is_descriptor(path, kind) and size <= min(DESCRIPTOR_LIMIT, left):
            left -= max(size, _DESCRIPTOR_LEAST)
            try:
                entry.append(read_text(folder, path))
            except OSError as error:
                yield entry
                yield from _unreadable(path, error)
                continue
        yield entry


def is_descriptor(path: str, kind: str) -> bool:
    """Return whether an entry is a GrADS descriptor, by its name."""
    return kind == "file" and path.rpartition("/")[2].startswith(DESCRIPTOR)


def read_text(folder: bytes, path: str) -> str:
    """Return the text of a descriptor."""
    with open(_opened(_joined(folder, path)), "rb") as file:
        return _text(file.read(DESCRIPTOR_LIMIT))


def in_lines(entries: Iterable[Entry], **fields: Any) -> Iterator[Dict[str, Any]]:  # noqa: ANN401 - JSON
    """Return the entries as lines of an answer, ``{"entries": [...]}`` and more fields; at least one."""
    line: list[Entry] = []
    chars, sent = 0, False
    for entry in entries:
        line.append(entry)
        chars += sum(len(text) for text in entry if isinstance(text, str))
        if len(line) == LINE_ENTRIES or chars >= LINE_CHARS:
            yield {**fields, "entries": line}
            line, chars, sent = [], 0, True
    if line or not sent:
        yield {**fields, "entries": line}


def listed(folder: bytes) -> tuple[list[Entry], list[Entry]]:
    """Return all entries below a folder, and the unreadable ones as ``[path, reason]``."""
    entries: list[Entry] = []
    unreadable: list[Entry] = []
    for entry in walk(folder):
        if entry[1] == "unreadable":
            unreadable.append([entry[0], entry[4]])
        else:
            entries.append(entry)
    return entries, unreadable


def is_folder(folder: bytes) -> bool:
    """Return whether a folder exists.

    Raises:
        PermissionError: in a folder above it; ``os.path.isdir`` would return False.
    """
    try:
        return stat.S_ISDIR(os.stat(folder).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


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


def _names(folder: bytes, below: bytes) -> list[bytes]:
    """Return the names in a folder, the first one last."""
    names = os.listdir(os.path.join(folder, below))
    names.sort(reverse=True)
    return names


def _unreadable(path: str, error: OSError) -> list[Entry]:
    return [] if error.errno in GONE else [[path, "unreadable", 0, 0, error.strerror, None, 0]]


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry[2]
        if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _hash_all(folder: bytes, batch: list[Entry]) -> list[Entry]:
    unreadable = []
    for entry in batch:
        if entry[1] == "file":
            try:
                entry[5] = sha256(_joined(folder, entry[0]))
            except PermissionError as error:
                unreadable += _unreadable(entry[0], error)
            except OSError as error:
                if error.errno not in GONE:  # without a hash, the day counts as changed
                    raise
    return batch + unreadable


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
