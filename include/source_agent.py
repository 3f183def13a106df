"""What runs at the source: lists and hashes days. One file, standard library only, Python 3.8 and later.

It is sent over SSH to ``python3`` and then asked, a JSON object a line, and answers with one a line. The
vault's side runs the same functions on its own copy.

    {"look": ["2026/268"], "root": "/data/supim"}    which of these folders exist, and what they hold
    {"hash": "2026/268", "root": "/data/supim"}      the same for one folder, with SHA-256 of each file

An entry is ``[path, kind, bytes, mtime in ns, link target, SHA-256]``, kind one of ``file``, ``folder``,
``link``, ``special``. Names are bytes in truth: what is no UTF-8 travels as surrogate escapes. What can't be
done is answered as ``{"error": class, "message": words}``.
"""

import errno
import hashlib
import json
import os
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Container, Dict, List, Optional, Tuple

Entry = List[Any]

DESCRIPTOR = "descriptor.ctl."
DESCRIPTOR_LIMIT = 1 << 20  # bytes; a real one holds about 6 KB
BEAT_S = 5.0
# It went, or became something else between two looks.
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EINVAL)
BLOCK = 1 << 20  # bytes read at a time: past this, hashing gets no faster


def answer(request: Dict[str, Any]) -> Dict[str, Any]:
    """Do what a request asks for."""
    root = os.fsencode(request["root"])
    if "hash" in request:
        return hashed(os.path.join(root, os.fsencode(request["hash"])))
    os.listdir(root)  # a source that isn't mounted is an error, not a source without days
    folders = [(name, os.path.join(root, os.fsencode(name))) for name in request["look"]]
    return {name: found for name, folder in folders for found in _seen_if_there(folder)}


def seen(folder: bytes) -> Dict[str, Any]:
    """Give what a folder holds: its entries, its descriptors' texts, and what can't be read."""
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


def hashed(folder: bytes, wanted: Optional[Container[str]] = None) -> Dict[str, Any]:
    """Give a folder's entries with the SHA-256 of each file, or of the wanted ones, using all cores."""
    entries, unreadable = listed(folder)
    files = [entry for entry in entries if entry[1] == "file" and (wanted is None or entry[0] in wanted)]
    cores = os.cpu_count() or 1

    def digest(share: List[Entry]) -> None:
        for entry in share:
            try:
                entry[5] = sha256(_joined(folder, entry[0]))
            except PermissionError as error:
                unreadable.append([entry[0], error.strerror])
            except OSError as error:
                if error.errno not in GONE:  # for those, the missing hash tells that the day isn't settled
                    raise

    with ThreadPoolExecutor(cores) as threads:
        list(threads.map(digest, [files[core::cores] for core in range(cores)]))
    return {"entries": entries, "unreadable": unreadable}


def listed(folder: bytes) -> Tuple[List[Entry], List[Entry]]:
    """Give everything below a folder, sorted by path, and the folders that can't be read."""
    entries: List[Entry] = []
    unreadable: List[Entry] = []
    left = [b""]
    while left:
        below = left.pop()
        try:
            with os.scandir(os.path.join(folder, below)) as found:
                names = [os.path.join(below, item.name) for item in found]
        except OSError as error:
            _note(unreadable, _text(below) or ".", error)
            continue
        for name in names:
            try:
                entries.append(_entry(folder, name))
            except OSError as error:
                _note(unreadable, _text(name), error)
                continue
            left += [name] if entries[-1][1] == "folder" else []
    return sorted(entries, key=lambda entry: entry[0]), unreadable


def sha256(path: bytes) -> str:
    """Hash one regular file; never follows a link, never waits for a FIFO."""
    digest, file = hashlib.sha256(), _opened(path)
    try:
        block = os.read(file, BLOCK)
        while block:
            digest.update(block)
            block = os.read(file, BLOCK)
    finally:
        os.close(file)
    return digest.hexdigest()


def _seen_if_there(folder: bytes) -> List[Dict[str, Any]]:
    try:
        return [seen(folder)] if stat.S_ISDIR(os.stat(folder).st_mode) else []
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:  # above it; unlike os.path.isdir, don't take it for missing
        return [{"entries": [], "descriptors": {}, "unreadable": [[".", error.strerror]]}]


def _note(unreadable: List[Entry], path: str, error: OSError) -> None:
    if error.errno not in GONE:
        unreadable.append([path, error.strerror])


def _entry(folder: bytes, path: bytes) -> Entry:
    full = os.path.join(folder, path)
    status = os.lstat(full)
    if stat.S_ISREG(status.st_mode):
        return [_text(path), "file", status.st_size, status.st_mtime_ns, None, None]
    if stat.S_ISDIR(status.st_mode):
        return [_text(path), "folder", 0, 0, None, None]
    if stat.S_ISLNK(status.st_mode):
        return [_text(path), "link", 0, 0, _text(os.readlink(full)), None]
    return [_text(path), "special", 0, 0, None, None]


def _opened(path: bytes) -> int:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "is no regular file any more")
    return file


def _joined(folder: bytes, path: str) -> bytes:
    return os.path.join(folder, path.encode("utf-8", "surrogateescape"))


def _text(path: bytes) -> str:
    # Not os.fsdecode: a source in the C locale would decode the same bytes to another name.
    return path.decode("utf-8", "surrogateescape")


def serve(answer: Callable[[Dict[str, Any]], Dict[str, Any]] = answer) -> None:
    """Answer one request a line until there are no more."""
    speaking = threading.Lock()
    threading.Thread(target=_show_life, args=(speaking,), daemon=True).start()
    for line in sys.stdin.buffer:
        try:
            reply = answer(json.loads(line))
        except (OSError, KeyError, TypeError, ValueError) as error:
            reply = {"error": type(error).__name__, "message": str(error)}
        _say(json.dumps(reply), speaking)


def _show_life(speaking: threading.Lock) -> None:
    """Send a blank line every few seconds, and stop the work once nobody listens any more."""
    while True:
        time.sleep(BEAT_S)
        try:
            _say("", speaking)
        except OSError:
            os._exit(1)


def _say(line: str, speaking: threading.Lock) -> None:
    with speaking:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
