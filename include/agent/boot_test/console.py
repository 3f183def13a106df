"""What a boot-tested VM prints on its serial console: searched as it comes, not held in memory as a whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 1 << 20
_TAIL_BYTES = 300  # in a report


class ConsoleLog:
    """The file of a serial console's output.

    Args:
        path: the file, which may not exist yet.
        text: the text to search for.
    """

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text.encode()
        self._read_to = 0
        self._rest = b""  # of what was read, the end, in which the text may have begun
        self._found = False

    def shows_text(self) -> bool:
        """Return whether the text has been printed, in what was printed since the last call or before."""
        with suppress(OSError), self._open() as file:
            if os.fstat(file.fileno()).st_size < self._read_to:  # virtlogd began a new file
                self._read_to = 0
            file.seek(self._read_to)
            while not self._found and (block := file.read(BLOCK_BYTES)):
                self._search(block)
        return self._found

    def _search(self, block: bytes) -> None:
        self._read_to += len(block)
        searched = self._rest + block
        self._found = self._text in searched
        self._rest = searched[max(0, len(searched) - len(self._text)) :]

    def tail(self) -> str:
        """Return its last output, on one line; empty if there is none."""
        with suppress(OSError), self._open() as file:
            file.seek(-min(_TAIL_BYTES, os.fstat(file.fileno()).st_size), os.SEEK_END)
            return " ".join(file.read().decode(errors="replace").split())
        return ""

    def _open(self) -> BinaryIO:
        """Open it, but no link: it's in QEMU's folder, and the agent may read files that QEMU may not."""
        return os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
