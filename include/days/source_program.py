"""The program that runs at the source: surveys and hashes days; its requests are lines of JSON.

Standard library only, Python 3.8 and later; ``remote/program.py`` sends it there.

    {"survey": ["2026/268"], "root": "/data/supim"}  which of these folders exist, and their entries
    {"hash": "2026/268", "root": "/data/supim"}      the same for one folder, with SHA-256 of each file

It answers errors as ``{"error": class, "message": text}``.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from include.days.folder_scan import hashed, scanned_if_present
from include.remote.line_server import serve


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request."""
    root = os.fsencode(request["root"])
    if "hash" in request:
        return hashed(os.path.join(root, os.fsencode(request["hash"])))
    os.listdir(root)  # fails if the source isn't mounted, which isn't a source without days
    folders = [(name, os.path.join(root, os.fsencode(name))) for name in request["survey"]]
    return {name: scan for name, folder in folders for scan in scanned_if_present(folder)}


def main() -> int:
    """Answer requests until the input ends."""
    return serve(answer)


if __name__ == "__main__":
    sys.exit(main())
