"""A heartbeat on standard output: a blank line now and then shows the caller that the host is alive."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

EVERY_S = 5.0


@contextmanager
def heartbeat(output_lock: threading.Lock, *, exit_when_unread: bool = False) -> Iterator[None]:
    """Print blank lines while the block runs.

    Args:
        output_lock: locked while something is printed.
        exit_when_unread: end this process, in the middle of its work, once nobody reads its output.
    """
    done = threading.Event()

    def beat() -> None:
        while not done.wait(EVERY_S):
            try:
                with output_lock:
                    if not done.is_set():
                        print(flush=True)  # noqa: T201 - that is the heartbeat
            except OSError:
                if exit_when_unread:
                    os._exit(1)
                return

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()
