"""Work at the lowest priority, which ends with the work."""

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from include.audit.priority import in_background
from include.audit.throttle import StoppedError, Throttle
from tests.include.machine import program


def priorities() -> tuple[int, str]:
    """Give the niceness of the thread that asks, and its class at the disk."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    asked = [program("ionice"), "--pid", str(threading.get_native_id())]
    return nice, subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def test_the_work_and_its_threads_are_lowest_and_nobody_else_is() -> None:
    """Before, beside and after it."""
    before = priorities()

    def work() -> list[tuple[int, str]]:
        with ThreadPoolExecutor(2) as threads:
            return [priorities(), *threads.map(lambda _: priorities(), range(2))]

    assert in_background(work, lambda: None) == [(19, "idle")] * 3
    assert priorities() == before != (19, "idle")


def test_what_goes_wrong_in_it_is_raised() -> None:
    """As if it had been done here."""

    def work() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError, match="no"):
        in_background(work, lambda: None)


def test_who_is_told_to_end_ends_soon() -> None:
    """As a task is that somebody marks as failed: the reading ends at its next block."""
    throttle = Throttle(None)
    ended = threading.Event()

    def work() -> None:
        try:
            while True:
                throttle.take(1)
                time.sleep(0.01)
        except StoppedError:
            ended.set()
            raise

    def told(_: int, __: object) -> None:
        raise InterruptedError("ended")

    before = signal.signal(signal.SIGALRM, told)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(InterruptedError):
            in_background(work, throttle.stop)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.is_set()
