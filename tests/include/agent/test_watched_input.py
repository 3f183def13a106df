"""What the worker sends is read as it was sent, and a worker that is silent ends the process."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO

import pytest

from include.agent.watched_input import WatchedInput
from include.errors import TransientError
from include.remote.failures import SSH_MEANINGS, failure

SILENCE_S = 0.5
# Works for long, without reading, after the first line.
_WORKS = f"""
import sys, time
from include.agent.watched_input import WatchedInput
given = WatchedInput(0, {SILENCE_S})
print(given.readline(), flush=True)
time.sleep(30)
"""


class Sent:
    """A pipe, and what is read of it."""

    def __init__(self) -> None:
        given, self.pipe = os.pipe()
        self.received = WatchedInput(given, 30)

    def send(self, *parts: bytes) -> None:
        """Send parts in a thread, and then the end."""

        def send_all() -> None:
            with os.fdopen(self.pipe, "wb", buffering=0) as pipe:
                for part in parts:
                    left = memoryview(part)
                    while left:
                        left = left[pipe.write(left) :]

        threading.Thread(target=send_all, daemon=True).start()


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 9 << 20])
def test_lines_and_bytes_are_read_as_they_were_sent(size: int) -> None:
    """Whatever arrives together, and however much more than is read ahead."""
    sent, data = Sent(), os.urandom(size)
    sent.send(b"a", b" line\n\n", data, b"x" * (5 << 20), b"\nend")
    assert (sent.received.readline(), sent.received.readline()) == (b"a line\n", b"\n")
    assert sent.received.read(size) == data
    assert sent.received.readline() == b"x" * (5 << 20) + b"\n"
    assert (sent.received.read(7), sent.received.read(7), sent.received.readline()) == (b"end", b"", b"")


@pytest.fixture
def working() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that works for long."""
    with subprocess.Popen(
        [sys.executable, "-c", _WORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        _pipe(process.stdin).write(b"work\n")
        _pipe(process.stdout).readline()
        yield process
        process.kill()


def test_a_silent_worker_ends_the_process(working: "subprocess.Popen[bytes]") -> None:
    """In the midst of its work; a worker that was only asleep, as its machine was, tries again."""
    status = working.wait(SILENCE_S * 10)
    assert isinstance(failure(status, "", "ssh", "the host", SSH_MEANINGS), TransientError)


def test_signs_of_life_keep_it_working(working: "subprocess.Popen[bytes]") -> None:
    """Until they end."""
    began = time.monotonic()
    while time.monotonic() < began + 2 * SILENCE_S:
        _pipe(working.stdin).write(b"\n")
        time.sleep(SILENCE_S / 5)
    assert working.poll() is None
    assert working.wait(SILENCE_S * 10)


def test_a_worker_that_has_to_wait_isnt_silent(working: "subprocess.Popen[bytes]") -> None:
    """More is on its way than is read ahead: the process is the slow one."""
    data = bytes(16 << 20)
    sender = threading.Thread(target=lambda: os.write(_pipe(working.stdin).fileno(), data), daemon=True)
    sender.start()
    with pytest.raises(subprocess.TimeoutExpired):
        working.wait(3 * SILENCE_S)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
