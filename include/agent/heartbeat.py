"""Signs of life: each end of a connection sends something every few seconds, and waits for the other's.

A network or a host that is cut off sends no word of its end: its TCP connections stay open, for hours where
nothing is on its way. A process that only works slowly has threads that send signs of life meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 5.0
SILENCE_S = 60  # who sends nothing for so long is gone


@contextmanager
def beating(beat: Callable[[], object]) -> Iterator[None]:
    """Call a function every ``EVERY_S`` while the block runs, in a thread, until it raises OSError."""
    done = threading.Event()

    def beat_all() -> None:
        try:
            while not done.wait(EVERY_S):
                beat()
        except OSError:
            return

    thread = threading.Thread(target=beat_all, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(EVERY_S)  # it may be stuck where nobody reads


@contextmanager
def heartbeat(output_lock: threading.Lock, *, exit_when_unread: bool = False) -> Iterator[None]:
    """Print blank lines while the block runs: they show the caller that the host is alive.

    Args:
        output_lock: locked while something is printed.
        exit_when_unread: end this process, in the middle of its work, once nobody reads its output.
    """
    done = threading.Event()

    def beat() -> None:
        try:
            with output_lock:
                if not done.is_set():
                    print(flush=True)  # noqa: T201 - that is the heartbeat
        except OSError:
            if exit_when_unread:
                os._exit(1)
            raise

    with beating(beat):
        try:
            yield
        finally:
            done.set()
