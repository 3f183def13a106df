"""Work runs at the lowest priority, and nothing else does."""

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from include.scrub.priority import in_background
from include.scrub.throttle import StoppedError, Throttle
from tests.session.needs import program


def priorities() -> tuple[int, str]:
    """Return the niceness and the disk priority class of this thread."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    command = [program("ionice"), "--pid", str(threading.get_native_id())]
    return nice, subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_work_and_its_threads_have_the_lowest_priority_and_the_caller_keeps_its_own() -> None:
    """Also after the work has ended."""
    before = priorities()

    def work() -> list[tuple[int, str]]:
        with ThreadPoolExecutor(2) as threads:
            return [priorities(), *threads.map(lambda _: priorities(), range(2))]

    assert in_background(work, lambda: None) == [(19, "idle")] * 3
    assert priorities() == before != (19, "idle")


def test_an_error_of_the_work_is_raised_in_the_caller() -> None:
    """With its type and message."""

    def work() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError, match="no"):
        in_background(work, lambda: None)


def test_an_interrupted_caller_stops_the_work() -> None:
    """Such as a task that is marked as failed: the reading ends at its next block."""
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

    def interrupt(_: int, __: object) -> None:
        raise InterruptedError("ended")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(InterruptedError):
            in_background(work, throttle.stop)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.is_set()
