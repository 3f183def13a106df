"""The caller's end of standard input: a thread reads it, and ends this process once the caller is silent.

The caller sends signs of life (``heartbeat.py``) whenever it sends nothing else. If it has vanished, with its
network or its host, nothing else would show that, and the locks of this process would be held for hours.
"""

from __future__ import annotations

import os
import select
import signal
import threading

from include.agent.heartbeat import SILENCE_S

_MOST_BYTES = 4 << 20  # read ahead: then the caller has to wait for us, and isn't silent
_BLOCK_BYTES = 1 << 20
_GIVEN_UP = 128 + signal.SIGHUP  # as a shell reports a hang-up: a caller that was only asleep tries again


class WatchedInput:
    """What arrives at a file descriptor; nothing else may read that.

    Args:
        file: the descriptor.
        silence_s: after how many seconds without a byte the caller is gone.
    """

    def __init__(self, file: int, silence_s: float = SILENCE_S) -> None:
        self._file, self._silence_s = file, silence_s
        self._unread, self._ended, self._enough = bytearray(), False, 1
        self._changed = threading.Condition()
        threading.Thread(target=self._receive_all, daemon=True).start()

    def read(self, count: int) -> bytes:
        """Return the next ``count`` bytes; fewer where the input ends."""
        taken = part = self._take(count) if count else b""
        while part and len(taken) < count:
            part = self._take(count - len(taken))
            taken += part
        return taken

    def readline(self) -> bytes:
        """Return the next line with its end; what is left where the input ends."""
        line = bytearray()
        while not line.endswith(b"\n") and (part := self._take(0)):
            line += part
        return bytes(line)

    def _take(self, count: int) -> bytes:
        """Wait for bytes, and return at most this many of them; of a line, if that is 0."""
        with self._changed:
            self._enough = max(1, min(count, _BLOCK_BYTES))
            self._changed.wait_for(lambda: len(self._unread) >= self._enough or self._ended)
            with memoryview(self._unread) as unread:
                part = bytes(unread[: count or self._unread.find(b"\n") + 1 or None])
            del self._unread[: len(part)]
            self._changed.notify_all()
        return part

    def _receive_all(self) -> None:
        readable = select.poll()
        readable.register(self._file, select.POLLIN)
        while not self._ended:
            with self._changed:
                self._changed.wait_for(lambda: len(self._unread) < _MOST_BYTES)
            if not readable.poll(self._silence_s * 1000):
                os._exit(_GIVEN_UP)  # in the middle of its work: the next call cleans up
            try:
                self._add(os.read(self._file, _BLOCK_BYTES))
            except OSError:
                self._add(b"")

    def _add(self, received: bytes) -> None:
        with self._changed:
            self._unread += received
            self._ended = not received
            if self._ended or len(self._unread) >= self._enough:
                self._changed.notify_all()
