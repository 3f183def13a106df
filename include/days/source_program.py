"""The program that runs at the source: surveys and hashes days; its requests are lines of JSON.

Standard library only, Python 3.8 and later; ``remote/program.py`` sends it there.

    {"survey": ["2026/268"], "root": "/data/supim"}  which of these folders exist, and their entries
    {"hash": "2026/268", "root": "/data/supim"}      the entries of one folder, with SHA-256 of each file

The entries of a folder come in lines ``{"folder": "2026/268", "entries": [...]}``, before an empty object.
It answers errors as ``{"error": class, "message": text}``.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, Iterator

from include.days.folder_scan import Entry, described, hashed, in_lines, is_folder, walk
from include.remote.line_server import serve


def answer(request: dict[str, Any]) -> Iterator[Dict[str, Any]]:
    """Answer a request."""
    root = os.fsencode(request["root"])
    if "hash" in request:
        folder = os.path.join(root, os.fsencode(request["hash"]))
        yield from in_lines(hashed(folder, walk(folder)), folder=request["hash"])
    else:
        os.listdir(root)  # fails if the source isn't mounted, which isn't a source without days
        for name in request["survey"]:
            yield from _surveyed(name, os.path.join(root, os.fsencode(name)))
    yield {}


def _surveyed(name: str, folder: bytes) -> Iterator[Dict[str, Any]]:
    try:
        if not is_folder(folder):
            return
        entries: Iterator[Entry] = described(folder, walk(folder))
    except PermissionError as error:
        entries = iter([[".", "unreadable", 0, 0, error.strerror, None, 0]])
    yield from in_lines(entries, folder=name)


def main() -> int:
    """Answer requests until the input ends."""
    return serve(answer)


if __name__ == "__main__":
    sys.exit(main())
